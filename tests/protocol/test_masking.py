from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from django_hyber.protocol import (
    InvalidPhone,
    mask_payload,
    mask_phone,
    mask_phones_in,
    mask_text,
    mask_values,
    normalize_phone,
)
from django_hyber.protocol.masking import describe_traceback
from tests.samples import sample

#: What may stand before and after a number.
AROUND = [
    *("{}", "No route to {}.", "{}-blocked", "number={};", "_{}_", "36024 {} 36024", "({})", "№{}"),
    *("tel{}", "id{}x", "телефон{}", "to{}@sms.example", "people-{}.csv", "a%20{}%20b", "\\u0442{}\\n", "fa{}de"),
]


@pytest.mark.parametrize(
    ("phone", "masked"),
    [
        ("380671234512", "38067•••••12"),
        ("+380671234512", "+38067•••••12"),
        ("12025550123", "120••••••23"),
        ("1234567", "1••••67"),
        ("123456", "••••"),
        ("999123456789", "999•••••••89"),
        ("12", "••••"),
        ("x1z", "x1z"),
        ("", ""),
    ],
)
def test_country_operator_and_last_digits_of_a_phone_stay(phone, masked):
    assert mask_phone(phone) == masked


def test_a_masked_phone_is_no_phone():
    with pytest.raises(InvalidPhone):
        normalize_phone(mask_phone("380671234512"))


def test_a_phone_inside_a_text_is_masked_and_an_id_is_not():
    text = "Number +380671234512 is wrong, id 1b4e28ba-2fa1-11d2-883f-380671234512"

    assert mask_phones_in(text) == "Number +38067•••••12 is wrong, id 1b4e28ba-2fa1-11d2-883f-380671234512"


@pytest.mark.parametrize(
    "written",
    [
        *(
            "380671234512",
            "+380671234512",
            "+380 67 123 45 12",
            "+38 (067) 123-45-12",
            "(067) 123 45 12",
            "067-123-45-12",
        ),
        *(
            "067.123.45.12",
            "067/123/45/12",
            "380\u00a067\u00a0123\u00a045\u00a012",
            "38067\u200b1234512",
            "067–123–45–12",
        ),
        *("３８０６７１２３４５１２", "0671234512", "671234512", "+ 380671234512", "380\n671234512"),
        *(
            "380_67_123_45_12",
            "+380+67+123+45+12",
            "%2B380%2067%20123%2045%2012",
            "380 - (67) - 123 45 12",
            "067−123−45−12",
        ),
    ],
)
def test_a_number_in_a_text_is_masked_however_it_is_written(written):
    for text in AROUND:
        masked = mask_phones_in(text.format(written))

        assert "1234512" not in re.sub(r"\D", "", masked), text
        assert "•" in masked, text


@pytest.mark.parametrize("text", ["+3725123", "call +372 51 23 now", "x+3725123x"])
def test_a_short_number_is_masked_when_it_has_its_plus(text):
    assert "123" not in re.sub(r"\D", "", mask_phones_in(text))


@pytest.mark.parametrize(
    "text", ["380.671.234.512", "0671-23-45 12", "38.05.0123 4567", "50.12.3456 789", "1.2.3.4.5.67.89"]
)
def test_a_number_that_looks_like_a_date_or_an_address_is_masked(text):
    assert "•" in mask_phones_in(text)


#: What people, programs and addresses put between digits, and around a number.
between = st.sampled_from(["", "", "", " ", "-", ".", "/", "_", "+", " - ", ") ", " (", "\u00a0", "\u200b", "–", "%20"])
around = st.text(st.characters(exclude_categories=("Nd", "Cs")), max_size=12)


@st.composite
def written_numbers(draw):
    """A number of 9 to 15 digits, and a way to write it."""
    digits = draw(st.text("0123456789", min_size=9, max_size=15))
    gaps = [draw(between) for _gap in digits[1:]]
    return digits, draw(st.sampled_from(["", "+", "00", "("])) + digits[0] + "".join(map(str.__add__, gaps, digits[1:]))


