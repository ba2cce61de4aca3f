import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_hyber.protocol import UnreadableReply, parse_replies, parse_reply, reply_fingerprint
from django_hyber.protocol.wire.incoming_replies import is_reply, is_report
from tests.protocol import vectors

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        "phone",
        "channel",
        "time",
        "message_id",
        "extra_id",
        "umid",
        "text_to_subscriber",
        "text_from_subscriber",
        "media",
        "file_name",
        "image_url",
        "location",
    ]
)


def reply(**fields):
    return parse_reply({"phone": "380951234567", "channel": "viber", **fields})


class TestSamples:
    def test_viber_text(self):
        found = parse_reply(vectors.load("doc_reply_viber_text"))
        assert (found.channel, found.phone_number) == ("viber", "380951234567")
        assert found.time == datetime(2016, 12, 7, 18, 55, 9, tzinfo=UTC)
        assert (found.text, found.text_to_subscriber) == ("Reply from viber user", "text 2 viber")
        assert (found.message_id, found.extra_id) == ("d5569ed4-6ff9-5078-8be3-f0b1a1f6e5fe", "1883")

    def test_viber_deep_link_refers_to_nothing(self):
        found = parse_reply(vectors.load("doc_reply_viber_deeplink"))
        assert (found.message_id, found.extra_id, found.umid, found.text_to_subscriber) == ("", "", "", "")

    def test_viber_media(self):
        found = parse_reply(vectors.load("doc_reply_viber_media"))
        assert (found.media_kind, found.media_url) == ("file", "https://example.com/file.docx")
        assert (found.file_name, found.text) == ("Name_for_document.docx", "")

    def test_whatsapp_text(self):
        found = parse_reply(vectors.load("doc_reply_whatsapp_text"))
        assert (found.channel, found.text) == ("whatsapp", "Test reply")
        assert found.umid == "91dbb1a6-2410-ea11-8153-022a22cc1c71"
        assert found.time == datetime(2019, 11, 26, 8, 13, 39, tzinfo=UTC)


# The guide has WhatsApp samples of text only; these bodies are made up from its table.
@pytest.mark.parametrize(
    ("key", "kind"), [("image_url", "image"), ("video_url", "video"), ("audio_url", "audio"), ("doc_url", "document")]
)
def test_whatsapp_media(key, kind):
    found = reply(channel="whatsapp", **{key: "https://example.com/1"}, text_from_subscriber="Look")
    assert (found.media_kind, found.media_url, found.text) == (kind, "https://example.com/1", "Look")


def test_first_parameter_with_a_link_is_the_attachment():
    found = reply(media={"url": "https://example.com/1"}, image_url="https://example.com/2", video_url="")
    assert (found.media_kind, found.media_url) == ("image", "https://example.com/2")


def test_parameter_without_a_name_is_no_attachment():
    found = reply(**{"": "https://example.com/1"})
    assert (found.media_kind, found.media_url) == ("", "")


def test_location():
    assert reply(location="50.438820,30.498916").location == "50.438820,30.498916"
    assert reply(location={"lat": 1}).location == ""


def test_a_reply_to_an_image_has_no_text_to_refer_to():
    assert reply(text_to_subscriber=None).text_to_subscriber == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(["СТОП", "", ["дякую", 5]], "СТОП\nдякую\n5"), ([], ""), (4711, "4711"), ({"text": "СТОП"}, ""), (None, "")],
)
def test_text_of_another_type_is_kept_so_that_no_request_to_stop_is_lost(value, text):
    assert reply(text_from_subscriber=value).text == text


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-07-01 12:00:00", datetime(2026, 7, 1, 9, tzinfo=UTC)),
        ("2026-01-01 12:00:00", datetime(2026, 1, 1, 10, tzinfo=UTC)),
        ("2026-10-25 03:30:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2026-07-01T12:00:00+02:00", datetime(2026, 7, 1, 10, tzinfo=UTC)),
        ("2026-07-01T12:00:00.5Z", datetime(2026, 7, 1, 12, 0, 0, 500000, tzinfo=UTC)),
        (1782907200000, datetime(2026, 7, 1, 12, tzinfo=UTC)),
        ("0001-01-01 00:00:00", None),
        ("0001-01-02T00:00:00Z", None),
        ("1999-12-31T23:59:59Z", None),
        ("2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
        ("2100-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("2026-13-01 00:00:00", None),
        ("now", None),
        ("", None),
        (None, None),
    ],
)
def test_viber_times_are_kyiv_time_and_whatsapp_times_are_utc(written, expected):
    assert reply(time=written).time == expected


