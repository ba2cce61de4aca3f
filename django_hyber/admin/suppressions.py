from __future__ import annotations

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminTextInputWidget
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.base import HyberAdmin
from django_hyber.admin.masking import sees_personal_data
from django_hyber.models import Suppression
from django_hyber.services.lookups import clean_phone

LONGEST_TYPED = 40


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
        """Return the digits, by which campaigns compare."""
        return clean_phone(self.cleaned_data["phone_number"])


@admin.register(Suppression)
class SuppressionAdmin(HyberAdmin):
    """Who must not be written to."""

    form = SuppressionForm
    list_display = ("phone_number", "why", "created_at")
    search_fields = ("phone_number",)
    phone_search_help_text = _("A whole phone number.")
    phone_column = "phone_number"
    sortable_by = ("phone_number",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse whoever may not see numbers: the form would tell them which ones are on the list already."""
        return sees_personal_data(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Suppression | None = None) -> bool:
        """Refuse whoever may not see the number: the form would show it."""
        return sees_personal_data(request) and super().has_change_permission(request, obj)

    @admin.display(description=_("reason"))
    def why(self, suppression: Suppression) -> str:
        """The reason; what the app itself writes there is translated."""
        return gettext(suppression.reason) if suppression.reason else "-"
