from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.audience.exports import export_view
from django_hyber.admin.audience.imports import ImportDesk, import_urls
from django_hyber.admin.campaigns.progress_page import REFRESH
from django_hyber.admin.common.base import HyberAdmin
from django_hyber.admin.common.desk import Desk
from django_hyber.admin.common.jobs import exported_file, job_line, may_export
from django_hyber.admin.common.masking import sees_personal_data
from django_hyber.admin.common.paginators import grouped
from django_hyber.models import Suppression
from django_hyber.reasons import translate_reason
from django_hyber.statistics.progress import recent_jobs
from django_hyber.words import clean_phone

LONGEST_TYPED = 40
MOST_DELETED = 1_000


class SuppressionForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's class takes no type at run time
    """Takes the number as people write it."""

    phone_number = forms.CharField(
        label=_("Phone number"),
        max_length=LONGEST_TYPED,
        widget=AdminTextInputWidget(attrs={"inputmode": "tel", "autocomplete": "off"}),
        help_text=_("As in +380 67 123 45 67; spaces, dashes and brackets do no harm."),
    )

    class Meta:
        model = Suppression
        fields = ("phone_number", "reason")

    def clean_phone_number(self) -> str:
        """Return the digits only, as campaigns compare numbers."""
        return clean_phone(self.cleaned_data["phone_number"])


@admin.register(Suppression)
class SuppressionAdmin(HyberAdmin):
    """The opt-out list."""

    form = SuppressionForm
    actions = ("delete_selected",)
    list_display = ("phone_number", "why", "created_at")
    search_fields = ("phone_number",)
    phone_search_help_text = _("A whole phone number, however it is written.")
    phone_column = "phone_number"
    sortable_by = ("phone_number",)

    class Media:
        css = {"all": ("django_hyber/admin/campaign.css",)}
        js = ("django_hyber/admin/campaign.js",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse users who may not see numbers: the form reveals which ones are on the list."""
        return sees_personal_data(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Suppression | None = None) -> bool:
        """Refuse users who may not see the number: the form would show it."""
        return sees_personal_data(request) and super().has_change_permission(request, obj)

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
        self._check_export(request)
        return export_view(Desk(self, request, None))

    def exported_view(self, request: HttpRequest, job_id: int) -> HttpResponseBase:
        """Return a file that a background job has written."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        self._check_export(request)
        return exported_file(Desk(self, request, None), job_id)

    def jobs_view(self, request: HttpRequest) -> HttpResponseBase:
        """Return the part of the list's page that shows background jobs; the page polls it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return Desk(self, request, None).part("suppression/jobs", **self._jobs(request))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Add the buttons for imports and exports, and the background jobs."""
        return super().changelist_view(request, {**self._jobs(request), **(extra_context or {})})

    def _jobs(self, request: HttpRequest) -> dict[str, Any]:
        can_import, can_export = self.has_add_permission(request), may_export(request)
        jobs = recent_jobs(None, timezone.now()) if can_import or can_export else []
        lines = [job_line(request, None, job) for job in jobs]
        refresh = str(REFRESH) if any(line.is_open for line in lines) else ""
        return {"can_import": can_import, "can_export": can_export, "jobs": lines, "refresh": refresh}

    def _check_export(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request) or not may_export(request):
            raise PermissionDenied

    @admin.action(description=_("Take selected numbers off the list"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> Any:
        """Delete numbers after a confirmation page that lists each of them."""
        if len(queryset.order_by().values_list("pk")[: MOST_DELETED + 1]) > MOST_DELETED:
            text = _("No more than %(most)s numbers can be taken off the list at once.")
            self.message_user(request, text % {"most": grouped(MOST_DELETED)}, messages.ERROR)
            return None
        return delete_selected(self, request, queryset)

    @admin.display(description=_("reason"))
    def why(self, suppression: Suppression) -> str:
        """The reason; the reasons that this package writes are translated."""
        return translate_reason(suppression.reason) or "-"