def test_viber_times_do_not_depend_on_the_time_zone_of_the_machine(monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        found = reply(time="2026-07-01 12:00:00").time
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (found, found.tzinfo) == (datetime(2026, 7, 1, 9, tzinfo=UTC), UTC)


@pytest.mark.parametrize(
    "item", [None, "text", [], {}, {"number": "380951234567"}, {"phone_number": "380951234567"}, {"phone": "hidden"}]
)
def test_what_is_no_reply_is_said_to_be_none(item):
    with pytest.raises(UnreadableReply) as caught:
        parse_reply(item)
    assert caught.value.reason


@pytest.mark.parametrize(
    "phone",
    [
        "380501234501",
        380501234501,
        380501234501.0,
        "+380 (50) 123-45-01",
        "0501234501",
        "80501234501",
        "8 050 123 45 01",
        "501234501",
        "00380501234501",
        "tel:+380501234501",
        "+380\u00a050\u00a0123\u201145\u201101",
        "\u2068+380501234501\u2069",
        "\u202a+380501234501\u202c",
        " 380501234501\r\n",
    ],
)
def test_a_number_is_read_however_it_is_written(phone):
    assert parse_reply({"phone": phone}, "UA").phone_number == "380501234501"


@pytest.mark.parametrize("phone", ["48501234567", "+48 501 234 567", "0048501234567", "38671234567"])
def test_a_valid_international_number_is_never_read_as_one_of_the_region(phone):
    assert parse_reply({"phone": phone}, "UA").phone_number == "".join(filter(str.isdigit, phone)).removeprefix("00")


def test_a_number_is_read_as_one_of_the_region():
    assert parse_reply({"phone": "501234567"}, "PL").phone_number == "48501234567"
    assert parse_replies([{"phone": "501 234 567"}], "PL").replies[0].phone_number == "48501234567"


@pytest.mark.parametrize(("phone", "region"), [("0501234501", None), ("12345", "UA"), ("0501234501", "PL")])
def test_digits_that_are_no_number_are_kept(phone, region):
    assert parse_reply({"phone": phone}, region).phone_number == phone


@pytest.mark.parametrize("phone", ["hidden", "", None, [], {}, True, "0501234501, 0501234502", "3" * 16, "3.8E+11"])
def test_a_number_that_cannot_be_read_leaves_the_reply_unreadable(phone):
    [(_item, reason)] = parse_replies([{"phone": phone, "text_from_subscriber": "stop"}], "UA").unreadable

    assert reason == "it has no phone number"


@pytest.mark.parametrize("name", ["phone_number", "number"])
@pytest.mark.parametrize("sign", [{"text_from_subscriber": "СТОП"}, {"media": "https://example.com/1"}])
def test_what_only_a_reply_has_makes_it_a_reply_whatever_its_number_is_called(name, sign):
    item = {name: "380501234501", **sign}

    assert is_reply(item)
    assert not is_report(item)
    assert parse_reply(item).phone_number == "380501234501"


def test_the_first_number_that_can_be_read_counts():
    item = {"phone": None, "phone_number": "", "number": "380501234501", "text_from_subscriber": "СТОП"}

    assert parse_reply(item).phone_number == "380501234501"


@pytest.mark.parametrize("item", [{"number": "380501234501"}, {"phone_number": "380501234501", "status": 2}])
def test_a_report_is_no_reply(item):
    assert is_report(item)
    assert not is_reply(item)


@pytest.mark.parametrize("item", [{"phone": "380501234501"}, {"phone": None, "location": "50.4,30.5"}])
def test_the_name_of_its_number_makes_an_item_a_reply(item):
    assert is_reply(item)
    assert not is_report(item)


@pytest.mark.parametrize(
    "item", [{"phone": "380501234501", "status": 2}, {"location": "50.4,30.5"}, {}, [], "phone", 5, None]
)
def test_what_may_be_both_and_what_can_be_neither_stays_at_its_address(item):
    assert not is_reply(item)
    assert not is_report(item)


def test_a_body_may_be_one_reply():
    item = {"phone": "380951234567", "text_from_subscriber": "СТОП"}

    assert parse_replies(item) == parse_replies([item]) == ([parse_reply(item)], [])


def test_one_bad_item_does_not_cost_its_neighbours():
    deep = json.loads("[" * 500 + "]" * 500)
    body = [vectors.load("doc_reply_viber_text"), "bad\x00", {"phone": "380951234567", "deep": deep}]
    found, unreadable = parse_replies(body)
    assert [item.text for item in found] == ["Reply from viber user"]
    assert unreadable[0] == ("bad", "it is not an object")
    assert (json.loads(unreadable[1][0]), unreadable[1][1]) == (body[2], "it is nested too deeply")


def test_characters_that_postgresql_cannot_store_are_removed_everywhere():
    found = reply(text_from_subscriber="a\x00b \ud83d 😀", file_name="\x00f")
    assert (found.text, found.file_name) == ("ab \ufffd 😀", "f")
    assert found.raw["text_from_subscriber"] == "ab \ufffd 😀"


def test_ids_of_the_greatest_length_are_kept():
    found = reply(message_id="m" * 64, extra_id="e" * 64, umid="u" * 64)
    assert (found.message_id, found.extra_id, found.umid) == ("m" * 64, "e" * 64, "u" * 64)


def test_what_is_too_long_is_cut_or_left_out_and_the_reply_is_kept():
    found = reply(message_id="m" * 65, umid="u" * 65, file_name="f" * 300, location="1" * 99, channel="c" * 20)
    assert (found.message_id, found.umid) == ("", "")
    assert (len(found.file_name), len(found.location), len(found.channel)) == (255, 64, 16)


class TestFingerprint:
    REPLY = reply(time="2026-07-01 12:00:00", text_from_subscriber="Yes")

    def test_a_repeat_is_the_same(self):
        again = reply(time="2026-07-01 12:00:00", text_from_subscriber="Yes", phone="+380951234567")
        assert reply_fingerprint(self.REPLY) == reply_fingerprint(again)

    @pytest.mark.parametrize(
        "change",
        [
            {"channel": "whatsapp"},
            {"phone_number": "380951234568"},
            {"time": None},
            {"text": "No"},
            {"media_url": "https://example.com/1"},
            {"location": "1,2"},
        ],
    )
    def test_another_reply_is_another(self, change):
        assert reply_fingerprint(self.REPLY) != reply_fingerprint(replace(self.REPLY, **change))

    @pytest.mark.parametrize("name", ["time", "message_id", "extra_id", "umid"])
    def test_without_a_readable_time_other_parameters_tell_replies_apart(self, name):
        stop = {"time": "30.11.2026 12:00:00", "text_from_subscriber": "СТОП"}
        first, again, other = reply(**stop), reply(**stop), reply(**stop | {name: "30.11.2026 12:05:00"})

        assert reply_fingerprint(first) == reply_fingerprint(again) != reply_fingerprint(other)

    def test_accounts_are_apart(self):
        assert reply_fingerprint(self.REPLY, "a") != reply_fingerprint(self.REPLY, "b")


@given(JSON | st.dictionaries(KEYS, JSON))
def test_nothing_that_json_can_say_upsets_the_parser(payload):
    for item in parse_replies([payload]).replies:
        assert len(reply_fingerprint(item)) == 32
        json.dumps(item.raw, allow_nan=False, ensure_ascii=False).encode()


def test_fingerprint_has_32_digits_and_stays_the_same_in_every_version():
    first = reply(time="2026-07-01 12:00:00", text_from_subscriber="Дякую")

    assert reply_fingerprint(first, "shop") == "a794ed15302fa8dd4158da5608b09356"
    assert reply_fingerprint(first) == reply_fingerprint(first, "")
