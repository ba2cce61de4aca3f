"""The forms of an import: the file, and the use of its columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.core.files.uploadedfile import UploadedFile
from django.forms.boundfield import BoundField
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_hyber.audience.columns import (
    CAMPAIGN_USES,
    OPT_OUT_USES,
    ColumnChoice,
    Columns,
    Use,
    check_choices,
    choice_for,
    chosen_columns,
    guess_columns,
    missing_variables,
)
from django_hyber.audience.files.reading import FILE_TYPES
from django_hyber.audience.uploads import MAX_BYTES, MEGABYTE
from django_hyber.models import TEXT_LIMIT, BackgroundJob
from django_hyber.privacy import MASK, mask_phones_in

#: DATA_UPLOAD_MAX_MEMORY_SIZE is 2.5 MB by default, and a letter may take two bytes.
LONGEST_PASTED = 1_000_000
LONGEST_NAME = 255
USE_LABELS = {
    Use.PHONE: gettext_lazy("Phone number"),
    Use.VARIABLE: gettext_lazy("Variable named"),
    Use.TEXT: gettext_lazy("The recipient's individual text"),
    Use.REASON: gettext_lazy("Reason"),
    Use.NOTHING: gettext_lazy("Do not import"),
}
ACCEPTED = gettext_lazy(
    "CSV with commas, semicolons, tabs or vertical bars, or XLSX; up to %(most)d MB, with a header row."
)


def file_field(*, required: bool) -> forms.FileField:
    """Return the field for a file of numbers."""
    return forms.FileField(
        label=gettext_lazy("File"),
        required=required,
        error_messages={"empty": gettext_lazy("The file is empty.")},
        widget=forms.FileInput(attrs={"accept": ",".join(suffix for known in FILE_TYPES for suffix in known.suffixes)}),
    )


def pasted_field(help_text: Any) -> forms.CharField:
    """Return the field for pasted numbers."""
    return forms.CharField(
        label=gettext_lazy("Or paste numbers"),
        required=False,
        max_length=LONGEST_PASTED,
        widget=AdminTextareaWidget(attrs={"rows": 6, "autocomplete": "off", "spellcheck": "false"}),
        help_text=help_text,
    )


class UploadForm(forms.Form):
    """A file of recipients."""

    file = file_field(required=True)

    def __init__(
        self, data: Mapping[str, Any] | None = None, files: MultiValueDict[str, UploadedFile[bytes]] | None = None
    ) -> None:
        super().__init__(data, files)
        self.fields["file"].help_text = ACCEPTED % {"most": MAX_BYTES // MEGABYTE}


class OptOutForm(UploadForm):
    """A file of numbers that have opted out, or the numbers themselves."""

    file = file_field(required=False)
    pasted = pasted_field(gettext_lazy("One per line, optionally followed by a reason after a semicolon or a tab."))
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=TEXT_LIMIT,
        widget=AdminTextInputWidget(),
        help_text=gettext_lazy("For rows without a reason: where the list comes from, or why people are on it."),
    )

    def clean(self) -> dict[str, Any]:
        """Require either a file or pasted numbers."""
        cleaned: dict[str, Any] = super().clean() or {}
        has_file, has_text = bool(cleaned.get("file")), bool(cleaned.get("pasted"))
        if has_file and has_text:
            self.add_error("pasted", _("Choose a file or paste numbers, not both."))
        if not has_file and not has_text and not self.errors:
            self.add_error("file", _("Choose a file, or paste numbers below."))
        return cleaned


@dataclass(frozen=True)
class UploadColumn:
    """A column of the upload as the form shows it; ``examples`` are its first values.

    If it is not ``is_exact``, the sheet may show its values in another way.
    """

    header: str
    examples: Sequence[str]
    use: BoundField
    name: BoundField | None
    is_exact: bool


def shown_headers(headers: Sequence[str]) -> list[str]:
    """Return the headers as users see them who may not see personal data.

    If a number is among them, the file has no headers and these are the values of a person.
    """
    return [MASK] * len(headers) if any(mask_phones_in(header) != header for header in headers) else list(headers)


class ColumnsForm(forms.Form):
    """What each column of an upload is for. The fields are named by the number of the column."""

    def __init__(self, data: Mapping[str, Any] | None, job: BackgroundJob, *, is_masked: bool = False) -> None:
        super().__init__(data)
        preview = job.parameters["preview"]
        self.headers: list[str] = preview["headers"]
        self._inexact = set(preview.get("inexact_columns", ()))
        self._shown = shown_headers(self.headers) if is_masked else self.headers
        self._campaign = job.campaign
        # Of several that may be meant, none is.
        found = preview.get("phone_columns", ())
        guessed = guess_columns(self.headers, job.campaign, found[0] if len(found) == 1 else "")
        for number, header in enumerate(self.headers):
            self._add_fields(number, self._shown[number], choice_for(header, guessed, job.campaign))

    def _add_fields(self, number: int, header: str, choice: ColumnChoice) -> None:
        offered = CAMPAIGN_USES if self._campaign else OPT_OUT_USES
        self.fields[f"use-{number}"] = forms.ChoiceField(
            label=header,
            choices=[(str(use), USE_LABELS[use]) for use in offered],
            initial=str(choice.use),
            error_messages={"invalid_choice": _("Choose what this column is for.")},
        )
        if self._campaign:
            label = _("Name of the variable in “%(column)s”") % {"column": header}
            attributes = {"aria-label": label, "placeholder": _("name of the variable"), "list": "hyber-variables"}
            self.fields[f"name-{number}"] = forms.CharField(
                label=label,
                required=False,
                max_length=LONGEST_NAME,
                initial="" if header == MASK else choice.name,
                widget=forms.TextInput(attrs={**attributes, "autocomplete": "off", "spellcheck": "false"}),
            )

    def clean(self) -> dict[str, Any]:
        """Add each error to its field."""
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        choices = self._choices(cleaned)
        for number, error in check_choices(choices, self._campaign):
            if number is None:
                self.add_error(None, error)
            else:
                part = "name" if choices[number].use == Use.VARIABLE else "use"
                self.add_error(f"{part}-{number}", error)
        return cleaned

    def chosen(self) -> Columns:
        """Return the columns of a valid form."""
        return chosen_columns(self.headers, self._choices(self.cleaned_data))

    def phone_column(self) -> str:
        """Return the column that is chosen for phone numbers, or an empty string."""
        values = {name: self[name].value() or "" for name in self.fields}
        choices = zip(self.headers, self._choices(values), strict=True)
        return next((header for header, choice in choices if choice.use == Use.PHONE), "")

    def missing(self) -> list[str]:
        """Return the variables of the campaign's texts for which no column is chosen."""
        values = {name: self[name].value() or "" for name in self.fields}
        return missing_variables({choice.name for choice in self._choices(values)}, self._campaign)

    def columns(self, rows: Sequence[Sequence[str]]) -> Iterator[UploadColumn]:
        """Yield the columns with the values of these rows."""
        for number, header in enumerate(self._shown):
            name = self[f"name-{number}"] if self._campaign else None
            examples = [row[number] for row in rows]
            yield UploadColumn(header, examples, self[f"use-{number}"], name, self.headers[number] not in self._inexact)

    def _choices(self, values: Mapping[str, str]) -> list[ColumnChoice]:
        choices = []
        for number in range(len(self.headers)):
            chosen = values.get(f"use-{number}", "")
            use = Use(chosen) if chosen in {*Use} else Use.NOTHING
            name = values.get(f"name-{number}", "") if use == Use.VARIABLE else ""
            # Percent signs are often copied from the texts.
            choices.append(ColumnChoice(use, name.strip().strip("%")))
        return choices
