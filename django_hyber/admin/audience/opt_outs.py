from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.audience.exports import export_view
from django_hyber.admin.audience.imports import ImportDesk, import_urls
from django_hyber.admin.common.desk import REFRESH, Desk
from django_hyber.admin.common.jobs import exported_file, job_line
from django_hyber.admin.common.model_admins import NumberListAdmin, PhoneField, ReadOnlyAdmin, link_to
from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.common.times import EMPTY, short_time
from django_hyber.models import FormerOptOut, Reply, Suppression
from django_hyber.replies.opt_out_list import remove_opt_outs
from django_hyber.statistics.progress import recent_jobs
from django_hyber.words.reasons import translate_reason

MOST_DELETED = 1_000


class OptOutChange(NamedTuple):
    """A line of a number's history."""

    moment: str
    text: str
    by: str
    reply: SafeString | str


def history_of(entry: Suppression) -> list[OptOutChange]:
    """Return every time that the number was put on the list and taken off it, the newest first."""
    steps = [_opted_out(entry)]
    for former in FormerOptOut.objects.filter(phone_number=entry.phone_number).select_related("reply", "ended_reply"):
        text = gettext("Removed from the list")
        steps.append(_step(former.ended_at, text, former.ended_reason, former.ended_by, former.ended_reply))
        steps.append(_opted_out(former))
    return steps


def _opted_out(entry: Suppression | FormerOptOut) -> OptOutChange:
    return _step(entry.created_at, gettext("Added to the list"), entry.reason, entry.added_by, entry.reply)


def _step(moment: datetime, text: str, reason: str, by: str, reply: Reply | None) -> OptOutChange:
    text = f"{text}: {translate_reason(reason)}" if reason else text
    return OptOutChange(short_time(moment), text, by, link_to(reply))


class SuppressionForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's class takes no type at run time
    """Takes the number as people write it."""

    phone_number = PhoneField()

    class Meta:
        model = Suppression
        fields = ("phone_number", "reason")


@admin.register(Suppression)
class SuppressionAdmin(NumberListAdmin):
    """The opt-out list."""

    form = SuppressionForm
    actions = ("delete_selected",)
    fields = ("phone_number", "reason", "history")
    readonly_fields = ("history",)
    list_display = ("phone_number", "why", "created_at")
    sortable_by = ("phone_number",)

    class Media:
        css = {"all": ("django_hyber/admin/campaign.css",)}
        js = ("django_hyber/admin/campaign.js",)

    def get_fields(self, request: HttpRequest, obj: Suppression | None = None) -> Any:
        """Show the history of a number that is on the list."""
        return self.fields if obj else SuppressionForm.Meta.fields

    def delete_model(self, request: HttpRequest, obj: Suppression) -> None:
        """Take the number off the list; who did it stays in its history."""
        remove_opt_outs(Suppression.objects.filter(pk=obj.pk), by=request.user.get_username())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> None:
        """Take the numbers off the list in the same way."""
        remove_opt_outs(queryset, by=request.user.get_username())

    @admin.display(description=_("history"))
    def history(self, entry: Suppression) -> SafeString:
        """When the number was put on the list and taken off it, by whom or by which reply."""
        return render_to_string("admin/django_hyber/suppression/history.html", {"steps": history_of(entry)})

    def get_urls(self) -> list[Any]:
        """Add the pages of imports and exports."""
        return [
            *import_urls(self, self._import_desk, "", "django_hyber_suppression"),
            self._page("export/", self.export_view, "export"),
            self._page("export/<int:job_id>/", self.exported_view, "exported"),
            self._page("jobs/", self.jobs_view, "jobs"),
            *super().get_urls(),
        ]

    def _page(self, route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
        return path(route, self.admin_site.admin_view(view), name=f"django_hyber_suppression_{name}")

    def _import_desk(self, request: HttpRequest) -> ImportDesk:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return ImportDesk(self, request, None)

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Offer the list as a file; on POST, return it."""
        return export_view(self._export_desk(request))

    def exported_view(self, request: HttpRequest, job_id: int) -> HttpResponseBase:
        """Return a file that a background job has written."""
        return exported_file(self._export_desk(request), job_id)

    def jobs_view(self, request: HttpRequest) -> HttpResponseBase:
        """Return the part of the list's page that shows background jobs; the page polls it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return Desk(self, request, None).part("suppression/jobs", **self._jobs(request))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Add the buttons for imports and exports, and the background jobs."""
        return super().changelist_view(request, {**self._jobs(request), **(extra_context or {})})

    def _jobs(self, request: HttpRequest) -> dict[str, Any]:
        desk = Desk(self, request, None)
        can_import, can_export = desk.may_add, desk.may_export
        jobs = recent_jobs(None, timezone.now()) if can_import or can_export else []
        lines = [job_line(desk, job) for job in jobs]
        refresh = str(REFRESH) if any(line.is_open for line in lines) else ""
        return {"can_import": can_import, "can_export": can_export, "jobs": lines, "refresh": refresh}

    def _export_desk(self, request: HttpRequest) -> Desk:
        desk = Desk(self, request, None)
        if not desk.may_view or not desk.may_export:
            raise PermissionDenied
        return desk

    @admin.action(description=_("Remove selected numbers from the list"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> Any:
        """Delete numbers after a confirmation page that lists each of them."""
        if len(queryset.order_by().values_list("pk")[: MOST_DELETED + 1]) > MOST_DELETED:
            text = _("At most %(most)s numbers can be removed from the list at once.")
            self.message_user(request, text % {"most": grouped(MOST_DELETED)}, messages.ERROR)
            return None
        return delete_selected(self, request, queryset)

    @admin.display(description=_("reason"))
    def why(self, suppression: Suppression) -> str:
        """The reason; the reasons that this package writes are translated."""
        return translate_reason(suppression.reason) or EMPTY


@admin.register(FormerOptOut)
class FormerOptOutAdmin(ReadOnlyAdmin):
    """The opt-outs that have ended, as proof of who came back and when."""

    list_display = ("phone_number", "created_at", "why", "ended_at", "why_ended", "ended_by")
    time_column = "ended_at"
    fields = (
        ("phone_number",),
        ("created_at", "why", "added_by", "opting_out"),
        ("ended_at", "why_ended", "ended_by", "coming_back"),
    )
    readonly_fields = ("why", "why_ended", "opting_out", "coming_back")

    @admin.display(description=_("reason"))
    def why(self, former: FormerOptOut) -> str:
        """Why the number was on the list."""
        return translate_reason(former.reason) or EMPTY

    @admin.display(description=_("reason for the removal"))
    def why_ended(self, former: FormerOptOut) -> str:
        """Why it was taken off the list."""
        return translate_reason(former.ended_reason) or EMPTY

    @admin.display(description=_("reply"))
    def opting_out(self, former: FormerOptOut) -> SafeString | str:
        """The reply that asked to stop."""
        return link_to(former.reply) or EMPTY

    @admin.display(description=_("reply"))
    def coming_back(self, former: FormerOptOut) -> SafeString | str:
        """The reply that asked to start again."""
        return link_to(former.ended_reply) or EMPTY
