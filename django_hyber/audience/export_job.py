"""Exports that take too long for a browser to wait for."""

from __future__ import annotations

import tempfile
from typing import Any

from django.db.models import QuerySet

from django_hyber.audience.export import CHUNK, export_recipients
from django_hyber.audience.opt_outs import export_suppressions
from django_hyber.db.transactions import database, write_transaction
from django_hyber.jobs.background import request_job
from django_hyber.jobs.claims import JobClaim
from django_hyber.jobs.kinds import job_kind, keep_produced
from django_hyber.models import BackgroundJob, Campaign, Suppression

#: From so many rows on, the file is made in the background.
IN_BACKGROUND_FROM = 20_000
Kind = BackgroundJob.Kind


def is_large(rows: QuerySet[Any]) -> bool:
    """Say whether the export of so many rows is made in the background."""
    return rows.order_by()[:IN_BACKGROUND_FROM].count() == IN_BACKGROUND_FROM


def export_once(campaign: Campaign | None, kind: str, user: Any) -> bool:
    """Ask for an export, unless one for this person is under way, and say whether this call has.

    Without a campaign it is that of the opt-out list.
    """
    using = database()
    with write_transaction(using):
        if campaign:
            # Of two presses of the same button, the second waits here; for the list there would be two files.
            Campaign.objects.using(using).select_for_update().get(pk=campaign.pk)
        open_jobs = BackgroundJob.objects.using(using).open().filter(kind=Kind.EXPORT)
        under_way = open_jobs.filter(campaign=campaign, created_by=user.pk)
        if any(job.parameters.get("format") == kind for job in under_way):
            return False
        request_job(Kind.EXPORT, campaign, {"format": kind}, user)
        return True


@job_kind(Kind.EXPORT)
def run_export(job: BackgroundJob, claim: JobClaim) -> dict[str, Any]:
    """Write the file of recipients, or without a campaign that of the opted-out numbers."""
    kind = job.parameters.get("format", "csv")
    rows = (job.campaign.messages if job.campaign else Suppression.objects.using(database())).count()
    claim.write(total=rows)
    pieces = export_recipients(job.campaign, kind) if job.campaign else export_suppressions(kind)
    with tempfile.TemporaryFile() as file:
        for number, piece in enumerate(pieces):
            file.write(piece)
            claim.progress(min(number * CHUNK, rows))
        keep_produced(job, claim, file, kind)
    return {"recipients": rows}
