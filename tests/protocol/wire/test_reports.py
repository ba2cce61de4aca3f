import json
import pickle
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_hyber.protocol import ReportState, UnreadableReport, fingerprint, parse_report, parse_reports
from tests.protocol import vectors

MESSAGE_ID = "9f60ac8f-e721-5027-b838-e6fcb95fcd7a"
TIME = datetime(2016, 10, 25, 17, 41, 34, 667000, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        "number",
        "phone_number",
        "message_id",
        "extra_id",
        "time",
        "status",
        "substatus",
        "hyber_status",
        "error_code",
        "error_text",
        "accepted",
        "clicks",
        "sent_via",
        "last_partner",
        "delivered_via",
        "reports",
        "messages",
        "total_sms_parts",
    ]
)


def report(**fields):
    return parse_report({"extra_id": "AD-6640-7006", **fields})


def parsed(name):
    reports, unreadable = parse_reports(vectors.load(name))
    assert unreadable == []
    return reports


class TestSamples:
    def test_callback(self):
        [found] = parsed("doc_dr_callback_single")
        assert (found.phone_number, found.message_id, found.extra_id) == ("380961111111", MESSAGE_ID, "AD-6640-7006")
        assert (found.state, found.channel, found.time) == (ReportState.DELIVERED, "sms", TIME)
        assert (found.status, found.substatus, found.hyber_status) == (2, 23, 23011)
        assert (found.total_sms_parts, found.delivered_sms_parts, found.clicks) == (1, 1, None)
        assert found.raw == vectors.load("doc_dr_callback_single")

    def test_callback_with_several_reports(self):
        found = parsed("doc_dr_callback_batch")
        assert [(item.extra_id, item.state, item.channel) for item in found] == [
            ("AD-6640-7006", "delivered", "sms"),
            ("AD-6640-7007", "expired", "sms"),
            ("AD-6640-7008", "delivered", "viber"),
        ]

    def test_templates(self):
        assert parsed("doc_dr_callback_viber_template")[0].matching_template_id == 6349599
        unmatched = parsed("doc_dr_callback_viber_no_template")[0]
        assert (unmatched.matching_template_id, unmatched.state) == (0, ReportState.DELIVERED)

    def test_simple(self):
        [found] = parsed("doc_dr_simple")
        assert (found.state, found.channel, found.clicks) == (ReportState.DELIVERED, "sms", 2)
        assert parsed("doc_dr_viber_template_simple")[0].channel == "viber"

    def test_advanced(self):
        viber, sms = parsed("doc_dr_advanced")
        assert (viber.channel, viber.state, viber.clicks) == ("viber", ReportState.EXPIRED, None)
        assert (sms.channel, sms.state, sms.clicks) == ("sms", ReportState.DELIVERED, 2)

    def test_campaign_status(self):
        expired, delivered = parsed("doc_campaign_status")
        assert (expired.state, expired.error_code, expired.error_text) == (ReportState.EXPIRED, 35015, "SMS expired")
        assert (expired.status, expired.substatus, expired.hyber_status) == (3, 35, 35015)
        assert (delivered.state, delivered.clicks, delivered.phone_number) == (
            ReportState.DELIVERED,
            2,
            "380961111111",
        )


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "pending"),
        ({"status": None}, "pending"),
        ({"status": ""}, "pending"),
        ({"status": -1}, "pending"),
        ({"status": 1, "substatus": 12}, "pending"),
        ({"status": 2}, "delivered"),
        ({"status": 2, "substatus": 26}, "delivered"),
        ({"status": "2"}, "delivered"),
        ({"status": 2.0}, "delivered"),
        ({"status": 3}, "undelivered"),
        ({"status": 3, "substatus": 36}, "undelivered"),
        ({"status": 3, "substatus": 35}, "expired"),
        ({"status": 3, "substatus": 36, "hyber_status": 35015}, "undelivered"),
        ({"status": 3, "substatus": 26}, "expired"),
        ({"status": 3, "hyber_status": 35015}, "expired"),
        ({"status": 3, "hyber_status": 23011}, "undelivered"),
        ({"status": 2, "substatus": 23, "hyber_status": 35015}, "delivered"),
        ({"hyber_status": 23033}, "delivered"),
        ({"hyber_status": 20000}, "delivered"),
        ({"hyber_status": "35015"}, "expired"),
        ({"hyber_status": 36024}, "undelivered"),
        ({"hyber_status": 11001}, "pending"),
        ({"hyber_status": 230110}, "pending"),
        ({"error_code": 35015}, "expired"),
        ({"error_code": 36024}, "undelivered"),
        ({"error_code": 1154}, "undelivered"),
        ({"error_code": 0}, "pending"),
        ({"status": 4}, "unknown"),
        ({"status": 0}, "unknown"),
        ({"status": True}, "unknown"),
        ({"status": "delivered"}, "unknown"),
        ({"status": 2**31}, "unknown"),
        ({"accepted": False}, "rejected"),
        ({"accepted": False, "error_code": 36024}, "rejected"),
        ({"accepted": True, "status": 2}, "delivered"),
        ({"processed": False, "status": -1}, "pending"),
    ],
)
def test_states(fields, state):
    assert report(**fields).state == state


