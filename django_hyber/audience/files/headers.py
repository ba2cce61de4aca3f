"""The row that names the columns of a table: found among the first rows, and checked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from django.utils.translation import gettext_lazy as _

from django_hyber.audience.files.file_type import NumberedCells, UnreadableFileError
from django_hyber.audience.files.values import clean_value

#: In order of preference: mobile phones before others.
PHONE_HEADERS = (
    *("phone_number", "phone", "phonenumber", "mobile", "mobile_phone", "mobile_number", "cell_phone"),
    *("phone_1_value", "msisdn"),
    *("мобільний", "мобільний_телефон", "мобільний_номер", "телефон_мобільний", "номер_мобільного", "моб_телефон"),
    *("номер_мобільного_телефону", "тел_моб", "моб_тел", "моб", "телефон_моб"),
    *("мобильный", "мобильный_телефон", "телефон_мобильный", "номер_мобильного", "номер_мобильного_телефона"),
    *("mobil", "mobiltelefon", "mobilnummer", "handy", "handynummer"),
    *("tel", "telephone", "telefon", "telefonnummer", "numer_telefonu"),
    *("телефон", "тел", "номер_телефону", "номер_телефона", "№_телефону", "№_телефона", "контактний_телефон"),
)
#: These may as well name an order number, or the cell of a shelf.
DOUBTFUL_HEADERS = frozenset(("cell", "number", "номер"))
_ANY_PHONE_HEADER = frozenset((*PHONE_HEADERS, *DOUBTFUL_HEADERS))
#: A header with one of these words may be that of phone numbers, unless it is one of what phones are like.
_PHONE_WORD = re.compile(
    r"[^\W\d_]*(?:phone|phones|telefon\w*|телефон\w*|мобіль\w*|мобиль\w*|mobil\w*|msisdn|handy\w*)"
    r"|cell|mob|tel|моб|тел",
    re.IGNORECASE,
)
_OF_PHONES = frozenset(("code", "label", "model", "type", "код", "марка", "модель", "тип", "hyber"))
_WORD = re.compile(r"[^\W\d_]+")
#: A header with so many digits is a phone number.
_LEAST_DIGITS = 9
#: The header is looked for in the first rows that are not blank.
SEARCHED_ROWS = 20
#: No table of people has more columns; each value of a row costs memory.
MOST_COLUMNS = 1_000
_SHOWN_NAMES = 10


def guess_column(headers: Sequence[str], names: Sequence[str]) -> str:
    """Return the column that has the first of these names, or an empty string if there is none or more than one."""
    found = _with_first(headers, names)
    return found[0] if len(found) == 1 else ""


def has_phone_header(headers: Iterable[str]) -> bool:
    """Return whether there is a name that phone columns have."""
    return not _ANY_PHONE_HEADER.isdisjoint(map(as_header, headers))


def phone_columns(headers: Sequence[str], *, every_number: bool = False) -> list[str]:
    """Return the columns that can be meant as that of the phone numbers: more than one if a person has to choose.

    With ``every_number``, none of them may be left out because there is a likelier one.
    """
    found = _with_first(headers, PHONE_HEADERS)
    doubtful = [] if found else [header for header in headers if is_doubtful(header)]
    if not doubtful and not (found and every_number):
        return found
    return [header for header in headers if header in {*found, *doubtful} or _names_phone(header)]


def is_doubtful(header: str) -> bool:
    """Return whether a phone column with this name was taken only for want of a better one."""
    return as_header(header) in DOUBTFUL_HEADERS


def _with_first(headers: Sequence[str], names: Sequence[str]) -> list[str]:
    found: dict[str, list[str]] = {}
    for header in headers:
        found.setdefault(as_header(header), []).append(header)
    return next((found[name] for name in names if name in found), [])


def _names_phone(header: str) -> bool:
    words = _WORD.findall(str(header).casefold())
    return any(map(_PHONE_WORD.fullmatch, words)) and _OF_PHONES.isdisjoint(words)


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
    wanted = {as_header(phone_column)} if phone_column else _ANY_PHONE_HEADER
    # A title may be such a word as well, but it stands alone.
    named_rows = [(number, names) for number, names in above if not wanted.isdisjoint(map(as_header, names))]
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
