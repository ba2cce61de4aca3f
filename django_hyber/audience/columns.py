"""Which column of a recipient file is what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext_lazy as _

from django_hyber.audience.files.encodings import UnreadableFileError
from django_hyber.protocol import check_variable_name
from django_hyber.texts.variables import OWN_TEXT

#: In the order of preference: "number" may as well be that of an order.
PHONE_HEADERS = (
    "phone_number",
    "phone",
    "phonenumber",
    "mobile",
    "mobile_phone",
    "msisdn",
    "tel",
    "telephone",
    "телефон",
    "номер_телефону",
    "номер_телефона",
    "мобільний",
    "мобільний_телефон",
    "number",
    "номер",
)
REASON_HEADERS = ("reason", "причина", "source", "джерело", "comment", "коментар")


@dataclass(frozen=True, kw_only=True)
class ColumnChoice:
    """What somebody has said about the columns; what is empty is found out.

    ``text_column`` holds a text for each recipient. ``variables`` names the variable that a column becomes, and columns
    that are not in it are ignored; None makes a variable of every column whose header can name one.
    """

    phone_column: str = ""
    text_column: str = ""
    variables: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        names = list((self.variables or {}).values())
        wrong = [name for name in names if check_variable_name(name) or names.count(name) > 1]
        if wrong:
            raise ValueError(f"These cannot be names of variables, or not twice: {', '.join(sorted(set(wrong)))}.")


class Layout(NamedTuple):
    """The phone column, the columns that become variables with their names, and the columns that nobody can use."""

    phone: str
    variables: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]


def lay_out(headers: Sequence[str], choice: ColumnChoice) -> Layout:
    """Find the columns. Raises UnreadableFileError when there is no phone or text column."""
    phone = _find_phone_column(headers, choice.phone_column)
    others = [header for header in headers if header != phone]
    if choice.variables is not None:
        named = {header: choice.variables[header] for header in others if header in choice.variables}
        ignored: list[str] = []
    else:
        named = {header: header for header in others if check_variable_name(header) is None}
        ignored = [str(header) for header in others if header not in named]
    if choice.text_column:
        text = _find_column(headers, choice.text_column)
        named = {header: name for header, name in named.items() if name != OWN_TEXT} | {text: OWN_TEXT}
        ignored = [header for header in ignored if header != text]
    return Layout(phone, tuple(named.items()), tuple(ignored))


def guess_column(headers: Sequence[str], names: Sequence[str] = PHONE_HEADERS) -> str:
    """Return the column that has the first of these names, by default those of phone numbers, or an empty string."""
    found = {as_header(header): header for header in headers}
    return next((found[name] for name in names if name in found), "")


def as_header(name: str) -> str:
    """Return a header as it is compared: "Phone number" is "phone_number"."""
    return re.sub(r"[\s-]+", "_", str(name).strip().casefold())


def _find_phone_column(headers: Sequence[str], wanted: str) -> str:
    column = _find_column(headers, wanted) if wanted else guess_column(headers)
    if column:
        return column
    raise UnreadableFileError(
        _('No column holds phone numbers. Call it "phone", or choose one of: %(columns)s.'),
        code="no-phone-column",
        params={"columns": ", ".join(str(header) for header in headers)},
    )


def _find_column(headers: Sequence[str], wanted: str) -> str:
    alike = [header for header in headers if as_header(header) == as_header(wanted)]
    if alike:
        return wanted if wanted in alike else alike[0]
    raise UnreadableFileError(
        _("There is no column “%(wanted)s”. There are: %(columns)s."),
        code="no-column",
        params={"wanted": wanted, "columns": ", ".join(str(header) for header in headers)},
    )
