"""A campaign as it would go out, prepared for the page on which the launch is confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from django_hyber.admin.campaigns import plan_texts
from django_hyber.admin.campaigns.mending import Link, ProblemLine, problem_lines
from django_hyber.admin.campaigns.progress import MILESTONE, REFRESH, VIEW_MESSAGE, messages_url
from django_hyber.admin.common.base import short_time
from django_hyber.admin.common.charts import percent
from django_hyber.admin.common.masking import for_reader
from django_hyber.admin.common.paginators import grouped
from django_hyber.campaigns.kept_checks import Check, count_rejected
from django_hyber.campaigns.launch import confirmation_of
from django_hyber.campaigns.lifecycle import check_state, is_four_eyes
from django_hyber.campaigns.preflight import OPTED_OUT_CODE, PAST_START_CODE, doubts_of_this_moment
from django_hyber.campaigns.timetable import timetable_of
from django_hyber.models import BackgroundJob, Campaign, Message
from django_hyber.services import Preflight


class SkippedLine(NamedTuple):
    """Who is left out, with links to a list of them and to some of them."""

    code: str
    text: str
    url: str
    examples: list[Link]


@dataclass(frozen=True, kw_only=True)
class Checking:
    """How far the check in the background is; ``done`` and ``total`` are texts for the progress bar."""

    job: BackgroundJob | None
    is_under_way: bool
    is_outdated: bool
    done: str
    total: str
    asked_at: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the page says of a campaign. ``confirmation`` is "" if it cannot be launched, or not by this person."""

    campaign: Campaign
    found: Preflight | None
    checking: Checking
    refresh: str
    milestone: str
    summary: str
    recipients: str
    headline: str
    skipped: list[SkippedLine]
    defaults: list[str]
    rejected: str
    import_url: str
    segments: list[str]
    cost: str
    when: list[str]
    recall: list[str]
    problems: list[ProblemLine]
    warnings: list[ProblemLine]
    four_eyes: str
    confirmation: str
    button: str
    people: int


def plan_of(model_admin: Any, request: HttpRequest, campaign: Campaign, check: Check) -> Plan:
    """Put into words what is known about the launch of a campaign."""
    now = timezone.now()
    found = check.found
    people = found.will_receive if found else 0
    timetable = timetable_of(campaign, people, now)
    problems, warnings = _problems(campaign, check)
    four_eyes, is_author = _four_eyes(request, campaign)
    may_change = model_admin.has_change_permission(request, campaign)
    may_launch = found is not None and people and not problems and not is_author
    return Plan(
        campaign=campaign,
        found=found,
        checking=_checking(check),
        refresh=str(REFRESH) if check.is_under_way else "",
        milestone=_milestone(check),
        summary=_summary(check),
        recipients=grouped(found.recipients if found else campaign.messages.count()),
        headline=plan_texts.headline(found) if found else "",
        skipped=_skipped(request, campaign, found) if found else [],
        defaults=list(plan_texts.default_texts(campaign, found)) if found else [],
        rejected=_rejected(campaign),
        import_url=reverse("admin:django_hyber_campaign_import", args=[campaign.pk]) if may_change else "",
        segments=list(plan_texts.segment_texts(campaign, found.segments)) if found and found.segments else [],
        cost=_cost(found),
        when=list(plan_texts.when_texts(campaign, timetable, now)),
        recall=list(plan_texts.recall_texts(timetable)),
        problems=problem_lines(campaign, problems, may_change=may_change),
        warnings=problem_lines(campaign, warnings, may_change=may_change),
        four_eyes=four_eyes,
        confirmation=str(confirmation_of(found)) if found and may_launch else "",
        button=plan_texts.button_text(people, is_later=timetable.start is not None),
        people=people,
    )


def _problems(campaign: Campaign, check: Check) -> tuple[list[ValidationError], list[ValidationError]]:
    found = check.found
    if found is None:
        return check_state(campaign), doubts_of_this_moment(campaign)
    # An import may have begun since, and have added nobody yet.
    known = {problem.code for problem in found.problems}
    since = [problem for problem in check_state(campaign) if problem.code not in known] if check.job else []
    # A check that was kept may have been made before the start time was over.
    warnings = [warning for warning in found.warnings if warning.code != PAST_START_CODE]
    return [*found.problems, *since], [*warnings, *doubts_of_this_moment(campaign)]


def _four_eyes(request: HttpRequest, campaign: Campaign) -> tuple[str, bool]:
    """Return what the page says about who may launch, and whether this person may not."""
    if not is_four_eyes(campaign):
        return "", False
    if campaign.author_id == request.user.pk:
        return _(
            "Here four eyes look at every campaign. You wrote this one or changed it last: somebody else who may send "
            "has to open this page and launch it."
        ), True
    return _(
        "Here four eyes look at every campaign: whoever wrote or changed it last cannot launch it. You can."
    ), False


def _checking(check: Check) -> Checking:
    job = check.job
    return Checking(
        job=job,
        is_under_way=check.is_under_way,
        is_outdated=check.is_outdated,
        done=str(job.done) if job else "",
        total=str(job.total or "") if job else "",
        asked_at=short_time(job.created_at) if job else "",
    )


def _milestone(check: Check) -> str:
    """Return what has to change for a screen reader to be told."""
    job = check.job
    return f"{job.state}:{MILESTONE * job.done // job.total if job.total else 0}" if job else ""


def _summary(check: Check) -> str:
    job = check.job
    if job is None:
        return ""
    if check.is_under_way:
        return _("Checking: %(percent)s.") % {"percent": percent(job.done, job.total or 0)}
    if check.found is None:
        return _("The check has not come to its end.")
    return _("Checked. %(headline)s") % {"headline": plan_texts.headline(check.found)}


def _skipped(request: HttpRequest, campaign: Campaign, found: Preflight) -> list[SkippedLine]:
    may_see = request.user.has_perm(VIEW_MESSAGE)
    examples = _examples(request, found) if may_see else {}
    return [
        SkippedLine(
            code=skipped.code,
            text=plan_texts.skipped_text(found, skipped),
            url=messages_url(campaign, opted_out="yes") if may_see and skipped.code == OPTED_OUT_CODE else "",
            examples=[examples[pk] for pk in skipped.examples if pk in examples],
        )
        for skipped in found.skipped
    ]


def _examples(request: HttpRequest, found: Preflight) -> Mapping[int, Link]:
    pks = [pk for skipped in found.skipped for pk in skipped.examples]
    if not pks:
        return {}
    rows = for_reader(request, Message.objects.filter(pk__in=pks))
    return {
        row.pk: Link(row.phone_number or "", reverse("admin:django_hyber_message_change", args=[row.pk]))
        for row in rows
    }


def _rejected(campaign: Campaign) -> str:
    rows = count_rejected(campaign)
    return plan_texts.rejected_text(rows) if rows else ""


def _cost(found: Preflight | None) -> str:
    if found is None or found.cost_low is None or found.cost_high is None:
        return ""
    return plan_texts.cost_text(found.cost_low, found.cost_high)
