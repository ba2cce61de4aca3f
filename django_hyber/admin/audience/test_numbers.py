from __future__ import annotations

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.common.model_admins import NumberListAdmin, PhoneField
from django_hyber.models import TestNumber

#: A name may end with a number, as in "Phone 12".
MOST_DIGITS = 4


class TestNumberForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's class takes no type at run time
    """Takes the number as people write it."""

    phone_number = PhoneField()

    class Meta:
        model = TestNumber
        fields = ("name", "phone_number")

    def clean_name(self) -> str:
        """Refuse a name that contains a number: it is shown to people who may not see numbers."""
        name = str(self.cleaned_data["name"])
        if sum(character.isdigit() for character in name) > MOST_DIGITS:
            raise ValidationError(_("Enter a name, not a number."))
        return name


@admin.register(TestNumber)
class TestNumberAdmin(NumberListAdmin):
    """The numbers to which people who may not launch campaigns send tests."""

    form = TestNumberForm
    fields = ("name", "phone_number")
    list_display = ("name", "phone_number", "added_by", "created_at")
    sortable_by = ("name",)
