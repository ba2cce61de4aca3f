from __future__ import annotations

import json
import re
import time

import pytest

from django_hyber.protocol import (
    InvalidPhone,
    mask_payload,
    mask_phone,
    mask_phones_in,
    mask_text,
    mask_values,
    normalize_phone,
)
from tests.samples import sample


@pytest.mark.parametrize(
    ("phone", "masked"),
    [
        ("380671234512", "38067•••••12"),
        ("+380671234512", "+38067•••••12"),
        ("12025550123", "120••••••23"),
        ("1234567", "1••••67"),
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
    ],
)
@pytest.mark.parametrize(
    "text", ["{}", "No route to {}.", "{}-blocked", "number={};", "_{}_", "36024 {} 36024", "({})", "№{}"]
)
def test_a_number_in_a_text_is_masked_however_it_is_written(written, text):
    masked = mask_phones_in(text.format(written))

    digits = re.sub(r"\D", "", masked)
    assert "1234512" not in digits
    assert "•" in masked


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-29 12:30:45", "until 2026-11-29T12:30", "29.11.2026 12:30", "192.168.100.200:8000", "code 36024"),
        *("1b4e28ba-2fa1-11d2-883f-380671234512", "3 of 50,000", "abc380671234512def"),
    ],
)
def test_what_is_no_number_stays(text):
    assert mask_phones_in(text) == text


def test_masking_a_long_text_takes_time_in_proportion_to_it():
    hostile = "1 " * 20_000 + "-" * 20_000 + "1.1" * 20_000 + "+(" * 20_000
    began = time.perf_counter()
    mask_phones_in(hostile)

    assert time.perf_counter() - began < 2


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