@given(written_numbers(), around, around)
@example(("380671234512", "380671234512"), "tel", "x")
@example(("671234512", "671234512"), "%", "")
def test_wherever_a_number_is_and_however_it_is_written_half_of_it_is_hidden(number, before, after):
    digits, written = number
    # With dots, dashes or slashes, it can be a date or the address of a host.
    assume(set(".-/").isdisjoint(written) or mask_phones_in(written) != written)
    masked = re.sub(r"[^0-9]", "", mask_phones_in(f"{before}{written}{after}").replace("%20", ""))

    assert len(masked) <= len(digits) + 2 - 4
    assert digits[-7:] not in masked


@given(st.uuids(), st.integers(0, 4_000_000_000), st.ip_addresses(v=4), st.randoms())
def test_ids_times_and_addresses_of_hosts_stay(some_id, seconds, host, chance):
    own_id, moment = chance.randbytes(12).hex(), datetime.fromtimestamp(seconds, UTC)
    assume(len(re.findall(r"[a-f]+(?=[0-9])", own_id)) > 2)
    text = f"{some_id} {own_id} [{moment.isoformat()}] {moment:%Y-%m-%d %H:%M}; {moment:%d.%m.%Y}, {host}:8000"

    assert mask_phones_in(text) == text


def test_a_number_among_the_names_of_values_is_masked():
    masked = [mask_values({"tel380671234512": "x"}), mask_payload({"deep": {"380671234512": [{"n380671234512": 1}]}})]

    assert "671234512" not in json.dumps(masked)


def test_a_number_in_the_words_of_the_platform_is_masked():
    masked = mask_payload({"status_text": "Absent: id380671234512x", "error_text": "tel380671234512 is wrong"})

    assert masked == {"status_text": "Absent: id38067•••••12x", "error_text": "tel38067•••••12 is wrong"}


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-29 12:30:45", "until 2026-11-29T12:30", "29.11.2026 12:30", "192.168.100.200:8000", "code 36024"),
        *(
            "2026-11-29T12:30:45.123456789+02:00",
            "2026-11-29T12:30:45Z 36024",
            "1/7/2026, 255.255.255.255",
            "20261129T123045",
        ),
        *("1b4e28ba-2fa1-11d2-883f-380671234512", "msg_1b4e28ba-2fa1-11d2-883f-380671234512", "3 of 50,000"),
        *("d41d8cd98f00b204e9800998ecf8427e", "order 4f2a01234567890b3c5d6e7f", "36024, 36025, 36026", "AD-6640-7006"),
    ],
)
def test_what_is_no_number_stays(text):
    assert mask_phones_in(text) == text


def test_masking_a_long_text_takes_time_in_proportion_to_it():
    def seconds(size):
        hostile = "".join(piece * size for piece in ("1 ", "-", "1.1", "+(", "a1", "f", "%20", "1-", " 12.12.", "9"))
        began = time.process_time()
        mask_phones_in(hostile)
        return time.process_time() - began

    # The least of several runs, because other work of the machine only adds to it.
    short, long = (min(seconds(size) for _run in range(5)) for size in (625, 5_000))

    # Eight times as long; a pattern that goes back would take 64 times.
    assert long < 24 * short


@pytest.mark.parametrize(
    ("digits", "masked"), [("380671234512345", "38067••••••••45"), ("3806712345123456", "•••••"), ("1" * 40, "•••••")]
)
def test_more_digits_than_a_number_has_are_hidden_altogether(digits, masked):
    assert mask_phones_in(f"No route to {digits}.") == f"No route to {masked}."


def test_every_item_of_a_body_is_masked():
    body = [{"status": 2, "text": "Hi"}, [{"number": "380671234512"}], "Hi", 4711, None, True]

    assert mask_payload(body) == [
        {"status": 2, "text": "•••••"},
        [{"number": "38067•••••12"}],
        "•••••",
        "•••••",
        None,
        True,
    ]


