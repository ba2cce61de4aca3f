"""Background jobs on the page of a campaign or of the opt-out list, and the files they have written."""

from __future__ import annotations

from typing import NamedTuple

from django.db.models.fields.files import FieldFile
from django.http import FileResponse, Http404, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.cache import patch_cache_control
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from django_hyber.admin.common.desk import Desk, back_to_button
from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.common.times import short_time
from django_hyber.models import BackgroundJob, Campaign
from django_hyber.privacy import mask_phones_in

State = BackgroundJob.State


class JobLine(NamedTuple):
    """A background job; ``done`` and ``total`` are texts for the progress bar, "" if unknown.

    ``page_url`` is that of an import's own page, ``result`` how many recipients a removal has removed.
    """

    job: BackgroundJob
    title: str
    is_open: bool
    done: str
    total: str
    requested_at: str
    download_url: str
    page_url: str
    result: str


def job_line(desk: Desk, job: BackgroundJob) -> JobLine:
    """Return what the page of the campaign or of the opt-out list shows of a job."""
    is_file = job.kind == BackgroundJob.Kind.EXPORT and job.state == State.DONE and job.produced
    is_mine = job.created_by_id == desk.request.user.pk
    is_import = job.kind == BackgroundJob.Kind.IMPORT
    may_import = desk.may_write if desk.campaign else desk.may_add
    is_removed = job.kind == BackgroundJob.Kind.REMOVAL and job.result
    return JobLine(
        job=job,
        title=import_title(job) if is_import else capfirst(job.get_kind_display()),
        is_open=job.is_open,
        done=str(job.done),
        total=str(job.total or ""),
        requested_at=short_time(job.created_at),
        page_url=desk.url("import_job", job.pk) if is_import and may_import else "",
        download_url=desk.url("exported", job.pk) if is_file and is_mine and desk.may_export else "",
        result=_("removed: %(count)s") % {"count": grouped(job.result["removed"])} if is_removed else "",
    )


def import_title(job: BackgroundJob) -> str:
    """Return the title of an import."""
    return _("Import of %(file)s") % {"file": file_name(job)}


def file_name(job: BackgroundJob) -> str:
    """Return the name of the file that was uploaded for an import, without phone numbers."""
    return mask_phones_in(job.parameters.get("file_name") or _("pasted numbers"))


def exported_file(desk: Desk, job_id: int) -> HttpResponseBase:
    """Return the file of an export of this user, when its button is pressed, and log the download."""
    campaign = desk.campaign
    # Only the user's own: what a file shows depends on the permissions of the user who requested it.
    exports = BackgroundJob.objects.filter(campaign=campaign, kind=BackgroundJob.Kind.EXPORT, state=State.DONE)
    job = get_object_or_404(exports, pk=job_id, created_by=desk.request.user.pk)
    if not desk.is_post:
        return back_to_button(desk)
    response = private_file(job.produced, export_name(campaign, job.parameters.get("format", "csv")))
    desk.log_change(_("Downloaded the exported recipients.") if campaign else _("Downloaded the exported numbers."))
    return response


def private_file(file: FieldFile, name: str) -> FileResponse:
    """Return a stored file for download; no browser shows it or keeps a copy. Raises Http404 when there is none."""
    try:
        opened = file.open("rb")
    except (FileNotFoundError, ValueError):
        # Not on the disk, or never written.
        raise Http404 from None
    response = FileResponse(opened, as_attachment=True, filename=name, content_type="application/octet-stream")
    response["X-Content-Type-Options"] = "nosniff"
    patch_cache_control(response, private=True, no_store=True)
    return response


def export_name(campaign: Campaign | None, file_format: str) -> str:
    """Return the file name of an export."""
    return f"campaign-{campaign.pk}.{file_format}" if campaign else f"opted-out.{file_format}"
