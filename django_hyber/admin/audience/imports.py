"""The pages of an import: hand a file in, say what its columns are, follow it, read what became of its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _

from django_hyber.admin.audience.import_forms import ColumnsForm, OptOutForm, UploadForm
from django_hyber.admin.audience.import_results import format_text, import_page, shown_values
from django_hyber.admin.common.jobs import file_name, import_title
from django_hyber.admin.common.masking import sees_personal_data
from django_hyber.audience.columns import Columns
from django_hyber.audience.uploads import discard_upload, is_large, keep_pasted
from django_hyber.models import BackgroundJob, Campaign
from django_hyber.services import UnreadableFileError, confirm_upload, keep_upload, stop_job
from django_hyber.texts.rules import campaign_variables

State = BackgroundJob.State


@dataclass(frozen=True)
class ImportDesk:
    """Where somebody hands numbers in: for a campaign, or without one for the opt-out list."""

    model_admin: Any
    request: HttpRequest
    campaign: Campaign | None = None

    def url(self, page: str, *arguments: int) -> str:
        """Return the address of one of the pages."""
        place, keys = ("campaign", (self.campaign.pk, *arguments)) if self.campaign else ("suppression", arguments)
        return reverse(f"admin:django_hyber_{place}_{page}", args=keys)

    @property
    def home(self) -> str:
        """The address of what the numbers are for."""
        return self.url("change") if self.campaign else self.url("changelist")

    def find(self, job_pk: int) -> BackgroundJob:
        """Return an import of this desk."""
        job = self.find_or_none(job_pk)
        if job is None:
            raise Http404
        return job

    def find_or_none(self, job_pk: int) -> BackgroundJob | None:
        """Return an import of this desk, or None when there is none (any more)."""
        jobs = BackgroundJob.objects.filter(campaign=self.campaign, kind=BackgroundJob.Kind.IMPORT)
        job = jobs.filter(pk=job_pk).first()
        if job:
            job.campaign = self.campaign
        return job

    def go(self, page: str, *arguments: int) -> HttpResponseRedirect:
        """Send the browser to one of the pages."""
        return HttpResponseRedirect(self.url(page, *arguments))

    def render(self, template: str, title: str, **context: Any) -> TemplateResponse:
        """Return a page."""
        shared = {
            **self.model_admin.admin_site.each_context(self.request),
            "title": title,
            "opts": self.model_admin.opts,
            "media": self.model_admin.media,
            "original": self.campaign,
            "campaign": self.campaign,
            "home_url": self.home,
            "upload_url": self.url("import"),
        }
        return TemplateResponse(self.request, f"admin/django_hyber/imports/{template}.html", {**shared, **context})

    def log(self, text: str) -> None:
        """Write into the admin's log; what is about the whole opt-out list has no object of its own there."""
        if self.campaign:
            self.model_admin.log_change(self.request, self.campaign, text)
        else:
            self.model_admin.log_about_list(self.request, text)


View = Callable[..., HttpResponseBase]
DeskFinder = Callable[..., ImportDesk]


def import_urls(model_admin: Any, find_desk: DeskFinder, prefix: str, name: str) -> list[Any]:
    """Return the addresses of the pages; ``find_desk`` checks the permissions and is given what the prefix names."""

    def page(route: str, view: View, suffix: str, *, is_post_only: bool = False, may_be_gone: bool = False) -> Any:
        def answer(request: HttpRequest, job_id: int | None = None, **keys: Any) -> HttpResponseBase:
            if is_post_only and request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            desk = find_desk(request, **keys)
            if job_id is None:
                return view(desk)
            return view(desk, desk.find_or_none(job_id) if may_be_gone else desk.find(job_id))

        return path(f"{prefix}import/{route}", model_admin.admin_site.admin_view(answer), name=f"{name}_{suffix}")

    return [
        page("", upload_view, "import"),
        page("<int:job_id>/", job_view, "import_job"),
        page("<int:job_id>/progress/", progress_view, "import_progress"),
        page("<int:job_id>/stop/", stop_view, "import_stop", is_post_only=True),
        page("<int:job_id>/discard/", discard_view, "import_discard", is_post_only=True, may_be_gone=True),
        page("<int:job_id>/rejected/", rejected_view, "import_rejected", is_post_only=True),
    ]


def upload_view(desk: ImportDesk) -> HttpResponseBase:
    """Ask for a file; on POST, keep it and go on to its columns."""
    if not _may_add(desk):
        return HttpResponseRedirect(desk.home)
    form_class = UploadForm if desk.campaign else OptOutForm
    is_post = desk.request.method == "POST"
    form = form_class(desk.request.POST, desk.request.FILES) if is_post else form_class()
    if form.is_valid():
        try:
            return _take(desk, form.cleaned_data)
        except UnreadableFileError as error:
            form.add_error("pasted" if form.cleaned_data.get("pasted") else "file", error)
    title = _("Import recipients") if desk.campaign else _("Import opted-out numbers")
    context = {
        "form": form,
        "recipients": desk.campaign.messages.count() if desk.campaign else 0,
        "variables": campaign_variables(desk.campaign) if desk.campaign else [],
    }
    return desk.render("upload", title, **context)


