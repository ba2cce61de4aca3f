"""The row that names the columns of a table: found among the first rows, and checked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from django.utils.translation import gettext_lazy as _

from django_hyber.audience.files.cells import NumberedCells, clean_value
from django_hyber.audience.files.file_type import UnreadableFileError
from django_hyber.conf import find_accounts
from django_hyber.protocol import InvalidPhone, parse_phone

#: In order of preference, for what may choose one of two columns: mobile phones before others.
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
_PHONE_HEADERS = frozenset(PHONE_HEADERS)
_ANY_PHONE_HEADER = _PHONE_HEADERS | DOUBTFUL_HEADERS
#: A header with one of these words may be that of phone numbers, unless it is one of what phones are like.
_PHONE_WORD = re.compile(
    r"[^\W\d_]*(?:phone|phones|telefon\w*|телефон\w*|мобіль\w*|мобиль\w*|mobil\w*|msisdn|handy\w*)"
    r"|cell|mob|tel|моб|тел",
    re.IGNORECASE,
)
_OF_PHONES = frozenset(("code", "country", "label", "model", "type", "код", "марка", "модель", "тип", "hyber"))
_WORD = re.compile(r"[^\W\d_]+")
#: What has so many digits, and no letters, may be a phone number.
_LEAST_DIGITS = 9
#: Days and times are written with as many digits, and no number is written like them.
_MOMENT = re.compile(
    r"(?<![0-9])[0-9]{1,2}([./-])[0-9]{1,2}\1(?:19|20)[0-9]{2}(?![0-9])"
    r"|(?<![0-9])(?:19|20)[0-9]{2}([./-])[0-9]{1,2}\2[0-9]{1,2}(?![0-9])|[0-9]:[0-9]{2}"
)
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


def phone_columns(headers: Iterable[str]) -> list[str]:
    """Return the columns that can be meant as that of the phone numbers, by their names.

    A doubtful name does not count beside one that is certain.
    """
    found = [header for header in headers if has_phone_header([header]) or _names_phone(header)]
    if any(is_phone_header(header) for header in found):
        return [header for header in found if not is_doubtful(header)]
    return found


def is_phone_header(header: str) -> bool:
    """Return whether phone numbers are meant for certain."""
    return as_header(header) in _PHONE_HEADERS


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
    """Normalize a header for comparison: "Phone number:" becomes "phone_number", and "Тел. моб." "тел_моб"."""
    return re.sub(r"[\s.-]+", "_", str(name).strip().casefold()).rstrip("_:*")


def find_header(rows: Iterable[NumberedCells], phone_column: str = "") -> int:
    """Return the number of the row that names the columns, or 0 if there are no rows.

    It is the first row that names the phone column, or else the first of several texts, and never one below a phone
    number: rows of people are not skipped as a title. Other numbers, such as that of a company, may be in a title.
    """
    above: list[tuple[int, list[str]]] = []
    regions = _regions()
    for number, cells in rows:
        names = [name for name in map(clean_value, cells) if name]
        if len(above) == SEARCHED_ROWS or any(_is_phone(name, regions) for name in names):
            break
        if names:
            above.append((number, names))
    wanted = {as_header(phone_column)} if phone_column else _ANY_PHONE_HEADER
    # A title may be such a word as well, but it stands alone.
    named_rows = [(number, names) for number, names in above if not wanted.isdisjoint(map(as_header, names))]
    named = next((number for number, names in named_rows if len(names) > 1), named_rows[0][0] if named_rows else 0)
    tables = [(number, names) for number, names in above if len(names) > 1]
    likely = next((number for number, names in tables if any(map(_names_phone, names))), 0)
    return named or likely or (tables or above or [(0, [])])[0][0]


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
    if _is_row_of_people(names):
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


def _is_row_of_people(names: Sequence[str]) -> bool:
    numbers = [name for name in names if is_number(name)]
    # Beside the name of a phone column, a range of sums is a name as well.
    return bool(numbers) and (not has_phone_header(names) or any(_is_phone(name, _regions()) for name in numbers))


def is_number(name: str) -> bool:
    """Return whether it may be a phone number, perhaps with a mistake."""
    has_digits = sum(map(str.isdecimal, name)) >= _LEAST_DIGITS
    return has_digits and not any(map(str.isalpha, name)) and not _MOMENT.search(name)


def _is_phone(name: str, regions: Collection[str]) -> bool:
    """Return whether it is a valid number, in one of these regions or elsewhere."""
    return is_number(name) and (not regions or any(_is_valid(name, region) for region in regions))


def _is_valid(name: str, region: str) -> bool:
    try:
        parse_phone(name, region, foreign=True)
    except InvalidPhone:
        return False
    return True


def _regions() -> set[str]:
    """Return the regions of the accounts; without any, numbers cannot be validated."""
    return {account.default_region for account in find_accounts() if account.default_region}
