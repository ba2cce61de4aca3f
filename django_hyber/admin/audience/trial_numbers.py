from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.common.base import HyberAdmin, PhoneField
from django_hyber.admin.common.masking import sees_personal_data
from django_hyber.models import TrialNumber

#: A name may end with a number, as in "Phone 12".
MOST_DIGITS = 4


class TrialNumberForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's class takes no type at run time
    """Takes the number as people write it."""

    phone_number = PhoneField()

    class Meta:
        model = TrialNumber
        fields = ("name", "phone_number")

    def clean_name(self) -> str:
        """Refuse a name that contains a number: it is shown to people who may not see numbers."""
        name = str(self.cleaned_data["name"])
        if sum(character.isdigit() for character in name) > MOST_DIGITS:
            raise ValidationError(_("Enter a name, not a number."))
        return name


@admin.register(TrialNumber)
class TrialNumberAdmin(HyberAdmin):
    """The numbers to which people who may not launch campaigns send tests."""

    form = TrialNumberForm
    add_label = _("Add number")
    fields = ("name", "phone_number")
    list_display = ("name", "phone_number", "added_by", "created_at")
    search_fields = ("phone_number",)
    phone_search_help_text = _("Enter a full phone number, in any format.")
    phone_column = "phone_number"
    sortable_by = ("name",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse users who may not see numbers: the form reveals which ones are on the list."""
        return sees_personal_data(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: TrialNumber | None = None) -> bool:
        """Refuse users who may not see the number: the form would show it."""
        return sees_personal_data(request) and super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: TrialNumber, form: Any, change: bool) -> None:  # noqa: FBT001
        """Store who has added the number."""
        if not change:
            obj.added_by = request.user.get_username()
        super().save_model(request, obj, form, change)
