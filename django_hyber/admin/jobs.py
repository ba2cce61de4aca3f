"""Background work of a campaign, as its page shows it, and the files that it has made."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _

from django_hyber.admin.base import short_time
from django_hyber.models import BackgroundJob, Campaign

State = BackgroundJob.State
EXPORT = "django_hyber.export_campaign"
CHANGE = "django_hyber.change_campaign"


class JobLine(NamedTuple):
    """One piece of background work; ``done`` and ``total`` are texts for the progress bar, "" where not known.

    ``page_url`` is that of an import's own page.
    """

    job: BackgroundJob
    is_open: bool
    done: str
    total: str
    asked_at: str
    download_url: str
    page_url: str


def job_line(request: HttpRequest, campaign: Campaign, job: BackgroundJob) -> JobLine:
    """Return what the page says about a job."""
    is_file = job.kind == BackgroundJob.Kind.EXPORT and job.state == State.DONE and job.produced
    url = reverse("admin:django_hyber_campaign_exported", args=[campaign.pk, job.pk])
    is_import = job.kind == BackgroundJob.Kind.IMPORT and request.user.has_perm(CHANGE)
    return JobLine(
        job=job,
        is_open=job.state in (State.WAITING, State.RUNNING),
        done=str(job.done),
        total=str(job.total or ""),
        asked_at=short_time(job.created_at),
        page_url=reverse("admin:django_hyber_campaign_import_job", args=[campaign.pk, job.pk]) if is_import else "",
        download_url=url if is_file and job.created_by_id == request.user.pk and request.user.has_perm(EXPORT) else "",
    )


def exported_file(model_admin: Any, request: HttpRequest, campaign: Campaign, job_pk: int) -> HttpResponseBase:
    """Give a file that an export has made, and write into the admin's log that it was given."""
    # Whoever asked for it: what the file shows of the numbers depends on that person's permissions.
    exports = campaign.jobs.filter(
        pk=job_pk, kind=BackgroundJob.Kind.EXPORT, state=State.DONE, created_by=request.user.pk
    )
    job = exports.exclude(produced="").first()
    if job is None:
        raise Http404
    try:
        file = job.produced.open("rb")
    except FileNotFoundError:
        raise Http404 from None
    kind = job.parameters.get("format", "csv")
    model_admin.log_change(request, campaign, _("Downloaded the exported recipients."))
    return FileResponse(file, as_attachment=True, filename=f"campaign-{campaign.pk}.{kind}")