def _take(desk: ImportDesk, cleaned: dict[str, Any]) -> HttpResponseBase:
    user, reason = desk.request.user, cleaned.get("reason", "")
    if not cleaned.get("pasted"):
        job = keep_upload(desk.campaign, user, cleaned["file"], reason=reason)
        return desk.go("import_job", job.pk)
    job, columns = keep_pasted(user, cleaned["pasted"], reason=reason)
    if columns is not None:
        _confirm(desk, job, columns)
    return desk.go("import_job", job.pk)


def job_view(desk: ImportDesk, job: BackgroundJob) -> HttpResponseBase:
    """Show an import as far as it is: its columns to choose, its progress, or its report; on POST, confirm it."""
    if job.state == State.UPLOADED:
        return _columns_view(desk, job)
    if desk.request.method == "POST":
        # The second of two clicks, which finds the import confirmed.
        return desk.go("import_job", job.pk)
    return desk.render("job", import_title(job), **_job_context(desk, job))


def _columns_view(desk: ImportDesk, job: BackgroundJob) -> HttpResponseBase:
    if not _may_add(desk):
        return HttpResponseRedirect(desk.home)
    form = ColumnsForm(desk.request.POST if desk.request.method == "POST" else None, job)
    if form.is_valid():
        _confirm(desk, job, form.chosen())
        return desk.go("import_job", job.pk)
    is_masked = not sees_personal_data(desk.request)
    rows = [(number, shown_values(values, is_masked=is_masked)) for number, values in job.parameters["preview"]["rows"]]
    context = {
        "form": form,
        "columns": list(form.columns([values for _number, values in rows])),
        "rows": rows,
        "format": format_text(job.parameters, job.source.size),
        "is_masked": is_masked,
        "is_large": is_large(job),
        "missing": form.missing(),
        "variables": campaign_variables(desk.campaign) if desk.campaign else [],
        "discard_url": desk.url("import_discard", job.pk),
    }
    return desk.render("columns", import_title(job), **context)


def _confirm(desk: ImportDesk, job: BackgroundJob, columns: Columns) -> None:
    if not confirm_upload(job, columns.as_parameters(), at_once=not is_large(job)):
        return
    job.refresh_from_db()
    if job.state != State.DONE:
        desk.log(_("Import confirmed: %(file)s.") % {"file": file_name(job)})
        return
    text = _("Imported from %(file)s: %(accepted)d accepted, %(repeated)d repeated, %(rejected)d rejected.")
    result = job.result
    counts = {
        "accepted": result["accepted"],
        "repeated": result["duplicates"] + result["existing"],
        "rejected": result["rejected_count"],
    }
    desk.log(text % {"file": file_name(job), **counts})


def progress_view(desk: ImportDesk, job: BackgroundJob) -> HttpResponseBase:
    """Give the part of the page that tells how far an import is; the page asks for it again and again."""
    return desk.render("job_part", import_title(job), **_job_context(desk, job))


def stop_view(desk: ImportDesk, job: BackgroundJob) -> HttpResponseBase:
    """Stop an import that is waiting or under way."""
    if stop_job(job):
        desk.log(_("Import stopped: %(file)s.") % {"file": file_name(job)})
    else:
        messages.info(desk.request, _("There is nothing to stop: the import has ended already."))
    return desk.go("import_job", job.pk)


def discard_view(desk: ImportDesk, job: BackgroundJob | None) -> HttpResponseBase:
    """Throw away a file that has not been imported; the second of two clicks finds it gone."""
    if job and discard_upload(job):
        messages.success(desk.request, _("The file has been thrown away. Nothing of it was imported."))
    return desk.go("import")


def rejected_view(desk: ImportDesk, job: BackgroundJob) -> HttpResponseBase:
    """Give the rejected rows as a file that can be mended and imported again."""
    if not sees_personal_data(desk.request):
        raise PermissionDenied
    if not job.produced:
        raise Http404
    try:
        file = job.produced.open("rb")
    except FileNotFoundError:
        raise Http404 from None
    desk.log(_("Downloaded the rejected rows of %(file)s.") % {"file": file_name(job)})
    return FileResponse(file, as_attachment=True, filename=f"rejected-{job.pk}.csv")


def _may_add(desk: ImportDesk) -> bool:
    if desk.campaign is None or desk.campaign.is_editable:
        return True
    messages.error(desk.request, _("Recipients can only be added before the launch."))
    return False


def _job_context(desk: ImportDesk, job: BackgroundJob) -> dict[str, Any]:
    is_masked = not sees_personal_data(desk.request)
    return {
        "page": import_page(job, is_masked=is_masked),
        "is_masked": is_masked,
        "progress_url": desk.url("import_progress", job.pk),
        "stop_url": desk.url("import_stop", job.pk),
        "rejected_url": desk.url("import_rejected", job.pk),
    }
