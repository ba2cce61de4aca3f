"""The pre-flight of a campaign as a page shows it: at once for a few recipients, in the background for many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django_hyber.campaigns.lifecycle import locked
from django_hyber.campaigns.preflight import OPEN_JOBS, Preflight, fingerprint, preflight
from django_hyber.campaigns.preflight_json import preflight_from_json
from django_hyber.jobs.background import request_job
from django_hyber.models import BackgroundJob, Campaign

#: From so many recipients on, nobody is kept waiting for it.
IN_BACKGROUND_FROM = 20_000
LATEST_IMPORTS = 20
Kind = BackgroundJob.Kind
State = BackgroundJob.State


@dataclass(frozen=True, kw_only=True)
class Check:
    """What is known about the launch of a campaign.

    ``found`` is None as long as nobody has checked the campaign as it is now; ``job`` is the last check in the
    background, None where there was none or none is needed.
    """

    found: Preflight | None
    job: BackgroundJob | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether the check goes on at this moment."""
        return self.job is not None and self.job.state in OPEN_JOBS

    @property
    def is_outdated(self) -> bool:
        """Whether the campaign was checked, and has been changed since."""
        return self.found is None and self.job is not None and self.job.state == State.DONE


def is_large(campaign: Campaign) -> bool:
    """Say whether a campaign is checked in the background."""
    return campaign.messages.order_by()[:IN_BACKGROUND_FROM].count() == IN_BACKGROUND_FROM


def check_of(campaign: Campaign) -> Check:
    """Return the pre-flight of a campaign as it is now: a fresh one, or the one that was kept for it."""
    return _kept_check(campaign) if is_large(campaign) else Check(found=preflight(campaign))


def checks_of(campaigns: Iterable[Campaign]) -> Iterator[tuple[Campaign, Check]]:
    """Yield each campaign with its check; no more recipients are read for all of them than for one alone."""
    room = IN_BACKGROUND_FROM
    for campaign in campaigns:
        recipients = campaign.messages.order_by()[:IN_BACKGROUND_FROM].count()
        if recipients == IN_BACKGROUND_FROM:
            yield campaign, _kept_check(campaign)
        elif recipients > room:
            yield campaign, Check(found=None)
        else:
            room -= recipients
            yield campaign, Check(found=preflight(campaign))


def kept_preflight(campaign: Campaign, checked: str) -> Preflight | None:
    """Return what the last check in the background has found, if the campaign had this fingerprint then."""
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
    """Count the rows of imported files that could not be used; nobody has become a recipient by them."""
    imports = campaign.jobs.filter(kind=Kind.IMPORT, state=State.DONE).order_by("-id")
    return sum(result.get("rejected_count", 0) for result in imports.values_list("result", flat=True)[:LATEST_IMPORTS])


def request_check(campaign: Campaign, user: Any) -> bool:
    """Ask for a check, unless one is under way, and say whether this call has."""
    with locked(campaign) as using:
        if campaign.jobs.using(using).filter(kind=Kind.CHECK, state__in=OPEN_JOBS).exists():
            return False
        request_job(Kind.CHECK, campaign, {}, user)
        return True
