"""Names and texts for people: channels, options, codes, reports, accounts; and phone numbers as people type them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import phonenumbers
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_hyber.codes import find_for_reading
from django_hyber.conf import find_accounts
from django_hyber.models import CampaignChannel, DeliveryReport, Message
from django_hyber.protocol import DeliveryReport as ParsedReport
from django_hyber.protocol import (
    InvalidPhone,
    NumberType,
    Problem,
    ReportState,
    UnreadableReport,
    describe,
    normalize_phone,
    parse_report,
)
from django_hyber.protocol.phones.spellings import GivenPhone, written_in_full
from django_hyber.reports.ranks import DELIVERIES
from django_hyber.words.reasons import translate_reason

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise  # a name of the stubs only

MAX_PHONE_DIGITS = 15
STATE_TEXTS = {
    ReportState.PENDING: _("on its way"),
    ReportState.DELIVERED: _("delivered"),
    ReportState.SEEN: _("seen"),
    ReportState.EXPIRED: _("not delivered in time"),
    ReportState.UNDELIVERED: _("not delivered"),
    ReportState.REJECTED: _("refused by the platform"),
    ReportState.UNKNOWN: _("a status that is not documented"),
}

CHANNEL_NAMES = dict(CampaignChannel.Name.choices)
#: The labels of the options, in the order of the form.
LABELS: Mapping[str, str | StrPromise] = {
    "text": _("Text"),
    "title": _("Title"),
    "alpha_name": _("Alpha name (sender)"),
    "img": _("Image link"),
    "img_name": _("Text under the image"),
    "caption": _("Button text"),
    "action": _("Button link"),
    "ttl": _("Try for (TTL, seconds)"),
    "ctr": _("Track clicks"),
    "file_name": _("File name"),
    "thumbnail": _("Video preview link"),
    "file_size": _("Video size, megabytes"),
    "duration": _("Video length, seconds"),
    "doc": _("Document link"),
    "doc_name": _("Text under the document"),
    "audio": _("Audio link"),
    "video": _("Video link"),
    "video_name": _("Text under the video"),
    "latitude": _("Latitude"),
    "longitude": _("Longitude"),
    "device": _("Devices"),
}

#: The types of phone numbers, in the plural.
NUMBER_TYPES: Mapping[str, StrPromise] = {
    NumberType.MOBILE: _("mobile numbers"),
    NumberType.FIXED_LINE_OR_MOBILE: _("mobile numbers or landlines"),
    NumberType.VOIP: _("numbers of internet telephony"),
    NumberType.PERSONAL_NUMBER: _("personal numbers"),
    NumberType.FIXED_LINE: _("landlines"),
    NumberType.TOLL_FREE: _("toll-free numbers"),
    NumberType.PREMIUM_RATE: _("premium-rate numbers"),
    NumberType.SHARED_COST: _("shared-cost numbers"),
    NumberType.PAGER: _("pagers"),
    NumberType.UAN: _("numbers of companies"),
    NumberType.VOICEMAIL: _("voicemail boxes"),
    NumberType.UNKNOWN: _("numbers of an unknown type"),
}


def home_region() -> str | None:
    """Return the region for numbers that belong to no account: that of the first readable account."""
    return next((account.default_region for account in find_accounts()), None)


def clean_phone(typed: GivenPhone) -> str:
    """Return the digits of a phone number in any notation. Raises ValidationError in the reader's language."""
    try:
        return normalize_phone(typed, home_region())
    except InvalidPhone as error:
        raise ValidationError(gettext(error.reason), code="phone-number") from None


def phone_candidates(given: GivenPhone) -> set[str]:
    """Return the numbers to search for: the typed one by the region of every account, and its bare digits."""
    typed = written_in_full(given) if isinstance(given, phonenumbers.PhoneNumber) else str(given)
    found = set()
    for region in {account.default_region for account in find_accounts()}:
        try:
            # A search may guess: it only finds what is there.
            found.add(normalize_phone(typed, region, foreign=True))
        except InvalidPhone:
            continue
    return found | ({bare_digits(typed)} - {""})


def bare_digits(typed: str) -> str:
    """Return the digits of what may be a phone number that no rule knows, or ""."""
    digits = "".join(character for character in typed if character.isascii() and character.isdigit())
    return "" if len(digits) > MAX_PHONE_DIGITS or any(map(str.isalpha, typed)) else digits


def describe_code(code: int | None, account: str) -> str:
    """Return the meaning of a detailed status or error code in the reader's language, or "" if unknown."""
    if code is None:
        return ""
    configured = find_for_reading(account)
    text = describe(code, configured.code_names if configured else {})
    return gettext(text) if text else ""


def describe_end(code: int | None, text: str, account: str) -> str:
    """Return why a message ended as it did, in the reader's language: the stored text, else the meaning of the code.

    Our own reasons and the platform's documented texts are stored in English (``reasons``).
    """
    return translate_reason(text) if text else describe_code(code, account)


def is_partial(message: Message) -> bool:
    """Return whether some parts of a delivered SMS are missing."""
    if message.status not in DELIVERIES or message.channel not in {"", CampaignChannel.Name.SMS}:
        return False
    return (message.delivered_sms_parts or 0) < (message.total_sms_parts or 0)


def describe_report(report: DeliveryReport) -> str:
    """Return the text of a stored report in the reader's language."""
    configured = find_for_reading(report.account)
    try:
        parsed = parse_report(report.raw, seen_codes=configured.seen_codes if configured else ())
    except UnreadableReport:
        return ""
    return describe_parsed(parsed, report.account)


def describe_parsed(report: ParsedReport, account: str) -> str:
    """Return the text of a parsed report in the reader's language."""
    state = str(STATE_TEXTS[report.state])
    detail = describe_code(report.code, account) or report.error_text
    return f"{state}: {detail}" if detail and detail.casefold() != state else state


def label_of(name: str) -> str | StrPromise:
    """Return the label of an option."""
    return LABELS.get(name, name)


def place_of(problem: Problem) -> str:
    """Return where a problem is, as in "Viber, Button link", or "" for the whole campaign."""
    parts = [CHANNEL_NAMES.get(problem.channel, problem.channel), problem.field and label_of(problem.field)]
    return ", ".join(str(part) for part in parts if part)


def problem_text(problem: Problem) -> str:
    """Return a problem in the reader's language, with the labels of the form for field names."""
    other = problem.params.get("other")
    named = replace(problem, params={**problem.params, "other": f"“{label_of(other)}”"}) if other else problem
    return gettext(named.template) % named.params


def name_of_channel(channel: str) -> str:
    """Return the label of a channel; an unknown channel keeps the platform's name."""
    return str(CHANNEL_NAMES.get(channel, channel))
