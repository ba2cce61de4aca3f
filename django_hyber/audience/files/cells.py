"""The cells of a table: their texts as they are used, and as they are written so that none becomes a formula.

Texts get normal letters and lose invisible marks; those of files also lose surrounding space.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from django_hyber.protocol import clean_text
from django_hyber.texts.variable_values import value_text

_SIGN = "[-=+@\uff1d\uff0b\uff0d\uff20]"
#: A cell that a spreadsheet would evaluate as a formula.
_FORMULA = rf"[\s\"']*{_SIGN}"
FORMULA = re.compile(rf"'*[\t\r\n]|{_FORMULA}")
#: A cell also begins within a text, if the spreadsheet expects another separator than the file has.
_INNER = r"(?<=[,;|\t\r\n])"
_FORMULA_PLACES = re.compile(rf"\A(?={FORMULA.pattern})|{_INNER}(?={_FORMULA})")
_MARKED_PLACES = re.compile(rf"\A(?='(?:{FORMULA.pattern}))|{_INNER}(?='{_FORMULA})")
_PROTECTIONS = re.compile(rf"\A'(?={FORMULA.pattern})|{_INNER}'(?={_FORMULA})")

_HYPHENS = ("-", "–", "—", "\u2010", "\u2011", "\u2012", "\u2015", "\u2212", "\uff0d")
#: What stands for no value in large and in small letters.
_IN_ANY_CASE = (
    *("None", "undefined", "n/a", "n.a.", "н/д", "н.д.", "<na>", "#n/a n/a", "#na", "(null)", "[null]", "<null>"),
    *("(blank)", "(empty)", "(пусто)", "(порожньо)", "(leer)", "(puste)", "Invalid date"),
    *("#n/a", "#null!", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#getting_data", "#spill!", "#calc!"),
    *("#error!", "#busy!", "#field!", "#blocked!", "#connect!", "#unknown!", "loading..."),
    *("#н/д", "#діл/0!", "#знач!", "#посилання!", "#ссилка!", "#ім'я?", "#ім’я?", "#число!", "#пусто!", "#обчисл!"),
    *("#перенесення!", "#дел/0!", "#ссылка!", "#имя?", "#перенос!", "#вычисл!"),
    *("#n/d!", "#dziel/0!", "#arg!", "#adr!", "#nazwa?", "#liczba!", "#zero!", "#nv", "#wert!", "#bezug!", "#zahl!"),
    *(f"{word}:{number}" for word in ("Err", "Ошибка", "Помилка") for number in range(501, 541)),
)
#: What programs write where there is no value: of their own, and the errors of spreadsheets in English, Ukrainian,
#: Russian, Polish and German. People are called Null, Na, Nan, Nil and Nat: those words count as written by programs.
NO_VALUES = frozenset(
    (
        *(change(word) for word in _IN_ANY_CASE for change in (str, str.lower, str.upper, str.title)),
        *("NULL", "null", "nil", "NA", "NaN", "nan", "-nan", "-NaN", "NaT", "inf", "-inf", "Infinity", "\\N"),
        *("0000-00-00", "0000-00-00 00:00:00", "00.00.0000", "0001-01-01", "0001-01-01 00:00:00", "01.01.0001"),
        *("0001-01-01T00:00:00", "01.01.0001 00:00:00", "01.01.0001 0:00:00", ".  ."),
        *(hyphen * count for hyphen in _HYPHENS for count in range(1, 4)),
    )
)
#: Soft hyphens, and marks of direction and of line breaks. They have no place in a name or number.
_MARKS = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
#: Joiners and variation selectors belong to emoji and to some scripts: not to what stands before U+0530, but for the
#: signs © and ®, and for the digits of keycaps.
_JOINERS = re.compile("(?:^|(?<=[\0-\xa8\xaa-\xad\xaf-\u052f]))[\u200c\u200d\ufe00-\ufe0f]+(?!\u20e3)")
#: Those, and what databases do not accept.
_ANY_MARK = re.compile("[\0\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ud800-\udfff]")


def clean_value(value: str) -> str:
    """Return the text of a cell, normal and trimmed; "" for what means that there is no value."""
    value = normal_text(value).strip()
    return "" if value in NO_VALUES else value


def value_of_code(value: str) -> str:
    """Return a text that code gives: with the space around it, but "" for what means that there is no value."""
    value = normal_text(value)
    bare = value.strip()
    return value if bare and bare not in NO_VALUES else ""


def normal_text(value: str) -> str:
    """Return a text in NFC, without invisible marks and what databases do not accept.

    In NFC "й" is one letter; as two, it halves what fits into an SMS.
    """
    if value.isascii():
        return value.replace("\x00", "") if "\x00" in value else value
    if _ANY_MARK.search(value):
        value = clean_text(_JOINERS.sub("", _MARKS.sub("", value)))
    return unicodedata.normalize("NFC", value)


class Cells(list[str]):
    """The values of a row. ``unknown`` are the columns with formulas whose results are not in the file."""

    __slots__ = ("unknown",)

    def __init__(self, values: Iterable[str], unknown: frozenset[int]) -> None:
        super().__init__(values)
        self.unknown = unknown


NumberedCells = tuple[int, Sequence[str]]


class ShownText(str):
    """The text of a value of another type. ``raw`` is the value itself: a date must not be parsed as a phone number."""

    __slots__ = ("raw",)
    raw: object

    @classmethod
    def of(cls, value: object) -> str:
        """Return any value as text, "" for what means that there is no value."""
        if isinstance(value, str):
            return normal_text(value)
        shown = value_of_code(value_text(value))
        if not shown:
            return ""
        text = cls(shown)
        text.raw = value
        return text


def column_letters(place: int) -> str:
    """Return the name that a spreadsheet gives to a column; the first has the place 0."""
    letters = ""
    number = place + 1
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def protect(text: str) -> str:
    """Put an apostrophe before each formula, also where a cell begins for another separator; the import strips it."""
    # Blanks hold no formula, and are trimmed when they are read.
    return _FORMULA_PLACES.sub("'", text) if text.strip() else text


def protect_protected(text: str) -> str:
    """Put another apostrophe before each that looks like a protection, so that the text keeps its own."""
    return _MARKED_PLACES.sub("'", text) if "'" in text else text


def unprotect(text: str) -> str:
    """Strip the apostrophes of the protection."""
    return _PROTECTIONS.sub("", text) if "'" in text else text
