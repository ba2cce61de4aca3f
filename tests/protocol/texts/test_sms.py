import pytest
import smsutil
from hypothesis import example, given
from hypothesis import strategies as st

from django_hyber.protocol import count_segments, split_segments
from django_hyber.protocol.texts.sms import GSM_BASIC, GSM_EXTENDED, measure, measure_all

GSM_TEXT = st.text(st.sampled_from(sorted(GSM_BASIC | GSM_EXTENDED)), min_size=1, max_size=900)
ANY_TEXT = st.text(
    st.sampled_from("aїЖ€{`ґ😀\U00020000") | st.characters(exclude_categories=["Cs"], exclude_characters="\x1b"),
    min_size=1,
    max_size=400,
)


@pytest.mark.parametrize(
    ("text", "encoding", "length", "segments", "left"),
    [
        ("", "GSM-7", 0, 0, 160),
        ("a", "GSM-7", 1, 1, 159),
        ("a" * 160, "GSM-7", 160, 1, 0),
        ("a" * 161, "GSM-7", 161, 2, 145),
        ("a" * 306, "GSM-7", 306, 2, 0),
        ("a" * 765, "GSM-7", 765, 5, 0),
        ("a" * 766, "GSM-7", 766, 6, 152),
        ("€" * 80, "GSM-7", 160, 1, 0),
        ("€" * 81, "GSM-7", 162, 2, 143),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3, 152),
        ("ж" * 70, "UCS-2", 70, 1, 0),
        ("ж" * 71, "UCS-2", 71, 2, 63),
        ("ж" * 335, "UCS-2", 335, 5, 0),
        ("ж" * 336, "UCS-2", 336, 6, 66),
        ("😀" * 35, "UCS-2", 70, 1, 0),
        ("😀" * 36, "UCS-2", 72, 2, 61),
        ("ж" * 66 + "😀" + "ж" * 66, "UCS-2", 134, 3, 66),
    ],
)
def test_segments(text, encoding, length, segments, left):
    count = count_segments(text)
    assert (count.encoding, count.length, count.segments, count.units_left) == (encoding, length, segments, left)


def test_the_characters_that_forced_ucs2_are_named_once_in_their_order():
    assert count_segments("price `5` ґ, {x} ґ").ucs2_characters == "`ґ"
    assert count_segments("price {5} €").ucs2_characters == ""


def test_five_segments_fit_and_six_do_not():
    assert count_segments("a" * 765).fits
    assert not count_segments("a" * 766).fits


def test_tracked_links_count_as_28_characters():
    text = "Go to https://example.com/a/very/long/address?with=parameters#and-more, or HTTP://x.ua."
    assert count_segments(text, click_tracking=True).length == len("Go to , or .") + 2 * 28
    assert count_segments(text).length == len(text)


def test_a_tracked_link_takes_its_foreign_characters_with_it():
    assert count_segments("https://example.com/шлях", click_tracking=True).encoding == "GSM-7"


def test_the_basic_table_has_its_128_codes_but_escape():
    assert len(GSM_BASIC) == 127
    assert len(GSM_EXTENDED) == 10
    assert not GSM_BASIC & GSM_EXTENDED


@given(GSM_TEXT | ANY_TEXT)
@example("a" * 152 + "€" + "a" * 152)
@example("ж" * 66 + "😀")
def test_counts_agree_with_another_implementation(text):
    count = count_segments(text)
    oracle = smsutil.split(text)
    assert count.encoding == {"gsm0338": "GSM-7"}.get(oracle.encoding, "UCS-2")
    assert count.segments == len(oracle.parts)
    assert 0 <= count.units_left <= 160


@given(GSM_TEXT | ANY_TEXT)
@example("a" * 160)
@example("a" * 152 + "€" + "a" * 152)
@example("ж" * 66 + "😀")
def test_segments_are_cut_where_another_implementation_cuts_them(text):
    assert split_segments(text) == [part.content for part in smsutil.split(text).parts]


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        ["a"],
        ["a" * 160],
        ["a" * 153, "a" * 8],
        ["ж" * 70],
        ["ж" * 67, "ж" * 67, "ж"],
        # A character that counts twice is not cut in two.
        ["a" * 152, "€" + "a" * 151, "a"],
        ["ж" * 66, "😀" + "ж" * 65, "ж"],
    ],
)
def test_a_text_is_cut_at_the_ends_of_its_segments(pieces):
    assert split_segments("".join(pieces)) == pieces


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [""],
        ["", "a" * 160, "a" * 161, "a" * 766],
        ["€" * 80, "€" * 81, "a" * 152 + "€" + "a" * 152],
        ["ж" * 70, "ж" * 71, "ж" * 336],
        ["😀" * 35, "😀" * 36, "ж" * 66 + "😀" + "ж" * 66],
        ["a" * 100, "ж" * 100, "a" * 99 + "ж"],
        ["[" * 100, "ж" * 69 + "[", "😀"],
        ["\uffff" * 70, "\U00010000" * 36],
    ],
)
def test_many_texts_are_measured_as_each(texts):
    counts = [count_segments(text) for text in texts]
    expected = [(count.encoding, count.segments) for count in counts]

    assert [measure(text) for text in texts] == expected
    assert measure_all(texts, set("".join(texts))) == expected


def test_texts_of_one_encoding_are_measured_without_a_search_for_it():
    texts = ["ж" + "a" * length for length in (0, 69, 70, 335)]

    assert measure_all(texts, set("жa"), "UCS-2") == [("UCS-2", 1), ("UCS-2", 1), ("UCS-2", 2), ("UCS-2", 6)]
