"""The quick check of many recipients finds what rendering and validating the channels of each would find."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from django_hyber.protocol import (
    SMS,
    Push,
    RenderedTexts,
    Viber,
    WhatsApp,
    count_segments,
    find_variables,
    render_channel,
    validate_channels,
)
from django_hyber.protocol.channels.validation import segments_problem

ALPHABET = "aZ 1%€[^`їЇ😀\u0301.,:/)htps\n"
VALUES = st.text(ALPHABET, min_size=1, max_size=90) | st.sampled_from(["http", "https://x.y", "://z", "/z", ":"])
PIECES = st.sampled_from(
    [
        *("%name%", "%code%", "%%name%", "%name%code%", "100% ", "%d ", "Hi ", " ", ".", "Привіт ", "€", "`", "😀"),
        *("https://shop.example/", "https://shop.example ", "(http://a.b). ", "http:", "//", " s://"),
        *("x x " * 17, "ї" * 33, "[" * 40),
    ]
)
TEXTS = st.lists(PIECES, min_size=1, max_size=8).map("".join)


def naive(channels, recipients):
    """What is wrong, by the way that builds every text."""
    found, examples, segments = Counter(), {}, Counter()
    for values in recipients:
        rendered = [render_channel(channel, values) for channel in channels]
        for problem in validate_channels(rendered):
            place = (problem.channel, problem.field, problem.code)
            if problem.is_error:
                found[place] += 1
                examples.setdefault(place, problem)
        for channel in rendered:
            if isinstance(channel, SMS):
                count = count_segments(channel.text, click_tracking=bool(channel.ctr))
                segments[count.encoding, count.segments] += 1
    return found, examples, segments


def quick(channels, recipients, pages=1):
    names = sorted(find_variables(channels))
    texts = RenderedTexts(channels, names)
    rows = [tuple(values[name] for name in names) for values in recipients]
    for start in range(pages):
        texts.add(rows[start::pages])
    found = {(item.example.channel, item.example.field, item.example.code): item for item in texts.findings}
    counts = Counter({place: item.recipients for place, item in found.items()})
    return counts, {place: item.example for place, item in found.items()}, texts.segments


def without_static(channels, expected):
    """What is wrong with a field that holds no variable is found by the check of the channels."""
    counts, examples, segments = expected
    static = {(item.channel, item.field, item.code) for item in validate_channels(channels, variables=True)}
    keep = [place for place in counts if place not in static]
    return Counter({place: counts[place] for place in keep}), {place: examples[place] for place in keep}, segments


@given(
    TEXTS,
    TEXTS,
    st.booleans(),
    st.lists(st.fixed_dictionaries({"name": VALUES, "code": VALUES}), max_size=4),
)
@example("https://a.b %name%", "%code%", True, [{"name": "c", "code": " "}])
@example("s://x%name%http://y", "x", True, [{"name": "http", "code": "a"}])
@example("%name%", "€" * 1000 + "%name%", False, [{"name": "[" * 306, "code": "a"}])
@example("Привіт %name%", "x", False, [{"name": "ї" * 60, "code": "a"}, {"name": "😀" * 40, "code": "a"}])
@example("%name%", "x", True, [{"name": "https://a.b/" + "c" * 150, "code": "a"}])
@example("https://a.b/%name%", "x", True, [{"name": "c" * 150, "code": "a"}])
@example("Hi %name%", "x", False, [{"name": text * 69, "code": "a"} for text in ("a", "ї", "`", "aa", "[", "😀")])
@example("Hi %name%", "x", False, [{"name": text * 69, "code": "a"} for text in ("a", "ї", "`", "aaa")])
@example("Привіт %name%", "x", False, [{"name": text * 63, "code": "a"} for text in ("a", "ї", "aa", "ї[")])
@example("https://a.b/ї%name%", "x", True, [{"name": "c" * 150, "code": "a"}, {"name": " c", "code": "a"}])
@example("€" * 100 + "%name%", "x", False, [{"name": "a", "code": "a"}])
def test_it_finds_what_validating_every_text_finds(sms_text, other_text, tracked, recipients):
    channels = [
        Viber(text=other_text, ttl=60, caption=f"Buy {sms_text}"[:30], action="https://a.b"),
        SMS(text=sms_text, ttl=300, alpha_name="Shop", ctr=tracked),
    ]
    if any(problem.is_error for problem in validate_channels(channels, variables=True)):
        return

    assert quick(channels, recipients) == without_static(channels, naive(channels, recipients))


@pytest.mark.parametrize(
    ("channel", "values"),
    [
        (Viber(img="%name%", ttl=60), ["https://a.b/c.png", "ftp://a.b", "https://a.b/" + "c" * 250]),
        (Viber(text="Hi", caption="Buy", action="%name%", ttl=60), ["viber://chat", "javascript:1", "tel:+380"]),
        (Viber(file_name="%name%", action="https://a.b", ttl=60), ["price.pdf", "price.exe", "p" * 30 + ".pdf"]),
        (SMS(text="Hi", alpha_name="Shop%name%", ttl=300), ["1", "12345678", "ї"]),
        (Push(text="Hi", title="%name%", ttl=60), ["Sale", " ", "s" * 21]),
        (WhatsApp(latitude="%name%", longitude="30.5"), ["50.4", "91", "here"]),
        (WhatsApp(text="%name%"), ["x" * 1000, "x" * 1001, "\n"]),
        (Viber(text="Hi", device="%name%", ttl=60), ["all", "tablet"]),
    ],
)
def test_fields_with_a_form_of_their_own_are_checked_by_it(channel, values):
    recipients = [{"name": value} for value in values]

    expected = naive([channel], recipients)
    assert quick([channel], recipients) == expected
    assert expected[0]


def test_pages_are_added_up():
    channels = [SMS(text="%name%", ttl=300, alpha_name="Shop")]
    recipients = [{"name": "x" * length} for length in range(1, 800, 3)]

    counts, _examples, segments = quick(channels, recipients, pages=3)
    assert (counts, segments) == naive(channels, recipients)[::2]


def test_a_row_may_stand_for_many_recipients():
    texts = RenderedTexts([SMS(text="Hi", ttl=300, alpha_name="Shop")], [])
    texts.add([()], times=1_000_000)

    assert texts.segments == {("GSM-7", 1): 1_000_000}


class TestCharacters:
    """The characters that make an SMS one of UCS-2, by the variable that contains them."""

    @staticmethod
    def found(text, *pages, **options):
        texts = RenderedTexts([SMS(text=text, ttl=300, alpha_name="Shop", **options)], ["name", "code"])
        for page in pages:
            texts.add(page)
        return texts.ucs2

    def test_each_stands_once_with_its_source(self):
        rows = [("Олена", "5₴"), ("Anna", "6₴")]

        assert self.found("Ціна `%code%` %name%", rows) == {"": "Ціна`", "code": "₴", "name": "Олена"}

    def test_only_texts_in_ucs2_are_looked_at(self):
        assert self.found("Hi %name%, %code%€", [("Anna", "a"), ("Ян", "b")]) == {"name": "Ян"}
        assert self.found("Hi %name%", [("Anna", "Ян")]) == {}

    def test_those_of_later_pages_are_added_up_to_a_dozen(self):
        assert self.found("%name%", [("Їжак", "")], [("Єва", "")]) == {"name": "ЇжакЄв"}
        assert self.found("%name%", [("абвгґдеєж", "")], [("зиіїйк", "")]) == {"name": "абвгґдеєжзиі"}

    def test_those_of_a_tracked_link_are_not_sent(self):
        text = "https://shop.example/шлях %name%"

        assert self.found(text, [("Anna", "")]) == {"": "шлях"}
        assert self.found(text, [("Anna", "")], ctr=True) == {}
        assert self.found(text, [("Ян", "")], ctr=True) == {"name": "Ян"}


def test_texts_that_are_only_checked_are_not_counted():
    texts = RenderedTexts([SMS(text="%name%", ttl=300, alpha_name="Shop")], ["name"])
    texts.add([("ж" * 336,)], times=2, is_counted=False)

    assert (texts.segments, texts.ucs2) == ({}, {})
    assert texts.findings == [(segments_problem(6), 2)]


def test_values_of_one_recipient_are_refused_by_the_same_rules():
    texts = RenderedTexts(
        [Push(text="%a%", title="%b%", ttl=60), SMS(text="%a%", ttl=300, alpha_name="Shop")], ["a", "b"]
    )

    assert not texts.refuses(("x", "t"))
    assert texts.refuses(("x", "t" * 21))
    assert texts.refuses(("ж" * 336, "t"))
    assert (texts.findings, texts.segments) == ([], {})


def test_the_most_frequent_findings_come_first():
    texts = RenderedTexts([Push(text="%a%", title="%b%", ttl=60)], ["a", "b"])
    texts.add([("x" * 1_001, "t" * 21)])
    texts.add([("x", "t" * 22)], times=5)

    assert [(item.example.field, item.recipients) for item in texts.findings] == [("title", 6), ("text", 1)]
    assert texts.findings[0].example.params["length"] == 21
