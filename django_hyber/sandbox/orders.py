"""Validation of the JSON of a POST, which gives an order and its recipients (guide, chapters 2 and 3)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django_hyber.sandbox.answers import ParameterError, phone_error
from django_hyber.sandbox.channels import (
    MAX_SMS_SEGMENTS,
    RULES,
    RequestedChannel,
    TextTemplate,
    check_options,
    check_text,
    sms_segments,
    with_short_links,
)
from django_hyber.sandbox.number_outcomes import outcome_for

RequestKind = Literal["single", "batch", "broadcast"]

MAX_RECIPIENTS: Final = 50_000
_RECIPIENTS_KEY: Final = {"batch": "messages", "broadcast": "recipients"}
_TOP_LEVEL_LENGTHS: Final = {"callback_url": 256, "tag": 64, "division_code": 100, "start_time": 25}
_EXTRA_ID_LENGTH: Final = 64
_PHONE = re.compile(r"[1-9][0-9]{6,14}")
_START_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d([+-]\d\d:\d\d)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Order:
    """The common options of the messages of a request. `start_at` is in epoch seconds."""

    kind: RequestKind
    channels: tuple[RequestedChannel, ...]
    callback_url: str | None
    start_at: float


class ValidRecipient(NamedTuple):
    """A valid recipient."""

    phone: int
    extra_id: str | None
    sms_parts: int


@dataclass(frozen=True, kw_only=True)
class Request:
    """A valid request. `refused` has the rejected entries of a mass request, with their errors."""

    order: Order
    recipients: list[ValidRecipient]
    refused: list[dict[str, object]]
    first_phone: str
    first_key: str


class _VariableText(NamedTuple):
    channel: str
    name: str
    template: TextTemplate


class _Content(NamedTuple):
    """Texts that differ between recipients, and the SMS: its template, or its parts if all recipients get the same."""

    fields: list[_VariableText]
    sms: TextTemplate | None
    sms_parts: int
    sms_ctr: bool


def read_request(kind: RequestKind, data: object) -> Request:
    """Validate a request body. Raises ParameterError for an invalid single message or mass request."""
    if not isinstance(data, dict):
        raise ParameterError("the body must be a JSON object")
    entries = _entries(kind, data)
    order, content = _read_order(kind, data)
    recipients, refused = _sort_out(entries, content, reraise=kind == "single")
    first_phone = str(entries[0].get("phone_number"))
    first_key = str(entries[0].get("extra_id", first_phone))
    return Request(order=order, recipients=recipients, refused=refused, first_phone=first_phone, first_key=first_key)


def _entries(kind: RequestKind, data: dict[str, Any]) -> list[dict[str, Any]]:
    if kind == "single":
        return [data]
    key = _RECIPIENTS_KEY[kind]
    entries = data.get(key)
    if not isinstance(entries, list) or not entries:
        raise ParameterError(f"{key} is mandatory and must be a list of recipients")
    if len(entries) > MAX_RECIPIENTS:
        raise ParameterError(f"{key} has {len(entries)} entries, {MAX_RECIPIENTS} are allowed")
    if not all(type(entry) is dict for entry in entries):
        raise ParameterError(f"{key} must hold objects only")
    return entries


def _read_order(kind: RequestKind, data: Mapping[str, Any]) -> tuple[Order, _Content]:
    for name, limit in _TOP_LEVEL_LENGTHS.items():
        _check_top_level(name, data.get(name, ""), limit)
    options = _channel_options(kind, data)
    order = Order(
        kind=kind,
        channels=tuple(_channel(kind, name, options[name]) for name in options),
        callback_url=_callback_url(data.get("callback_url")),
        start_at=_start_at(data.get("start_time")),
    )
    return order, _content(kind, options)


def _check_top_level(name: str, value: object, limit: int) -> None:
    if not isinstance(value, str):
        raise ParameterError(f"{name} must be a string")
    if len(value) > limit:
        raise ParameterError(f"{name} has {len(value)} characters, {limit} are allowed")


def _channel_options(kind: RequestKind, data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    names, options = data.get("channels"), data.get("channel_options")
    if not isinstance(names, list) or not names:
        raise ParameterError("channels is mandatory and must be a list of channel names")
    if unknown := [name for name in names if not isinstance(name, str) or name not in RULES]:
        raise ParameterError(f"channels: {str(unknown[0])[:20]!r} is not a channel")
    if len(set(names)) < len(names):
        raise ParameterError("channels must not repeat a channel")
    if not isinstance(options, dict):
        raise ParameterError("channel_options is mandatory and must be an object")
    if missing := [name for name in names if not isinstance(options.get(name), dict)]:
        raise ParameterError(f"channel_options.{missing[0]} is mandatory and must be an object")
    return {name: _checked_options(kind, name, options[name]) for name in names}


def _checked_options(kind: RequestKind, channel: str, options: dict[str, Any]) -> dict[str, Any]:
    if kind == "batch":
        if "text" in options:
            raise ParameterError(f"channel_options.{channel}.text: in a batch the text belongs to each recipient")
        # A batch is processed as a broadcast whose text is the variable %text%.
        options = options | {"text": "%text%"}
    check_options(channel, options)
    return options


def _channel(kind: RequestKind, name: str, options: Mapping[str, Any]) -> RequestedChannel:
    content = RULES["viber"].lengths.keys() - {"alpha_name", "device"}
    template = name == "viber" and options.keys() & content == {"text"}
    ttl = int(options["ttl"]) if isinstance(options["ttl"], str) else options["ttl"]
    return RequestedChannel(name=name, ttl=ttl, ctr=options.get("ctr", False), template=template)


def _callback_url(url: str | None) -> str | None:
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ParameterError("callback_url must be an http or https URL")
    return url


def _start_at(value: str | None) -> float:
    if value is None:
        return 0.0
    match = _START_TIME.fullmatch(value)
    if not match:
        raise ParameterError("start_time must look like 2030-12-31 23:59:59+02:00")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ParameterError("start_time is not a date and time of the calendar") from None
    return (moment if match[1] else moment.replace(tzinfo=ZoneInfo("Europe/Kyiv"))).timestamp()


def _content(kind: RequestKind, options: dict[str, dict[str, Any]]) -> _Content:
    fields = []
    for channel, values in options.items():
        for name in RULES[channel].lengths.keys() & values.keys():
            template = _template(kind, name, values[name])
            if template.names:
                fields.append(_VariableText(channel, name, template))
            else:
                check_text(channel, name, values[name])
    sms = options.get("sms", {"text": ""})
    ctr = sms.get("ctr", False)
    # The text of an SMS has no limit in characters. It is rendered only to count its parts.
    sms_text = next((field.template for field in fields if field[:2] == ("sms", "text")), None)
    fields = [field for field in fields if field[:2] != ("sms", "text")]
    return _Content(fields, sms_text, 0 if sms_text else _count_parts(sms["text"], ctr=ctr), ctr)


def _template(kind: RequestKind, name: str, value: str) -> TextTemplate:
    if kind == "broadcast" or (kind == "batch" and name == "text"):
        return TextTemplate.compile(value)
    return TextTemplate(value, ())


def _sort_out(
    entries: Iterable[dict[str, Any]], content: _Content, *, reraise: bool
) -> tuple[list[ValidRecipient], list[dict[str, object]]]:
    recipients, refused = [], []
    for entry in entries:
        try:
            recipients.append(_recipient(entry, content))
        except ParameterError as error:
            if reraise:
                raise
            refused.append(_refusal(entry, error))
    return recipients, refused


def _recipient(entry: dict[str, Any], content: _Content) -> ValidRecipient:
    phone = _phone(entry)
    extra_id = _extra_id(entry)
    for channel, name, template in content.fields:
        check_text(channel, name, template.render(entry))
    if content.sms is None:
        return ValidRecipient(phone, extra_id, content.sms_parts)
    text = content.sms.render(entry)
    if not text:
        raise ParameterError("channel_options.sms.text must not be empty")
    return ValidRecipient(phone, extra_id, _count_parts(text, ctr=content.sms_ctr))


def _phone(entry: dict[str, Any]) -> int:
    if "phone_number" not in entry:
        raise ParameterError("phone_number is mandatory")
    value = entry["phone_number"]
    digits = str(value) if type(value) is int else value
    if type(digits) is not str or not _PHONE.fullmatch(digits) or outcome_for(digits).name == "rejected":
        raise phone_error()
    return int(digits)


def _extra_id(entry: dict[str, Any]) -> str | None:
    if "extra_id" not in entry:
        return None
    # The vendor's PHP client sends an integer.
    extra_id = str(entry["extra_id"]) if type(entry["extra_id"]) is int else entry["extra_id"]
    if type(extra_id) is not str or not 0 < len(extra_id) <= _EXTRA_ID_LENGTH:
        raise ParameterError(f"extra_id must be a string of 1 to {_EXTRA_ID_LENGTH} characters, or an integer")
    return extra_id


def _count_parts(text: str, *, ctr: bool) -> int:
    parts = sms_segments(with_short_links(text) if ctr else text)
    if parts > MAX_SMS_SEGMENTS:
        raise ParameterError(f"channel_options.sms.text takes {parts} segments, {MAX_SMS_SEGMENTS} are allowed")
    return parts


def _refusal(entry: dict[str, Any], error: ParameterError) -> dict[str, object]:
    echo = {"extra_id": str(entry["extra_id"])} if "extra_id" in entry else {}
    phone = {"phone_number": str(entry["phone_number"])} if "phone_number" in entry else {}
    return {"processed": False, **phone, **echo, "accepted": False, **error.as_dict()}
