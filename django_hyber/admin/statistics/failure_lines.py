"""Why messages of a campaign failed, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from django.utils.translation import gettext as _

from django_hyber.admin.common.charts import percent
from django_hyber.admin.common.desk import CampaignDesk
from django_hyber.admin.common.times import EMPTY
from django_hyber.models import Message
from django_hyber.statistics.failures import FailureReason, failure_reasons


class FailureLine(NamedTuple):
    """A reason for failure, with the address of its messages if the user may see them."""

    reason: FailureReason
    text: str
    code: str
    status: str
    share: str
    url: str


def failure_lines(desk: CampaignDesk, total: int) -> tuple[list[FailureLine], int]:
    """Return the most frequent reasons for failure of ``total`` messages, and how many messages have others."""
    found = failure_reasons(desk.campaign, masked=not desk.sees_personal_data)
    return [_failure_line(desk, reason, total) for reason in found.reasons], found.others


def _failure_line(desk: CampaignDesk, reason: FailureReason, total: int) -> FailureLine:
    conditions: Mapping[str, object] = {"status__exact": reason.status, "error_code__exact": reason.code}
    if reason.code is None:
        conditions = {"status__exact": reason.status, "error_code__isnull": True, "error_text__exact": reason.text}
    # The text may contain a phone number: only users who may see numbers filter by it.
    may_filter = reason.code is not None or desk.sees_personal_data
    url = desk.messages_url(**conditions) if may_filter and desk.may_see_messages else ""
    code = EMPTY if reason.code is None else str(reason.code)
    status = str(Message.Status(reason.status).label)
    return FailureLine(reason, reason_text(reason), code, status, percent(reason.count, total), url)


def reason_text(reason: FailureReason) -> str:
    """Return why messages failed, in words."""
    return reason.meaning or (_("unknown code") if reason.is_unknown else _("no reason given"))
