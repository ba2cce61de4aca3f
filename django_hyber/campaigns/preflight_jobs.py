"""The pre-flight check for pages: immediate for a few recipients, in the background for many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError

from django_hyber.campaigns.lifecycle import locked
from django_hyber.campaigns.preflight import Preflight, Segments, Skipped, fingerprint, preflight
from django_hyber.jobs import background
from django_hyber.jobs.background import is_large, request_job
from django_hyber.jobs.work import JobClaim, campaign_of, job_kind
from django_hyber.models import BackgroundJob, Campaign
from django_hyber.models.people import User
from django_hyber.texts.check import LaunchError

LATEST_IMPORTS = 20
COSTS = ("cost_low", "cost_high", "cost_attempts")
Kind = BackgroundJob.Kind
State = BackgroundJob.State


@dataclass(frozen=True, kw_only=True)
class Check:
    """The latest check of a campaign.

    ``found`` is None while the campaign has not been checked since its last change; ``job`` is the last check in the
    background, or None.
    """

    found: Preflight | None
    job: BackgroundJob | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether the check is under way."""
        return self.job is not None and self.job.is_open

    @property
    def is_outdated(self) -> bool:
        """Whether the campaign was checked, and has been changed since."""
        return self.found is None and self.job is not None and self.job.state == State.DONE


def check_of(campaign: Campaign) -> Check:
    """Return the check of a campaign: a new one, or the stored one if it is large."""
    return _kept_check(campaign) if is_large(campaign.messages.all()) else Check(found=preflight(campaign))


def checks_of(campaigns: Iterable[Campaign]) -> Iterator[tuple[Campaign, Check]]:
    """Yield each campaign with its check; no more recipients are read for all of them than for one alone."""
    room = most = background.IN_BACKGROUND_FROM
    for campaign in campaigns:
        recipients = campaign.messages.order_by()[:most].count()
        if recipients == most:
            yield campaign, _kept_check(campaign)
        elif recipients > room:
            yield campaign, Check(found=None)
        else:
            room -= recipients
            yield campaign, Check(found=preflight(campaign))


def kept_preflight(campaign: Campaign, checked: str) -> Preflight | None:
    """Return the result of the last check in the background, if it is for this fingerprint."""
    return _found_by(_last_job(campaign), checked)


def _kept_check(campaign: Campaign) -> Check:
    job = _last_job(campaign)
    return Check(found=_found_by(job, fingerprint(campaign)) if job else None, job=job)


def _last_job(campaign: Campaign) -> BackgroundJob | None:
    return campaign.jobs.filter(kind=Kind.CHECK).order_by("-id").first()


def _found_by(job: BackgroundJob | None, checked: str) -> Preflight | None:
    if job is None or job.state != State.DONE or job.result.get("fingerprint") != checked:
        return None
    return preflight_from_json(job.result)


def count_rejected(campaign: Campaign) -> int:
    """Count the rejected rows of the latest imports."""
    imports = campaign.jobs.filter(kind=Kind.IMPORT, state=State.DONE).order_by("-id")
    return sum(result.get("rejected_count", 0) for result in imports.values_list("result", flat=True)[:LATEST_IMPORTS])


def request_check(campaign: Campaign, user: User) -> bool:
    """Request a check unless one is under way, and return whether this call did."""
    with locked(campaign):
        if campaign.jobs.open().filter(kind=Kind.CHECK).exists():
            return False
        request_job(Kind.CHECK, campaign, {}, user)
        return True


@job_kind(Kind.CHECK)
def run_check(job: BackgroundJob, claim: JobClaim) -> dict[str, Any]:
    """Check the campaign."""
    campaign = campaign_of(job)
    claim.write(total=campaign.messages.count())
    return preflight_as_json(preflight(campaign, progress=claim.progress))


def preflight_as_json(found: Preflight) -> dict[str, Any]:
    """Return a pre-flight as JSON: amounts and times are texts, problems have a ``code``, a ``text`` and a place."""
    return {
        **asdict(found),
        "problems": _as_json(found.problems),
        "warnings": _as_json(found.warnings),
        **{name: _as_text(getattr(found, name)) for name in COSTS},
        "start_time": found.start_time and found.start_time.isoformat(),
    }


def preflight_from_json(kept: Mapping[str, Any]) -> Preflight:
    """Return the stored pre-flight; its texts are in the language of the user who requested it."""
    return Preflight(
        **{
            **kept,
            "problems": _as_errors(kept["problems"]),
            "warnings": _as_errors(kept["warnings"]),
            "unfit": tuple(kept.get("unfit", ())),
            "skipped": [Skipped(**{**item, "examples": tuple(item["examples"])}) for item in kept["skipped"]],
            "segments": kept["segments"] and Segments(**kept["segments"]),
            **{name: _as_amount(kept[name]) for name in COSTS},
            "start_time": kept["start_time"] and datetime.fromisoformat(kept["start_time"]),
        }
    )


def _as_json(problems: Iterable[ValidationError]) -> list[dict[str, str]]:
    return [
        {
            "code": str(problem.code or ""),
            "text": text,
            "channel": getattr(problem, "channel", ""),
            "field": getattr(problem, "field", ""),
        }
        for problem in problems
        for text in problem.messages
    ]


def _as_errors(kept: Iterable[Mapping[str, str]]) -> list[ValidationError]:
    return [LaunchError(item["text"], item["code"], channel=item["channel"], field=item["field"]) for item in kept]


def _as_text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _as_amount(kept: str | None) -> Decimal | None:
    return None if kept is None else Decimal(kept)
