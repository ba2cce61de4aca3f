"""The pages of an import: upload a file, match its columns, follow the progress, read the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from django_hyber.admin.audience.format_form import FormatForm
from django_hyber.admin.audience.import_forms import ColumnsForm, OptOutForm, UploadForm
from django_hyber.admin.audience.import_numbers import NumbersForm
from django_hyber.admin.audience.import_report import format_text, import_page, shown_values
from django_hyber.admin.common.desk import Desk, answer_or_list, back_to_button
from django_hyber.admin.common.jobs import file_name, import_title, private_file
from django_hyber.admin.common.model_admins import HyberAdmin
from django_hyber.audience.columns import Columns
from django_hyber.audience.import_numbers import NumberChoice
from django_hyber.audience.uploads import discard_upload, is_large_upload, keep_pasted, read_again
from django_hyber.models import BackgroundJob
from django_hyber.services import ImportReport, UnreadableFileError, confirm_upload, keep_upload, stop_job

State = BackgroundJob.State


@dataclass(frozen=True)
class ImportDesk(Desk):
    """A request about imports into a campaign, or without one into the opt-out list."""

    def find(self, job_pk: int) -> BackgroundJob:
        """Return an import of this desk."""
        job = self.find_or_none(job_pk)
        if job is None:
            raise Http404
        return job

    def find_or_none(self, job_pk: int) -> BackgroundJob | None:
        """Return an import of this desk, or None if it does not exist (any more)."""
        jobs = BackgroundJob.objects.filter(campaign=self.campaign, kind=BackgroundJob.Kind.IMPORT)
        job = jobs.filter(pk=job_pk).first()
        if job:
            job.campaign = self.campaign
        return job

    def render_import(self, template: str, title: str, **context: object) -> TemplateResponse:
        """Return one of the pages of an import."""
        shared = {"campaign": self.campaign, "home_url": self.home, "upload_url": self.url("import")}
        return self.render(f"imports/{template}", title, **shared, **context)


View = Callable[..., HttpResponseBase]
DeskFinder = Callable[..., ImportDesk]


def import_urls(model_admin: HyberAdmin, find_desk: DeskFinder, prefix: str, name: str) -> list[URLPattern]:
    """Return the addresses of the pages; ``find_desk`` checks the permissions and gets the arguments of the prefix."""

    def page(route: str, view: View, suffix: str, *, post_only: bool = False, may_be_gone: bool = False) -> URLPattern:
        def answer(request: HttpRequest, job_id: int | None = None, **keys: Any) -> HttpResponseBase:
            desk = find_desk(request, **keys)
            if job_id is None:
                return answer_or_list(desk, partial(view, desk))
            job = desk.find_or_none(job_id) if may_be_gone else desk.find(job_id)
            if post_only and not desk.is_post:
                return back_to_button(desk, desk.url("import_job", job.pk) if job else desk.home)
            return answer_or_list(desk, partial(view, desk, job))

        return path(f"{prefix}import/{route}", model_admin.admin_site.admin_view(answer), name=f"{name}_{suffix}")

    return [
        page("", upload_view, "import"),
        page("<int:job_id>/", job_view, "import_job"),
        page("<int:job_id>/progress/", progress_view, "import_progress"),
        page("<int:job_id>/stop/", stop_view, "import_stop", post_only=True),
        page("<int:job_id>/discard/", discard_view, "import_discard", post_only=True, may_be_gone=True),
        page("<int:job_id>/format/", format_view, "import_format", post_only=True),
        page("<int:job_id>/rejected/", rejected_view, "import_rejected"),
    ]


def upload_view(desk: ImportDesk) -> HttpResponseBase:
    """Ask for a file; on POST, keep it and go on to its columns."""
    if not _may_add(desk):
        return desk.redirect()
    form_class = UploadForm if desk.campaign else OptOutForm
    form = form_class(desk.request.POST, desk.request.FILES) if desk.is_post else form_class()
    if form.is_valid():
        try:
            return _keep(desk, form.cleaned_data)
        except UnreadableFileError as error:
            form.add_error("pasted" if form.cleaned_data.get("pasted") else "file", error)
    title = _("Import recipients") if desk.campaign else _("Import opted-out numbers")
    context = {
        "form": form,
        "recipients": desk.campaign.messages.count() if desk.campaign else 0,
        "variables": desk.campaign.get_variables() if desk.campaign else [],
    }
    return desk.render_import("upload", title, **context)


def _keep(desk: ImportDesk, cleaned: dict[str, Any]) -> HttpResponseBase:
    user, reason = desk.request.user, cleaned.get("reason", "")
    if not cleaned.get("pasted"):
        job = keep_upload(desk.campaign, user, cleaned["file"], reason=reason)
        return desk.redirect("import_job", job.pk)
    job, columns = keep_pasted(user, cleaned["pasted"], reason=reason)
    if columns is not None:
        _confirm(desk, job, columns, NumberChoice())
    return desk.redirect("import_job", job.pk)


def job_view(desk: ImportDesk, job: BackgroundJob) -> HttpResponseBase:
    """Show the columns, the progress or the report of an import, by its state; on POST, confirm the columns."""
    if job.state == State.UPLOADED:
        return _columns_view(desk, job)
    if desk.is_post:
        # The second of two clicks: the import is already confirmed.
        return desk.redirect("import_job", job.pk)
    return desk.render_import("job", import_title(job), **_job_context(desk, job))


def _columns_view(desk: ImportDesk, job: BackgroundJob) -> HttpResponseBase:
    if not _may_add(desk):
        return desk.redirect()
    if job.parameters.get("problem"):
        return _trouble_view(desk, job, _format_form(desk, job))
    is_masked = not desk.sees_personal_data
    data = desk.request.POST if desk.is_post else None
    form = ColumnsForm(data, job, is_masked=is_masked)
    numbers = NumbersForm(data, job, form.phone_column(), shows_numbers=desk.sees_personal_data)
    if form.is_valid() and numbers.is_valid():
        _confirm(desk, job, form.chosen(), numbers.chosen())
        return desk.redirect("import_job", job.pk)
    rows = [(number, shown_values(values, is_masked=is_masked)) for number, values in job.parameters["preview"]["rows"]]
    context = {
        "form": form,
        "numbers": numbers,
        "columns": list(form.columns([values for _number, values in rows])),
        "rows": rows,
        "format": format_text(job),
        "is_large": is_large_upload(job),
        "missing": form.missing(),
        "variables": desk.campaign.get_variables() if desk.campaign else [],
        "hidden_rows": job.parameters["preview"].get("hidden_rows", 0),
        "hidden_columns": job.parameters["preview"].get("hidden_columns", ()),
        **_format_context(desk, job, None if "header" in job.parameters else _format_form(desk, job)),
    }
    return desk.render_import("columns", import_title(job), **context)


def format_view(desk: ImportDesk, job: BackgroundJob) -> HttpResponseBase:
    """Read the file in another way, and go back to its columns."""
    if not _may_add(desk):
        return desk.redirect()
    if job.state != State.UPLOADED or "header" in job.parameters:
        return desk.redirect("import_job", job.pk)
    form = _format_form(desk, job, desk.request.POST)
    if not form.is_valid():
        return _trouble_view(desk, job, form)
    read_again(job, form.options(), desk.request.user)
    return desk.redirect("import_job", job.pk)


def _trouble_view(desk: ImportDesk, job: BackgroundJob, form: FormatForm) -> HttpResponseBase:
    """Ask how to read a file that cannot be read as it was tried."""
    return desk.render_import("format", import_title(job), **_format_context(desk, job, form))


def _format_form(desk: ImportDesk, job: BackgroundJob, data: QueryDict | None = None) -> FormatForm:
    return FormatForm(data, job, is_masked=not desk.sees_personal_data)


def _format_context(desk: ImportDesk, job: BackgroundJob, form: FormatForm | None) -> dict[str, Any]:
    is_masked = not desk.sees_personal_data
    top = job.parameters.get("top", ())
    return {
        "format_form": form,
        "problem": job.parameters.get("problem", ""),
        "top_rows": [(number, shown_values(values, is_masked=is_masked)) for number, values in top],
        "header_row": (job.parameters.get("format") or {}).get("header_row"),
        "format_url": desk.url("import_format", job.pk),
        "discard_url": desk.url("import_discard", job.pk),
        "is_masked": is_masked,
    }


def _confirm(desk: ImportDesk, job: BackgroundJob, columns: Columns, numbers: NumberChoice) -> None:
    parameters = {**columns.as_parameters(), **numbers.as_parameters()}
    if not confirm_upload(job, parameters, at_once=not is_large_upload(job), user=desk.request.user):
        return
    job.refresh_from_db()
    if job.state != State.DONE:
        desk.log_change(_("Import confirmed: %(file)s.") % {"file": file_name(job)})
        return
    text = _("Imported from %(file)s: %(accepted)d accepted, %(repeated)d repeated, %(rejected)d rejected.")
    report = ImportReport.from_json(job.result)
    counts = {
        "accepted": report.accepted,
        "repeated": report.duplicates + report.existing,
        "rejected": report.rejected_count,
    }
    desk.log_change(text % {"file": file_name(job), **counts})


def progress_view(desk: ImportDesk, job: BackgroundJob) -> HttpResponseBase:
    """Return the part of the page that shows the progress of an import; the page polls it."""
    return desk.render_import("job_part", import_title(job), **_job_context(desk, job))


def stop_view(desk: ImportDesk, job: BackgroundJob) -> HttpResponseBase:
    """Stop an import that is waiting or under way."""
    if stop_job(job):
        desk.log_change(_("Import stopped: %(file)s.") % {"file": file_name(job)})
    else:
        desk.message_user(_("The import has already ended."))
    return desk.redirect("import_job", job.pk)


def discard_view(desk: ImportDesk, job: BackgroundJob | None) -> HttpResponseBase:
    """Delete a file that has not been imported; ``job`` is None for the second of two clicks."""
    if job and discard_upload(job):
        desk.message_user(_("The file was discarded. Nothing was imported from it."), messages.SUCCESS)
    return desk.redirect("import")


def rejected_view(desk: ImportDesk, job: BackgroundJob) -> HttpResponseBase:
    """Return the rejected rows as a file that can be fixed and imported again."""
    if not desk.sees_personal_data:
        raise PermissionDenied
    if not desk.is_post:
        return back_to_button(desk, desk.url("import_job", job.pk))
    response = private_file(job.produced, f"rejected-{job.pk}.csv")
    desk.log_change(_("Downloaded the rejected rows of %(file)s.") % {"file": file_name(job)})
    return response


def _may_add(desk: ImportDesk) -> bool:
    if desk.campaign is None or desk.campaign.is_editable:
        return True
    desk.message_user(_("Recipients can only be added before the launch."), messages.ERROR)
    return False


def _job_context(desk: ImportDesk, job: BackgroundJob) -> dict[str, Any]:
    is_masked = not desk.sees_personal_data
    return {
        "page": import_page(job, is_masked=is_masked),
        "is_masked": is_masked,
        "progress_url": desk.url("import_progress", job.pk),
        "stop_url": desk.url("import_stop", job.pk),
        "rejected_url": desk.url("import_rejected", job.pk),
    }
