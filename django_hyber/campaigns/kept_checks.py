"""The pre-flight of a campaign as a page shows it: at once for a few recipients, in the background for many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django_hyber.campaigns.fingerprint import fingerprint
from django_hyber.campaigns.preflight import Preflight, preflight
from django_hyber.campaigns.preflight_json import preflight_as_json, preflight_from_json
from django_hyber.db.transactions import database, write_transaction
from django_hyber.jobs.background import request_job
from django_hyber.jobs.claims import JobClaim
from django_hyber.jobs.kinds import campaign_of, job_kind
from django_hyber.models import BackgroundJob, Campaign

#: From so many recipients on, nobody is kept waiting for it.
IN_BACKGROUND_FROM = 20_000
LATEST_IMPORTS = 20
Kind = BackgroundJob.Kind
State = BackgroundJob.State
OPEN_JOBS = (State.WAITING, State.RUNNING)


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
    """Yield each campaign with its check; no more recipients are looked at for all of them than for one alone."""
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


def _kept_check(campaign: Campaign) -> Check:
    job = campaign.jobs.filter(kind=Kind.CHECK).order_by("-id").first()
    if job is None or job.state != State.DONE or job.result.get("fingerprint") != fingerprint(campaign):
        return Check(found=None, job=job)
    return Check(found=preflight_from_json(job.result), job=job)


def count_rejected(campaign: Campaign) -> int:
    """Count the rows of imported files that could not be used; nobody has become a recipient by them."""
    imports = campaign.jobs.filter(kind=Kind.IMPORT, state=State.DONE).order_by("-id")
    return sum(result.get("rejected_count", 0) for result in imports.values_list("result", flat=True)[:LATEST_IMPORTS])


def request_check(campaign: Campaign, user: Any) -> bool:
    """Ask for a check, unless one is under way, and say whether this call has."""
    using = database()
    with write_transaction(using):
        # Of two presses of the same button, the second waits here.
        Campaign.objects.using(using).select_for_update().get(pk=campaign.pk)
        if campaign.jobs.using(using).filter(kind=Kind.CHECK, state__in=OPEN_JOBS).exists():
            return False
        request_job(Kind.CHECK, campaign, {}, user)
        return True


@job_kind(Kind.CHECK)
def run_check(job: BackgroundJob, claim: JobClaim) -> dict[str, Any]:
    """Check the campaign as it would go out."""
    campaign = campaign_of(job)
    claim.write(total=campaign.messages.count())
    return preflight_as_json(preflight(campaign, progress=claim.progress))
