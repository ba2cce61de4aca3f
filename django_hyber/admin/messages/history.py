"""The history on the page of a message: the channels in their order, every report, and the request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.common.model_admins import pretty_json
from django_hyber.admin.common.personal_data import for_reader, sees_personal_data
from django_hyber.admin.messages.support import Support, obstacle_of, support_of
from django_hyber.models import DeliveryReport, Message
from django_hyber.privacy import mask_payload
from django_hyber.sending.request import request_of
from django_hyber.statistics.journey import ChannelStep, Journey, Stage, is_of_earlier_attempt, message_journey
from django_hyber.texts.preview import Preview
from django_hyber.words import describe_report, name_of_channel

#: The text and the sign of a channel about which nothing more specific is known.
STAGE_TEXTS = {
    Stage.DELIVERED: _("delivered"),
    Stage.FAILED: _("not delivered"),
    Stage.TRYING: _("on its way"),
    Stage.INFERRED: _("not delivered: a later channel was tried, although the platform has not reported on this one"),
    Stage.UNREPORTED: _("the platform has not reported the result"),
    Stage.FIRST: _("tried first"),
    Stage.NEXT: _("tried if the earlier channels fail"),
    Stage.NOT_NEEDED: _("was not needed"),
    Stage.NOT_TRIED: _("was not tried"),
}
SIGNS = {
    Stage.DELIVERED: "✓",
    Stage.FAILED: "✗",
    Stage.TRYING: "…",
    Stage.INFERRED: "✗",
    Stage.UNREPORTED: "?",
    Stage.FIRST: "·",
    Stage.NEXT: "·",
    Stage.NOT_NEEDED: "–",
    Stage.NOT_TRIED: "–",
}


@dataclass(frozen=True, kw_only=True)
class StepLine:
    """One channel, as the page shows it."""

    stage: str
    sign: str
    name: str
    text: str
    time: datetime | None
    code: int | None
    has_won: bool


@dataclass(frozen=True, kw_only=True)
class HistoryLine:
    """One report, as the page shows it; ``is_earlier`` if it is about an attempt before a retry."""

    report: DeliveryReport
    channel: str
    meaning: str
    code: int | None
    raw: str
    is_earlier: bool


@dataclass(frozen=True, kw_only=True)
class History:
    """The whole history. ``contents`` are the texts of each channel, and what happened on it.

    ``notes`` say what is unusual; ``request`` is "" if it cannot be rebuilt.
    """

    message: Message
    support: Support
    contents: Sequence[tuple[Preview, str]]
    steps: Sequence[StepLine]
    notes: Sequence[str]
    reports: Sequence[HistoryLine]
    request: str


def history_of(request: HttpRequest, message_pk: str) -> History:
    """Read a message's history, masked for users who may not see personal data."""
    stored = get_object_or_404(Message.objects.select_related("campaign"), pk=message_pk)
    [message] = for_reader(request, [stored])
    reports = for_reader(request, stored.delivery_reports.order_by("reported_at", "id"))
    journey = message_journey(message, reports)
    lines = [_report_line(message, report) for report in reports]
    body = request_of(message.pk)
    support = support_of(request, message, journey, obstacle_of(stored))
    states = {step.channel: str(STAGE_TEXTS[step.stage]) for step in journey.steps}
    return History(
        message=message,
        support=support,
        contents=[(preview, states.get(preview.channel, "")) for preview in support.previews],
        steps=[_step_line(step) for step in journey.steps],
        notes=[*_notes(message, journey), *_of_earlier(lines)],
        reports=lines,
        request=pretty_json(body if sees_personal_data(request) else mask_payload(body)) if body else "",
    )


def _step_line(step: ChannelStep) -> StepLine:
    return StepLine(
        stage=step.stage.replace(" ", "-"),
        sign=SIGNS[step.stage],
        name=name_of_channel(step.channel),
        text=step.meaning or str(STAGE_TEXTS[step.stage]),
        time=step.time,
        code=step.code,
        has_won=step.has_won,
    )


def _notes(message: Message, journey: Journey) -> list[str]:
    partial = [step for step in journey.steps if step.is_partial]
    return [*_paid_twice(message, journey), *(parts_note(step.delivered_parts, step.total_parts) for step in partial)]


def _paid_twice(message: Message, journey: Journey) -> list[str]:
    if len(journey.delivered_by) < 2:  # noqa: PLR2004
        return []
    names = [name_of_channel(channel) for channel in journey.delivered_by]
    text = gettext("Delivered by %(channels)s: you pay for each of them. The first delivery counts.")
    return [text % {"channels": gettext(" and ").join(names)}]


def parts_note(delivered: int | None, total: int | None) -> str:
    """Say how many parts of an SMS are missing."""
    text = ngettext(
        "Only %(delivered)d of %(total)d part of the SMS was delivered.",
        "Only %(delivered)d of %(total)d parts of the SMS were delivered.",
        total or 0,
    )
    return text % {"delivered": delivered or 0, "total": total or 0}


def _of_earlier(lines: Iterable[HistoryLine]) -> list[str]:
    if not any(line.is_earlier for line in lines):
        return []
    return [gettext("A retry after a failure. Reports about an earlier attempt do not change the status.")]


def _report_line(message: Message, report: DeliveryReport) -> HistoryLine:
    return HistoryLine(
        report=report,
        channel=name_of_channel(report.channel),
        meaning=describe_report(report),
        code=report.hyber_status if report.error_code is None else report.error_code,
        raw=pretty_json(report.raw),
        is_earlier=is_of_earlier_attempt(message, report),
    )