def test_seen_is_what_the_account_says_it_is():
    seen = {"status": 2, "substatus": 24, "hyber_status": 24033}
    item = {"extra_id": "a", **seen}
    assert parse_report(item).state == ReportState.DELIVERED
    assert parse_report(item, seen_codes={24033}).state == ReportState.SEEN
    assert parse_reports([item], seen_codes={24033}).reports[0].state == ReportState.SEEN


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (1477417294667, TIME),
        ("1477417294667", TIME),
        (1477417294667.0, TIME),
        (1477417294.667, TIME),
        (1477417294, TIME.replace(microsecond=0)),
        ("1477417294", TIME.replace(microsecond=0)),
        (946_684_799, None),
        (946_684_800, datetime(2000, 1, 1, tzinfo=UTC)),
        (946_684_800_000, datetime(2000, 1, 1, tzinfo=UTC)),
        (4_102_444_799, datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (4_102_444_800, None),
        (4_102_444_800_000, None),
        (0, None),
        (-1477417294, None),
        (10**11 - 1, None),
        (10**400, None),
        (float("nan"), None),
        (float("inf"), None),
        ("yesterday", None),
        (None, None),
        (True, None),
        ([], None),
    ],
)
def test_times_are_milliseconds_or_seconds(time, expected):
    assert report(time=time).time == expected


@pytest.mark.parametrize(
    ("fields", "phone"),
    [
        ({"number": 380961111111}, "380961111111"),
        ({"number": "+38 (096) 111-11-11"}, "380961111111"),
        ({"phone_number": "380961111111"}, "380961111111"),
        ({"number": 380961111111.0}, "380961111111"),
        ({"number": None, "phone_number": "380961111111"}, "380961111111"),
        ({"number": "hidden"}, ""),
        ({"number": True}, ""),
        ({"number": "1" * 15}, "1" * 15),
        ({"number": "1" * 16}, ""),
        ({"number": "３８０９６１１１１１１１"}, ""),
        ({}, ""),
    ],
)
def test_phones_are_digits(fields, phone):
    assert report(**fields).phone_number == phone


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *[(5, 5), ("5", 5), (" -5 ", -5), (5.0, 5), (5.5, None), (True, None), ("5a", None), ("", None), ([], None)],
        *[
            (2**31 - 1, 2**31 - 1),
            (2**31, None),
            (-(2**31), -(2**31)),
            (-(2**31) - 1, None),
            ("9" * 30, None),
            (float("inf"), None),
        ],
    ],
)
def test_numbers_fit_their_columns_and_raw_keeps_what_came(value, expected):
    found = report(clicks=value, matching_template_id=value)
    assert (found.clicks, found.matching_template_id) == (expected, expected)
    if value != float("inf"):
        assert found.raw["clicks"] == value


@pytest.mark.parametrize(
    ("fields", "channel"),
    [
        ({"sent_via": "Viber"}, "viber"),
        ({"last_partner": "sms"}, "sms"),
        ({"delivered_via": "push"}, "push"),
        ({"sent_via": "hyber"}, ""),
        ({"sent_via": "a" * 16}, "a" * 16),
        ({"sent_via": "a" * 17}, ""),
        ({"sent_via": 5}, ""),
        ({}, ""),
    ],
)
def test_channels(fields, channel):
    assert report(**fields).channel == channel


@pytest.mark.parametrize("name", ["message_id", "extra_id", "number", "phone_number"])
def test_one_id_or_the_number_is_enough(name):
    found = parse_report({name: "380961111111", "status": 2})
    assert [found.message_id, found.extra_id, found.phone_number].count("380961111111") == 1
    assert found.state == ReportState.DELIVERED


