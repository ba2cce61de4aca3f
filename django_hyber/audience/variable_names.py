"""Names of variables for the headers of tables, which are written for people: "Ім'я" becomes name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from django_hyber.audience.files.headers import as_header
from django_hyber.protocol import check_variable_name

#: The likeliest name first: that of the campaign's texts is taken if it is among them.
COMMON = {
    "імя": ("name", "first_name", "firstname"),
    "имя": ("name", "first_name", "firstname"),
    "imię": ("name", "first_name", "firstname"),
    "прізвище": ("surname", "last_name", "lastname"),
    "фамилия": ("surname", "last_name", "lastname"),
    "nazwisko": ("surname", "last_name", "lastname"),
    "по_батькові": ("patronymic", "middle_name"),
    "піб": ("full_name", "fullname", "name"),
    "фіо": ("full_name", "fullname", "name"),
    "фио": ("full_name", "fullname", "name"),
    "місто": ("city", "town"),
    "город": ("city", "town"),
    "miasto": ("city", "town"),
    "адреса": ("address",),
    "адрес": ("address",),
    "дата": ("date", "day"),
    "дата_народження": ("birthday", "birth_date", "date_of_birth"),
    "день_народження": ("birthday", "birth_date"),
    "час": ("time",),
    "сума": ("amount", "sum", "total"),
    "сумма": ("amount", "sum", "total"),
    "ціна": ("price",),
    "знижка": ("discount",),
    "бонус": ("bonus",),
    "бонуси": ("bonus", "bonuses"),
    "бали": ("points",),
    "баланс": ("balance",),
    "код": ("code",),
    "промокод": ("promo_code", "promocode", "code"),
    "замовлення": ("order",),
    "номер_замовлення": ("order_number", "order"),
    "магазин": ("shop", "store"),
    "товар": ("product",),
    "посилання": ("link", "url"),
    "картка": ("card",),
    "стать": ("gender",),
    "звертання": ("greeting",),
    "email": ("email",),
    "ел_пошта": ("email",),
}
LETTERS = str.maketrans(
    {
        **dict(zip("абвгґдезиіклмнопрстуфыэё", "abvhgdezyiklmnoprstufyee", strict=True)),
        "є": "ie",
        "ж": "zh",
        "ї": "i",
        "й": "i",
        "х": "kh",
        "ц": "ts",
        "ч": "ch",
        "ш": "sh",
        "щ": "shch",
        "ю": "iu",
        "я": "ia",
        "ь": "",
        "ъ": "",
        "ł": "l",
        "đ": "d",
        "ø": "o",
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
    }
)
LONGEST = 40
_APOSTROPHES = re.compile("['’ʼ`\u2018]")
_OTHERS = re.compile("[^a-z0-9]+")


def common_name(header: str, wanted: Collection[str] = (), taken: Collection[str] = ()) -> str:
    """Return the name for a common header, preferably one of the ``wanted``, and none of the ``taken``; or ""."""
    names = [name for name in COMMON.get(_plain(header), ()) if name not in taken]
    return next((name for name in names if name in wanted), names[0] if names else "")


def suggest_name(header: str, taken: Collection[str] = ()) -> str:
    """Return a valid name for any header that has letters or digits, and none of the ``taken``; or ""."""
    name = common_name(header) or _in_latin(_plain(header))
    names = [name, *(f"{name}_{number}" for number in range(2, 10))] if name else []
    return next((name for name in names if name not in taken and check_variable_name(name) is None), "")


def _plain(header: str) -> str:
    return as_header(_APOSTROPHES.sub("", header)).strip("_.: ")


def _in_latin(text: str) -> str:
    """Write a text in Latin letters, the Ukrainian ones as in passports."""
    letters = unicodedata.normalize("NFKD", text.casefold().translate(LETTERS))
    latin = "".join(char for char in letters if not unicodedata.combining(char)).lower()
    return _OTHERS.sub("_", latin).strip("_")[:LONGEST].strip("_")
