"""The form that says how an uploaded file is to be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from django_hyber.audience.files.csv_file import SEPARATORS
from django_hyber.audience.files.encodings import ENCODING_NAMES
from django_hyber.audience.files.file_type import FileFormat, ReadOptions
from django_hyber.audience.files.xlsx_rows import MOST_ROWS
from django_hyber.models import BackgroundJob

SEPARATOR_NAMES = {",": _("Comma"), ";": _("Semicolon"), "\t": _("Tab"), "|": _("Vertical bar")}
#: A form field strips a tab.
SEPARATOR_CODES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}


class FormatForm(forms.Form):
    """How the file of an upload is read now, to be changed."""

    encoding = forms.ChoiceField(label=_("Encoding"), required=False)
    separator = forms.ChoiceField(label=_("Separator"), required=False)
    sheet = forms.ChoiceField(label=_("Sheet"), required=False)
    header_row = forms.IntegerField(label=_("Header row"), required=False, min_value=1, max_value=MOST_ROWS)

    def __init__(self, data: Mapping[str, Any] | None, job: BackgroundJob, *, is_masked: bool) -> None:
        known = job.parameters.get("format")
        self._wanted = job.parameters.get("wanted", {})
        found = FileFormat(**known) if known else None
        encodings = [name for name, _sample in job.parameters.get("encodings", ())]
        super().__init__(data, initial=_initial(found, self._wanted))
        if found and found.sheets:
            del self.fields["separator"]
            self._offer("sheet", [(name, name) for name in found.sheets])
            # Only to say that the text is right. Whether it looks garbled may be known after the last row.
            if encodings:
                self._offer("encoding", _labels(job, is_masked=is_masked))
                self.fields["encoding"].widget = forms.RadioSelect(choices=_labels(job, is_masked=is_masked))
            else:
                self._offer("encoding", [("", _("Automatic")), ("utf-8", ENCODING_NAMES["utf-8"])])
            return
        del self.fields["sheet"]
        others = [name for name in ENCODING_NAMES if name not in encodings and name != "utf-8-sig"]
        self._offer("encoding", [(name, ENCODING_NAMES[name]) for name in (*encodings, *others)])
        separators = [(SEPARATOR_CODES[mark], SEPARATOR_NAMES[mark]) for mark in SEPARATORS]
        self._offer("separator", separators if found else [("", _("Automatic")), *separators])
        if encodings:
            self.fields["encoding"].widget = forms.RadioSelect(choices=_labels(job, is_masked=is_masked))
            self.fields["encoding"].required = True

    def options(self) -> ReadOptions:
        """Return how the file is to be read: what was changed, now or before; the rest is found out again."""
        values = {name: self._wanted.get(name) for name in ("encoding", "separator", "sheet", "header_row")}
        changed = set(self.changed_data)
        if changed & {"sheet", "separator"}:
            # The header of another sheet is elsewhere.
            values["header_row"] = None
        values.update({name: self.cleaned_data[name] or None for name in changed})
        return ReadOptions(**values)

    def _offer(self, name: str, choices: list[tuple[str, Any]]) -> None:
        cast("forms.ChoiceField", self.fields[name]).choices = choices


def _initial(found: FileFormat | None, wanted: Mapping[str, Any]) -> dict[str, Any]:
    if found is None:
        return {name: wanted.get(name) for name in ("encoding", "separator", "header_row")}
    return {
        "encoding": found.encoding.removesuffix("-sig") or wanted.get("encoding"),
        "separator": SEPARATOR_CODES.get(found.separator),
        "sheet": found.sheet,
        "header_row": found.header_row or None,
    }


def _labels(job: BackgroundJob, *, is_masked: bool) -> list[tuple[str, str]]:
    """Return the encodings with a line of the file as it reads in each."""
    choices = job.parameters["encodings"]
    return [(name, ENCODING_NAMES[name] if is_masked else f"{ENCODING_NAMES[name]}: {line}") for name, line in choices]