@pytest.mark.parametrize(("job_id", "expected"), [("job", "job"), (5, "5"), (None, ""), ([], "")])
def test_report_may_name_its_job(job_id, expected):
    assert report(job_id=job_id).job_id == expected
    assert report().job_id == ""


def test_ids_of_the_greatest_length_are_read():
    found = parse_report({"message_id": "m" * 64, "extra_id": "e" * 64})
    assert (found.message_id, found.extra_id) == ("m" * 64, "e" * 64)


def test_ids_may_be_numbers():
    found = parse_report({"message_id": 12345, "extra_id": 678})
    assert (found.message_id, found.extra_id) == ("12345", "678")


@pytest.mark.parametrize(
    "item",
    [
        None,
        5,
        "text",
        [],
        {},
        {"status": 2},
        {"message_id": None, "extra_id": "", "number": "?"},
        {"extra_id": "a" * 65},
        {"extra_id": "a", "message_id": "b" * 65},
        {"extra_id": 10**5_000},
    ],
)
def test_what_is_no_report_is_said_to_be_none(item):
    with pytest.raises(UnreadableReport) as caught:
        parse_report(item)
    assert caught.value.reason


def nested(depth, wrap=lambda value: [value]):
    value = "a"
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"key": value}], ids=["arrays", "objects"])
def test_deep_nesting_is_refused_before_it_can_hurt(wrap):
    # MariaDB stores 31 levels; the report itself is the first.
    assert report(deep=nested(30, wrap)).extra_id
    for depth in (31, 5000):
        with pytest.raises(UnreadableReport, match="deeply"):
            report(deep=nested(depth, wrap))


def test_item_nested_too_deeply_for_python_is_kept_as_its_text():
    [(text, _reason)] = parse_reports([{"extra_id": "a", "deep": nested(5000), "Їжак": [{}, {"b": []}]}]).unreadable
    assert text == '{"extra_id": "a", "deep": ' + "[" * 5000 + '"a"' + "]" * 5000 + ', "Їжак": [{}, {"b": []}]}'


@pytest.mark.parametrize("junk", ["x" * 1_000_001, ["ж" * 100] * 10_000, {str(key): 1 for key in range(100_000)}])
def test_item_too_long_for_a_database_is_no_report_and_costs_no_neighbour(junk):
    body = [{"extra_id": "a", "junk": junk}, {"extra_id": "b", "junk": "ж" * 900_000}]
    reports, unreadable = parse_reports(body)
    assert [item.extra_id for item in reports] == ["b"]
    assert unreadable == [(body[0], "it is longer than 1000000 characters")]


def test_longest_item_that_is_read_has_a_million_characters():
    item = {"extra_id": "a", "junk": ""}
    item["junk"] = "x" * (1_000_000 - len(json.dumps(item)))

    assert parse_reports([item]).reports[0].raw == item
    assert parse_reports([item | {"junk": item["junk"] + "x"}]).reports == []


def test_one_bad_item_does_not_cost_its_neighbours():
    body = [{"extra_id": "a", "status": 2}, "bad\x00", {"extra_id": "b", "deep": nested(99)}, {"extra_id": "c"}]
    reports, unreadable = parse_reports(body)
    assert [item.extra_id for item in reports] == ["a", "c"]
    assert unreadable[0] == ("bad", "it is not an object")
    assert (json.loads(unreadable[1][0]), unreadable[1][1]) == (body[2], "it is nested too deeply")


def test_characters_that_postgresql_cannot_store_are_removed_everywhere():
    item = {
        "extra_id": "A\x00B",
        "error_text": "bad \ud83d end",
        "sent_via": "\x00sms",
        "k\x00ey": ["\x00", {"a": "їжак\x00"}],
        "number": float("nan"),
    }
    found = parse_report(item)
    assert (found.extra_id, found.error_text, found.channel) == ("AB", "bad \ufffd end", "sms")
    assert found.raw["key"] == ["", {"a": "їжак"}]
    assert found.raw["number"] is None
    assert json.dumps(found.raw, allow_nan=False, ensure_ascii=False).encode()
    assert "\\u0000" not in json.dumps(found.raw)


@pytest.mark.parametrize("item", [{"extra_id": "A\x00B", "clicks": 1}, {"extra_id": "AB", "\x00clicks": 1}])
def test_characters_that_postgresql_cannot_store_are_removed_from_ascii_too(item):
    found = parse_report(item)
    assert (found.extra_id, found.raw) == ("AB", {"extra_id": "AB", "clicks": 1})


