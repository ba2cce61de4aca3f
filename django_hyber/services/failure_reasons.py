"""Why messages of a campaign did not arrive, grouped so that a person can do something about it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Case, Count, F, Max, Value, When
from django.utils.translation import gettext

from django_hyber.engine.ranks import FAILURES
from django_hyber.models import Campaign, Message
from django_hyber.services.lookups import describe_code
from django_hyber.services.masking import mask_phones_in

#: So many kinds of failure are shown; a platform that writes the number into the text would make one of each message.
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
    def is_retryable(self) -> bool:
        """Say whether these may be sent again; nobody is who has been left out on purpose."""
        return self.status in FAILURES


@dataclass(frozen=True, kw_only=True)
class FailureReasons:
    """The most frequent reasons, and how many messages have others."""

    reasons: list[FailureReason]
    others: int


def failure_reasons(
    campaign: Campaign, statuses: Collection[str] = LEFT_OUT, *, masked: bool = False
) -> FailureReasons:
    """Group the failures by code in one query; ``masked`` hides the numbers that the platform's texts may hold."""
    text = Case(When(error_code=None, then=F("error_text")), default=Value(""))
    failed = campaign.messages.filter(status__in=statuses).order_by()
    grouped = failed.values_list("status", "error_code", text).annotate(count=Count("pk"), text=Max("error_text"))
    rows = list(grouped.order_by("-count", "status", "error_code"))
    shown = [_reason(campaign, *row, masked=masked) for row in rows[:SHOWN_REASONS]]
    return FailureReasons(reasons=shown, others=sum(count for _, _, _, count, _ in rows[SHOWN_REASONS:]))


def _reason(
    campaign: Campaign, status: str, code: int | None, own_text: str, count: int, text: str, *, masked: bool
) -> FailureReason:
    told = gettext(text) if text else ""
    meaning = describe_code(code, campaign.account) or (mask_phones_in(told) if masked else told)
    return FailureReason(status=status, code=code, text=own_text, meaning=meaning, count=count)
