"""Values as they are used: normal letters, no invisible marks; those of files also without surrounding space."""

from __future__ import annotations

import re
import unicodedata

from django_hyber.protocol import clean_text

#: What programs write where there is no value: of their own, and the errors of spreadsheets in English, Ukrainian,
#: Russian, Polish and German.
NO_VALUES = frozenset(
    (
        *("NULL", "null", "(null)", "[NULL]", "<null>", "\\N", "None", "NaN", "nan", "undefined"),
        *("N/A", "n/a", "N.A.", "n.a.", "-", "--", "---", "–", "—"),
        *("#N/A", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#GETTING_DATA", "#SPILL!", "#CALC!"),
        *("#ERROR!", "#BUSY!", "#FIELD!", "#BLOCKED!", "#CONNECT!", "#UNKNOWN!"),
        *("#Н/Д", "#ДІЛ/0!", "#ЗНАЧ!", "#ПОСИЛАННЯ!", "#ІМ'Я?", "#ІМ’Я?", "#ЧИСЛО!", "#ПУСТО!"),
        *("#ДЕЛ/0!", "#ССЫЛКА!", "#ИМЯ?", "#ПЕРЕНОС!", "#ВЫЧИСЛ!"),
        *("#N/D!", "#DZIEL/0!", "#ARG!", "#ADR!", "#NAZWA?", "#LICZBA!", "#ZERO!"),
        *("#NV", "#WERT!", "#BEZUG!", "#ZAHL!"),
    )
)
_LONGEST_NO_VALUE = max(map(len, NO_VALUES))
#: Soft hyphens, and marks of direction and of line breaks. They have no place in a name or number.
_MARKS = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
#: Joiners and variation selectors belong to emoji and to some scripts: not to what stands before U+0530, but for the
#: signs © and ®, and for the digits of keycaps.
_JOINERS = re.compile("(?:^|(?<=[\0-\xa8\xaa-\xad\xaf-\u052f]))[\u200c\u200d\ufe00-\ufe0f]+(?!\u20e3)")
_ANY_MARK = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")


def clean_value(value: str) -> str:
    """Return the text of a cell, normal and trimmed; "" for what means that there is no value."""
    value = normal_text(value).strip()
    return "" if len(value) <= _LONGEST_NO_VALUE and value in NO_VALUES else value


def value_of_code(value: str) -> str:
    """Return a text that code gives: with the space around it, but "" for what means that there is no value."""
    value = normal_text(value)
    return value if len(value) > _LONGEST_NO_VALUE or clean_value(value) else ""


def normal_text(value: str) -> str:
    """Return a text in NFC, without invisible marks and what databases do not accept.

    In NFC "й" is one letter; as two, it halves what fits into an SMS.
    """
    if value.isascii():
        return value.replace("\x00", "") if "\x00" in value else value
    if _ANY_MARK.search(value):
        value = _JOINERS.sub("", _MARKS.sub("", value))
    return unicodedata.normalize("NFC", clean_text(value))
