"""Masks for personal data. Ids, codes and times are not masked, because support needs them."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from typing import Any
from unicodedata import decimal

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

MASK = "•••••"

_OPERATOR_DIGITS = 2
_LAST_DIGITS = 2
_LEAST_HIDDEN = 4
_LONGEST_COUNTRY_CODE = 3
_LONGEST_PHONE = 15
#: Fields of requests, reports and replies (guide, chapters 2 to 6) without personal data.
_OPEN_FIELDS = frozenset(
    {
        *("message_id", "extra_id", "umid", "job_id", "matching_template_id", "callback_url"),
        *("status", "substatus", "hyber_status", "error_code", "accepted", "processing", "processed"),
        *("time", "start_time", "started", "ttl", "sent_via", "last_partner", "delivered_via", "channel", "channels"),
        *("total_sms_parts", "delivered_sms_parts", "clicks", "ctr", "device", "tag", "division_code", "alpha_name"),
    }
)
_PHONE_FIELDS = frozenset({"number", "phone", "phone_number"})
#: Written by the platform about the message; a number may be quoted in them.
_SENTENCE_FIELDS = frozenset({"error_text", "status_text"})
# In a text, the digits of a number may be separated by spaces, invisible marks, dashes, dots, slashes and brackets.
_SEPARATORS = r"(?:[\s()._+\-/\u00ad\u00b7\u200b-\u200f\u2010-\u2015\u2060-\u2069\u2212\ufeff]|%20){0,4}"
_HEX_DIGIT = "[0-9a-fA-F]"
_CLOCK = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#: What has as many digits as a phone number and is needed by support: UUIDs; hexadecimal ids, with digits between their
#: letters in three places at least, as chance makes them; dates; addresses of hosts.
_KEPT_WORDS = "|".join(
    (
        rf"{_HEX_DIGIT}{{8}}(?:-{_HEX_DIGIT}{{4}}){{3}}-{_HEX_DIGIT}{{12}}",
        rf"(?={_HEX_DIGIT}{{16,64}}+(?![^\W_]))(?=(?:[0-9]*+[a-fA-F]++){{3}}[0-9]){_HEX_DIGIT}++",
        rf"(?:19|20)[0-9]{{2}}-(?:0[1-9]|1[0-2])-[0-3][0-9](?:[T ]{_CLOCK})?",
        r"[0-3]?[0-9][./](?:0?[1-9]|1[0-2])[./](?:19|20)[0-9]{2}",
        rf"{_BYTE}(?:\.{_BYTE}){{3}}(?!\.[0-9])",
    )
)
# Within a word, too, digits can be a number: "tel380671234567". One with "+" may be short.
_IN_TEXT = re.compile(
    rf"(?P<kept>(?<![^\W_])(?:{_KEPT_WORDS})(?![^\W_]))"
    rf"|\+{_SEPARATORS}\d(?:{_SEPARATORS}\d){{6,}}|\(?\d(?:{_SEPARATORS}\d){{8,}}"
)
_WRITTEN_PHONE = re.compile(r"\+?[0-9]+")


def mask_phone(phone: str) -> str:
    """Return the number with only the country code, the operator code and the last two digits: ``38067•••••12``.

    Anything that is not a number is returned unchanged.
    """
    if not _WRITTEN_PHONE.fullmatch(phone):
        return phone
    plus, digits = ("+", phone[1:]) if phone.startswith("+") else ("", phone)
    country = _country_code_length(digits)
    shown = max(0, min(country + _OPERATOR_DIGITS, len(digits) - _LAST_DIGITS - _LEAST_HIDDEN))
    hidden = max(_LEAST_HIDDEN, len(digits) - shown - _LAST_DIGITS)
    last = digits[-_LAST_DIGITS:] if len(digits) > _LAST_DIGITS + _LEAST_HIDDEN else ""
    return f"{plus}{digits[:shown]}{'•' * hidden}{last}"


def mask_phones_in(text: str) -> str:
    """Mask phone numbers, however they are written, in a text without other personal data, such as an error text."""
    return _IN_TEXT.sub(_mask_found, text)


def _mask_found(found: re.Match[str]) -> str:
    if found["kept"]:
        return found[0]
    digits = "".join(str(decimal(character)) for character in found[0] if character.isdecimal())
    if len(digits) > _LONGEST_PHONE:
        # Several numbers, or one among codes.
        return MASK
    return mask_phone(f"+{digits}" if found[0].startswith("+") else digits)


def mask_text(text: str) -> str:
    """Return the mask for a text, or an empty string for an empty text."""
    return MASK if text else ""


def mask_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Mask the values of variables, and of their names only numbers: a file without headers makes names of them."""
    return {mask_phones_in(name): _mask(value) for name, value in values.items()}


def mask_payload(payload: Any) -> Any:
    """Mask a request, report or reply in wire format: everything but the fields that are known to be harmless."""
    if isinstance(payload, list):
        return [mask_payload(item) for item in payload]
    if isinstance(payload, Mapping):
        return {mask_phones_in(name): _mask_field(name, value) for name, value in payload.items()}
    return _mask(payload)


def describe_traceback(error: BaseException) -> str:
    """Return where an exception was raised, for a log, without any value.

    Error trackers add the variables of each function to an exception that is logged itself: bodies, numbers, tokens.
    Its text is left out too, because that of a database error may contain a row.
    """
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{frames}{type(error).__module__}.{type(error).__qualname__}"


def _mask_field(name: str, value: Any) -> Any:
    if isinstance(value, (list, Mapping)):
        is_list_of_names = name in _OPEN_FIELDS and isinstance(value, list) and all(map(_is_scalar, value))
        return value if is_list_of_names else mask_payload(value)
    if name in _OPEN_FIELDS:
        return value
    if name in _PHONE_FIELDS and isinstance(value, (str, int)):
        return _mask_phone_field(str(value))
    if name in _SENTENCE_FIELDS and isinstance(value, str):
        return mask_phones_in(value)
    return _mask(value)


def _mask_phone_field(text: str) -> str:
    return mask_phone(text) if _WRITTEN_PHONE.fullmatch(text) else mask_text(text)


def _mask(value: Any) -> Any:
    if isinstance(value, list):
        return [_mask(item) for item in value]
    if isinstance(value, Mapping):
        return mask_values(value)
    return value if value is None or isinstance(value, bool) or value == "" else MASK


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, (list, Mapping))


def _country_code_length(digits: str) -> int:
    lengths = range(1, _LONGEST_COUNTRY_CODE + 1)
    return next((length for length in lengths if int(digits[:length]) in COUNTRY_CODE_TO_REGION_CODE), 1)