def test_a_described_traceback_has_its_places_and_kind_and_no_value():
    def fail(number):
        raise InvalidPhone(number)

    phone = "380671234512"
    with pytest.raises(InvalidPhone) as caught:
        fail(phone)
    described = describe_traceback(caught.value)

    assert described.startswith("Traceback (most recent call last):\n  File ")
    assert described.count("  File ") == described.count("\n  File ") == 2
    assert "in fail\n" in described
    assert described.endswith("\ndjango_hyber.protocol.phones.spellings.InvalidPhone")
    assert "38067" not in described


def test_a_text_is_masked_whatever_its_length():
    assert mask_text("Hi") == mask_text("Dear Olena, your code is 4821") != ""
    assert mask_text("") == ""


def test_names_of_variables_stay_and_values_do_not():
    values = {"name": "Olena", "code": 4821, "tags": ["vip"], "more": {"city": "Lviv"}, "empty": "", "member": True}

    masked = mask_values(values)

    assert masked.keys() == values.keys()
    assert not any(secret in json.dumps(masked) for secret in ("Olena", "4821", "vip", "Lviv"))
    assert (masked["empty"], masked["member"]) == ("", True)


@pytest.mark.parametrize(
    ("name", "secrets"),
    [
        ("doc_dr_callback_single", ["380961111111"]),
        ("doc_reply_viber_text", ["Reply from viber user", "380951234567"]),
        ("doc_reply_viber_media", ["http"]),
        ("seed_single_01", ["380961111111"]),
    ],
)
def test_of_a_payload_only_what_is_harmless_stays(name, secrets):
    payload = sample(name)
    masked = json.dumps(mask_payload(payload), ensure_ascii=False)

    assert any(secret in json.dumps(payload, ensure_ascii=False) for secret in secrets)
    assert not any(secret in masked for secret in secrets)


def test_ids_codes_and_times_of_a_report_stay():
    report = sample("doc_dr_callback_single")
    kept = set(report) - {"number", "phone_number"}

    masked = mask_payload(report)

    assert {name: masked[name] for name in kept} == {name: report[name] for name in kept}


@pytest.mark.parametrize("name", ["number", "phone", "phone_number"])
def test_of_a_phone_in_a_payload_as_much_is_shown_as_elsewhere(name):
    assert mask_payload({name: "380671234512"}) == {name: mask_phone("380671234512")}


@pytest.mark.parametrize(
    ("written", "masked"),
    [
        (380671234512, "38067•••••12"),
        ("+380671234512", "+38067•••••12"),
        ("+38 (067) 123-45-12", "•••••"),
        ("Olena", "•••••"),
        ("", ""),
        (None, None),
        (["380671234512"], ["•••••"]),
    ],
)
def test_a_phone_in_a_payload_that_is_written_in_another_way_is_hidden(written, masked):
    assert mask_payload({"phone": written}) == {"phone": masked}


def test_what_is_not_known_to_be_harmless_is_hidden():
    payload = {"note": "Olena", "amount": 5, "survey_options": ["Olena", "", 1], "channels": [{"text": "Hi"}]}

    assert mask_payload(payload) == {
        "note": "•••••",
        "amount": "•••••",
        "survey_options": ["•••••", "", "•••••"],
        "channels": [{"text": "•••••"}],
    }
    assert mask_values({"tags": ["Olena", "", None], "more": {"tags": ["Lviv"]}}) == {
        "tags": ["•••••", "", None],
        "more": {"tags": ["•••••"]},
    }


def test_texts_of_a_request_are_masked_and_channels_stay():
    content = {
        "channels": ["viber", "sms"],
        "channel_options": {"viber": {"text": "Your code", "ttl": 60}, "sms": {"text": "Code", "alpha_name": "Shop"}},
        "greeting": "Dear Olena",
    }

    masked = mask_payload(content)

    assert masked["channels"] == ["viber", "sms"]
    assert masked["channel_options"]["sms"]["alpha_name"] == "Shop"
    assert masked["channel_options"]["viber"]["ttl"] == 60
    assert not any(text in json.dumps(masked) for text in ("code", "Code", "Olena"))
