"""The row that names the columns of a table: found among the first rows, and checked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from django.utils.translation import gettext_lazy as _

from django_hyber.audience.files.file_type import NumberedCells, UnreadableFileError
from django_hyber.audience.files.values import clean_value

#: In order of preference: mobile phones before others, and "number" late, because it may be an order number.
PHONE_HEADERS = (
    *("phone_number", "phone", "phonenumber", "mobile", "mobile_phone", "mobile_number", "cell", "cell_phone"),
    *("phone_1_value", "msisdn"),
    *("мобільний", "мобільний_телефон", "мобільний_номер", "телефон_мобільний", "номер_мобільного", "моб_телефон"),
    *("номер_мобільного_телефону", "тел_моб", "моб_тел", "моб", "телефон_моб"),
    *("мобильный", "мобильный_телефон", "телефон_мобильный", "номер_мобильного", "номер_мобильного_телефона"),
    *("mobil", "mobiltelefon", "mobilnummer", "handy", "handynummer"),
    *("tel", "telephone", "telefon", "telefonnummer", "numer_telefonu"),
    *("телефон", "тел", "номер_телефону", "номер_телефона", "№_телефону", "№_телефона", "контактний_телефон"),
    *("number", "номер"),
)
#: A header with so many digits is a phone number.
_LEAST_DIGITS = 9
#: The header is looked for in the first rows that are not blank.
SEARCHED_ROWS = 20
#: No table of people has more columns; each value of a row costs memory.
MOST_COLUMNS = 1_000
_SHOWN_NAMES = 10


def guess_column(headers: Sequence[str], names: Sequence[str] = PHONE_HEADERS) -> str:
    """Return the column that has the first of these names, by default those of phone numbers, or an empty string."""
    found = {as_header(header): header for header in headers}
    return next((found[name] for name in names if name in found), "")


def as_header(name: str) -> str:
    """Normalize a header for comparison: "Phone number" becomes "phone_number", and "Тел. моб." "тел_моб"."""
    return re.sub(r"[\s.-]+", "_", str(name).strip().casefold()).removesuffix("_")


def find_header(rows: Iterable[NumberedCells], phone_column: str = "") -> int:
    """Return the number of the row that names the columns, or 0 if there are no rows.

    It is the first row that names the phone column, or else the first of several texts, and never one below a phone
    number: rows of people are not skipped as a title.
    """
    above: list[tuple[int, list[str]]] = []
    for number, cells in rows:
        names = [name for name in map(clean_value, cells) if name]
        if len(above) == SEARCHED_ROWS or any(map(is_number, names)):
            break
        if names:
            above.append((number, names))
    wanted = (as_header(phone_column),) if phone_column else PHONE_HEADERS
    # A title may be such a word as well, but it stands alone.
    named_rows = [(number, names) for number, names in above if guess_column(names, wanted)]
    named = next((number for number, names in named_rows if len(names) > 1), named_rows[0][0] if named_rows else 0)
    several = next((number for number, names in above if len(names) > 1), 0)
    return named or several or (above[0][0] if above else 0)


def read_header(cells: Sequence[str]) -> list[str]:
    """Return the names of the columns, "" for a column without one. Raises UnreadableFileError."""
    names = [" ".join(clean_value(cell).splitlines()) for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise UnreadableFileError(_("The file is empty. Its first line must contain the column names."), code="empty")
    if len(names) > MOST_COLUMNS:
        raise UnreadableFileError(
            _("The file has more than %(most)d columns. Keep only those that are needed."),
            code="too-many-columns",
            params={"most": MOST_COLUMNS},
        )
    if any(map(is_number, names)):
        raise UnreadableFileError(
            _(
                "The first line must contain the column names, but it contains a phone number. Add a line with the "
                "names above it, such as “phone” and “name”."
            ),
            code="no-header",
        )
    repeated = sorted(name for name, count in Counter(names).items() if name and count > 1)
    if repeated:
        raise UnreadableFileError(
            _("Several columns have the same name: %(columns)s. Give each a name of its own."),
            code="repeated-columns",
            params={"columns": ", ".join(repeated[:_SHOWN_NAMES])},
        )
    return names


def is_number(name: str) -> bool:
    """Return whether it may be a phone number."""
    return sum(map(str.isdecimal, name)) >= _LEAST_DIGITS and not any(map(str.isalpha, name))
