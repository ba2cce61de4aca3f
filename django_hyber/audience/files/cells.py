"""Values as they are used: normal letters, no invisible marks; those of files also without surrounding space."""

from __future__ import annotations

import re
import unicodedata

from django_hyber.protocol import clean_text

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