def test_code_zero_is_no_error():
    found = report(status=3, hyber_status=35015, error_code=0)
    assert (found.error_code, found.hyber_status, found.state) == (None, 35015, ReportState.EXPIRED)


def test_a_split_emoji_is_whole_after_parsing_json():
    assert parse_report(json.loads('{"extra_id": "a", "error_text": "\\ud83d\\ude00"}')).error_text == "😀"


# The guide shows no advanced report of these kinds; the bodies are made up.
class TestAdvanced:
    ITEMS = ({"extra_id": "a", "last_partner": "viber"}, {"extra_id": "a", "last_partner": "sms"})

    def clicks(self, **fields):
        reports, _ = parse_reports({"reports": list(self.ITEMS), **fields})
        return [item.clicks for item in reports]

    def test_clicks_go_to_the_channel_that_delivered(self):
        assert self.clicks(delivered_via="viber", clicks=2) == [2, None]

    def test_clicks_go_to_the_last_channel_if_none_delivered(self):
        assert self.clicks(delivered_via="hyber", clicks=2) == [None, 2]
        assert self.clicks(clicks=0) == [None, 0]

    def test_clicks_of_a_channel_stay(self):
        reports, _ = parse_reports({"reports": [{"extra_id": "a", "clicks": 1}], "clicks": 5})
        assert reports[0].clicks == 1

    def test_without_clicks_there_are_none(self):
        assert self.clicks(delivered_via="viber") == [None, None]

    def test_nothing_tried_yet_is_nothing(self):
        assert parse_reports({"reports": [], "started": False, "clicks": 0}) == ([], [])

    def test_a_bad_entry_gets_no_clicks(self):
        assert parse_reports({"reports": [None], "clicks": 2}).unreadable == [(None, "it is not an object")]


@pytest.mark.parametrize("payload", [None, 5, "text", {"messages": None}, {"reports": "x"}])
def test_a_body_without_reports_is_one_unreadable_item(payload):
    reports, [(kept, reason)] = parse_reports(payload)
    assert (reports, kept) == ([], payload)
    assert reason


class TestFingerprint:
    ITEM = {"number": 380961111111, "extra_id": "a", "time": 1477417294667, "status": 2, "sent_via": "sms"}

    def test_the_same_fact_by_callback_and_by_get_is_the_same(self):
        callback = parse_report(self.ITEM)
        fetched = {
            "phone_number": "+380961111111",
            "extra_id": "a",
            "time": "1477417294667",
            "status": "2",
            "last_partner": "sms",
            "unknown_key": "of no matter",
        }
        assert fingerprint(callback) == fingerprint(parse_report(fetched))

    @pytest.mark.parametrize(
        "change",
        [
            {"number": "380961111112"},
            {"message_id": "m"},
            {"extra_id": "b"},
            {"time": 1477417294668},
            {"sent_via": "viber"},
            {"status": 3},
            {"substatus": 23},
            {"hyber_status": 23011},
            {"error_code": 36024},
            {"total_sms_parts": 1},
            {"delivered_sms_parts": 1},
            {"clicks": 1},
            {"matching_template_id": 7},
        ],
    )
    def test_another_fact_is_another(self, change):
        assert fingerprint(parse_report(self.ITEM)) != fingerprint(parse_report(self.ITEM | change))

    def test_accounts_are_apart(self):
        found = parse_report(self.ITEM)
        assert fingerprint(found, "default") != fingerprint(found, "promo")
        assert fingerprint(found) == fingerprint(found, "")

    def test_values_do_not_run_into_one_another(self):
        found = parse_report(self.ITEM)
        one, other = (
            replace(found, message_id="a', 'b", extra_id="c"),
            replace(found, message_id="a", extra_id="b', 'c"),
        )
        assert fingerprint(one) != fingerprint(other)

    def test_it_does_not_depend_on_the_process(self):
        assert fingerprint(parse_report(self.ITEM), "default") == FINGERPRINT


FINGERPRINT = "846b00697c310644ee590808874ecb21"


def test_reports_can_be_pickled():
    found = report(status=2, time=1477417294667)
    assert pickle.loads(pickle.dumps(found)) == found


@given(JSON | st.dictionaries(KEYS, JSON))
def test_nothing_that_json_can_say_upsets_the_parser(payload):
    reports, unreadable = parse_reports(payload)
    for item in reports:
        assert len(fingerprint(item)) == 32
        json.dumps(item.raw, allow_nan=False, ensure_ascii=False).encode()
    for item, _ in unreadable:
        json.dumps(item, allow_nan=False, ensure_ascii=False).encode()
