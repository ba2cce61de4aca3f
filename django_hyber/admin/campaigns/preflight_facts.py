"""The data of the page on which a launch is confirmed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_hyber.admin.campaigns import preflight_texts as texts
from django_hyber.admin.common.charts import full_tenths, percent
from django_hyber.admin.common.desk import REFRESH, CampaignDesk
from django_hyber.admin.common.personal_data import for_reader
from django_hyber.campaigns.launch import Confirmation, confirmation_of
from django_hyber.campaigns.preflight import (
    OPTED_OUT_CODE,
    PAST_START_CODE,
    Preflight,
    check_state,
    time_warnings,
)
from django_hyber.campaigns.preflight_jobs import Check, count_rejected
from django_hyber.campaigns.timetable import Timetable, timetable_of
from django_hyber.conf import find_currency
from django_hyber.models import Campaign, Message
from django_hyber.policies.four_eyes import UNKNOWN, approval_problem, is_four_eyes
from django_hyber.words import place_of

#: How to fix a problem, where its text does not say so.
ADVICE = {
    "account": gettext_lazy("Choose one of the accounts in the settings."),
    "blank": gettext_lazy("Fill it in or remove it."),
    "changed": gettext_lazy("Review it again."),
    "importing": gettext_lazy("Wait until it has ended, then check again."),
    "required": gettext_lazy("Fill it in."),
    "too-long": gettext_lazy("Shorten it."),
    "too-many-segments": gettext_lazy(
        "Shorten it, or remove Cyrillic and emoji: they leave 70 characters per SMS segment."
    ),
}
LONG_CODE = "takes-days"
RECIPIENTS = ("import", "")
CHANNELS = ("change", "channels-group")
MISSING_VALUES = ("change", "id_missing_variables")
#: The page of the campaign and the place on it where a problem is fixed, by its code.
PLACES: dict[str, list[tuple[str, str]]] = {
    "account": [("change", "id_account")],
    "importing": [RECIPIENTS],
    "missing-variable": [RECIPIENTS, MISSING_VALUES],
    "no-channels": [CHANNELS],
    "no-recipients": [RECIPIENTS],
    "nobody": [RECIPIENTS],
    "past-start-time": [("change", "id_start_time_0")],
    "start-time-too-far": [("change", "id_start_time_0")],
    LONG_CODE: [("change", "id_throttle"), ("change", "id_window_start")],
    "unfilled-variables": [CHANNELS],
}
LABELS = {
    "": gettext_lazy("Import recipients"),
    "channels-group": gettext_lazy("Channels"),
    "id_account": gettext_lazy("Account"),
    "id_missing_variables": gettext_lazy("Missing values"),
    "id_start_time_0": gettext_lazy("Start time"),
    "id_throttle": gettext_lazy("Throttle"),
    "id_window_start": gettext_lazy("Sending window"),
}


class Link(NamedTuple):
    """A link."""

    label: str
    url: str


class ProblemLine(NamedTuple):
    """A problem, with advice and links to fix it."""

    text: str
    advice: str
    links: list[Link]


class SkippedLine(NamedTuple):
    """A group of skipped recipients, with a link to their list and some examples."""

    code: str
    text: str
    url: str
    examples: list[Link]


@dataclass(frozen=True, kw_only=True)
class PreflightFacts:
    """What the page shows of a campaign. ``confirmation`` is None if this user cannot launch it.

    ``four_eyes`` explains who may launch it, "" without that rule.
    """

    campaign: Campaign
    check: Check
    timetable: Timetable
    recipients: int
    rejected: int
    skipped: list[SkippedLine]
    unfit: list[Link]
    problems: list[ProblemLine]
    warnings: list[ProblemLine]
    may_change: bool
    four_eyes: str
    confirmation: Confirmation | None

    @property
    def found(self) -> Preflight | None:
        """The result of the check, if it is up to date."""
        return self.check.found

    @property
    def people(self) -> int:
        """The number of people who will get a message."""
        return self.found.will_receive if self.found else 0

    @property
    def refresh(self) -> int | None:
        """Seconds until the page polls again."""
        return REFRESH if self.check.is_under_way else None

    @property
    def milestone(self) -> str:
        """A value whose change makes a screen reader announce ``summary``."""
        job = self.check.job
        return f"{job.state}:{full_tenths(job.done, job.total or 0)}" if job else ""

    @property
    def summary(self) -> str:
        """The announcement for screen readers."""
        job = self.check.job
        if job is None:
            return ""
        if self.check.is_under_way:
            return _("Checking: %(percent)s.") % {"percent": percent(job.done, job.total or 0)}
        if self.found is None:
            return _("The check did not finish.")
        return _("Checked. %(headline)s") % {"headline": texts.headline(self.found)}

    @property
    def headline(self) -> str:
        """The number of people, as a sentence."""
        return texts.headline(self.found) if self.found else ""

    @property
    def defaults(self) -> list[str]:
        """The default texts and how many recipients get them."""
        return list(texts.default_texts(self.campaign, self.found)) if self.found else []

    @property
    def rejected_text(self) -> str:
        """The number of rows that imports rejected, as a sentence."""
        return texts.rejected_text(self.rejected) if self.rejected else ""

    @property
    def segments(self) -> list[str]:
        """The number of SMS segments."""
        segments = self.found.segments if self.found else None
        return list(texts.segment_texts(self.campaign, segments)) if segments else []

    @property
    def cost(self) -> str:
        """The cost, or "" without prices."""
        found = self.found
        if found is None:
            return ""
        channels = [channel.channel for channel in self.campaign.channels.all()]
        return texts.cost_text(found, channels, find_currency(self.campaign.account))

    @property
    def when(self) -> list[str]:
        """The schedule."""
        return list(texts.when_texts(self.campaign, self.timetable, timezone.now()))

    @property
    def recall(self) -> list[str]:
        """What cannot be undone."""
        return list(texts.recall_texts(self.timetable))

    @property
    def button(self) -> str:
        """The label of the button."""
        return texts.button_text(self.people, is_later=self.timetable.start is not None)


def preflight_facts(desk: CampaignDesk, check: Check) -> PreflightFacts:
    """Return what the page shows to this user."""
    campaign, found = desk.campaign, check.found
    people = found.will_receive if found else 0
    problems, warnings = _problems(campaign, check)
    now = timezone.now()
    timetable = timetable_of(campaign, people, now)
    if timetable.is_stretched(now):
        warnings.append(ValidationError(texts.days_text(timetable), code=LONG_CODE))
    four_eyes, is_barred = _four_eyes(desk)
    may_launch = people and not problems and not is_barred
    examples = _examples(desk, found) if found else {}
    return PreflightFacts(
        campaign=campaign,
        check=check,
        timetable=timetable,
        recipients=found.recipients if found else campaign.messages.count(),
        rejected=count_rejected(campaign),
        skipped=_skipped(desk, found, examples) if found else [],
        unfit=[examples[pk] for pk in found.unfit if pk in examples] if found else [],
        problems=problem_lines(desk, problems),
        warnings=problem_lines(desk, warnings),
        may_change=desk.may_change,
        four_eyes=four_eyes,
        confirmation=confirmation_of(campaign, found) if found and may_launch else None,
    )


def button_of(ready: Sequence[PreflightFacts]) -> str:
    """Return the label of the button that launches these campaigns."""
    return texts.button_text(sum(facts.people for facts in ready), is_later=False)


def _problems(campaign: Campaign, check: Check) -> tuple[list[ValidationError], list[ValidationError]]:
    found = check.found
    if found is None:
        return check_state(campaign), time_warnings(campaign)
    # An import may have started since the check and have added nobody yet.
    known = {problem.code for problem in found.problems}
    since = [problem for problem in check_state(campaign) if problem.code not in known] if check.job else []
    # A stored check may be older than the start time.
    warnings = [warning for warning in found.warnings if warning.code != PAST_START_CODE]
    return [*found.problems, *since], [*warnings, *time_warnings(campaign)]


def _four_eyes(desk: CampaignDesk) -> tuple[str, bool]:
    """Return the note about who may launch, and whether this user may not."""
    if not is_four_eyes(desk.campaign):
        return "", False
    problem = approval_problem(desk.campaign, desk.request.user)
    if problem is None:
        return _(
            "Two-person approval is on: people who have worked on a campaign cannot launch it. You can launch this one."
        ), False
    if problem.code == UNKNOWN:
        return " ".join([_("Two-person approval is on."), *problem.messages]), True
    return _(
        "Two-person approval is on. You have worked on this campaign, so another person with permission to send has to "
        "open this page and launch it."
    ), True


def _skipped(desk: CampaignDesk, found: Preflight, examples: Mapping[int, Link]) -> list[SkippedLine]:
    may_filter = desk.may_see_messages and desk.sees_personal_data
    return [
        SkippedLine(
            code=skipped.code,
            text=texts.skipped_text(skipped),
            url=desk.messages_url(opted_out="yes") if may_filter and skipped.code == OPTED_OUT_CODE else "",
            examples=[examples[pk] for pk in skipped.examples if pk in examples],
        )
        for skipped in found.skipped
    ]


def _examples(desk: CampaignDesk, found: Preflight) -> Mapping[int, Link]:
    pks = [*found.unfit, *(pk for skipped in found.skipped for pk in skipped.examples)]
    if not pks or not desk.may_see_messages:
        return {}
    rows = for_reader(desk.request, Message.objects.filter(pk__in=pks))
    return {
        row.pk: Link(row.phone_number or "", reverse("admin:django_hyber_message_change", args=[row.pk]))
        for row in rows
    }


def problem_lines(desk: CampaignDesk, problems: Iterable[ValidationError]) -> list[ProblemLine]:
    """Return the problems, with links if the user may change the campaign."""
    channels = [channel.channel for channel in desk.campaign.channels.all()]
    return [
        ProblemLine(
            text=text,
            advice=str(ADVICE.get(str(problem.code), "")),
            links=_links(desk, problem, channels) if desk.may_change else [],
        )
        for problem in problems
        for text in problem.messages
    ]


def _links(desk: CampaignDesk, problem: Any, channels: Sequence[str]) -> list[Link]:
    channel = getattr(problem, "channel", "")
    if channel in channels:
        place = f"channels-{channels.index(channel)}"
        anchor = f"id_{place}-{problem.field}" if problem.field else place
        return [Link(place_of(problem), f"{desk.home}#{anchor}")]
    return [
        Link(str(LABELS[anchor]), f"{desk.url(page)}#{anchor}" if anchor else desk.url(page))
        for page, anchor in PLACES.get(str(problem.code), [])
    ]
