"""Why messages of a campaign were not delivered, grouped by reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, F, Max, Value, When

from django_hyber.models import Campaign, Message
from django_hyber.privacy import mask_phones_in
from django_hyber.protocol import PERMANENT_CODES
from django_hyber.reports.ranks import FAILURES
from django_hyber.words import describe_code
from django_hyber.words.reasons import translate_reason

#: How many reasons are shown: if the platform puts the phone number into the text, each message has its own.
SHOWN_REASONS = 25
LEFT_OUT = (*FAILURES, Message.Status.SUPPRESSED)


@dataclass(frozen=True, kw_only=True)
class FailureReason:
    """A status and a code, or without a code a text, and how many messages ended so. ``meaning`` is in plain words."""

    status: str
    code: int | None
    text: str
    meaning: str
    count: int

    @property
    def is_unknown(self) -> bool:
        """Whether the code is given, but nobody has said what it means."""
        return self.code is not None and not self.meaning

    @property
    def is_permanent(self) -> bool:
        """Whether another attempt fails for the same reason."""
        return self.code in PERMANENT_CODES


@dataclass(frozen=True, kw_only=True)
class FailureReasons:
    """The most frequent reasons, and how many messages have others."""

    reasons: list[FailureReason]
    others: int


def failure_reasons(campaign: Campaign, *, masked: bool = False) -> FailureReasons:
    """Group the failures by code in one query; ``masked`` hides the numbers that the platform's texts may hold."""
    text = Case(When(error_code=None, then=F("error_text")), default=Value(""))
    failed = campaign.messages.filter(status__in=LEFT_OUT).order_by()
    rows = list(_grouped(failed.values_list("status", "error_code", text)))
    shown = [_reason(campaign, *row, masked=masked) for row in rows[:SHOWN_REASONS]]
    return FailureReasons(reasons=shown, others=sum(row[3] for row in rows[SHOWN_REASONS:]))


def retryable_reasons(campaign: Campaign, *, masked: bool = False) -> list[FailureReason]:
    """Group the messages that can be retried by status and code, without purged ones."""
    failed = campaign.messages.not_purged().filter(status__in=FAILURES).order_by()
    rows = _grouped(failed.values_list("status", "error_code", Value("")))
    return [_reason(campaign, *row, masked=masked) for row in rows]


def _grouped(columns: Any) -> Any:
    return columns.annotate(count=Count("pk"), text=Max("error_text")).order_by("-count", "status", "error_code")


def _reason(
    campaign: Campaign, status: str, code: int | None, own_text: str, count: int, text: str, *, masked: bool
) -> FailureReason:
    shown = translate_reason(text)
    meaning = describe_code(code, campaign.account) or (mask_phones_in(shown) if masked else shown)
    return FailureReason(status=status, code=code, text=own_text, meaning=meaning, count=count)
