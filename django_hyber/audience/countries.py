"""Columns that say which country a number is of: by its calling code, its ISO code or its name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS, country_code_for_region

from django_hyber.audience.files.headers import as_header

COUNTRY_HEADERS = frozenset(
    (
        *("country", "country_name", "country_code", "countrycode", "country_iso", "iso_country", "phone_country"),
        *("calling_code", "country_calling_code", "dial_code", "dialing_code", "dialling_code", "phone_code"),
        *("phone_country_code", "country_phone_code", "international_code"),
        *("країна", "код_країни", "телефонний_код", "телефонний_код_країни", "код_телефону", "міжнародний_код"),
        *("страна", "код_страны", "телефонный_код", "телефонный_код_страны", "международный_код"),
        *("kraj", "kod_kraju", "numer_kierunkowy", "kierunkowy"),
        *("land", "länder_code", "ländercode", "ländervorwahl", "landesvorwahl", "landeskennzahl"),
    )
)
#: ISO codes of three letters, and names in English, Ukrainian, Russian, Polish and the language of the country.
NAMES = {
    "AE": "are, united arab emirates, uae, оае, об'єднані арабські емірати, оаэ",
    "AM": "arm, armenia, вірменія, армения",
    "AT": "aut, austria, австрія, австрия, österreich",
    "AU": "aus, australia, австралія, австралия",
    "AZ": "aze, azerbaijan, азербайджан, azərbaycan",
    "BE": "bel, belgium, бельгія, бельгия, belgia, belgië, belgique, belgien",
    "BG": "bgr, bulgaria, болгарія, болгария, bułgaria, българия",
    "BY": "blr, belarus, білорусь, беларусь, білорусія, белоруссия, białoruś",
    "CA": "can, canada, канада, kanada",
    "CH": "che, switzerland, швейцарія, швейцария, szwajcaria, schweiz, suisse",
    "CN": "chn, china, китай, chiny",
    "CY": "cyp, cyprus, кіпр, кипр, cypr",
    "CZ": "cze, czechia, czech republic, чехія, чехия, czechy, česko, česká republika",
    "DE": "deu, ger, germany, німеччина, германия, niemcy, deutschland",
    "DK": "dnk, denmark, данія, дания, dania, danmark",
    "EE": "est, estonia, естонія, эстония, eesti",
    "EG": "egy, egypt, єгипет, египет, egipt",
    "ES": "esp, spain, іспанія, испания, hiszpania, españa",
    "FI": "fin, finland, фінляндія, финляндия, finlandia, suomi",
    "FR": "fra, france, франція, франция, francja",
    "GB": "gbr, uk, united kingdom, great britain, england, велика британія, великобританія, великобритания, англія, "
    "англия, wielka brytania",
    "GE": "geo, georgia, грузія, грузия, gruzja",
    "GR": "grc, greece, греція, греция, grecja",
    "HR": "hrv, croatia, хорватія, хорватия, chorwacja, hrvatska",
    "HU": "hun, hungary, угорщина, венгрия, węgry, magyarország",
    "IE": "irl, ireland, ірландія, ирландия, irlandia",
    "IL": "isr, israel, ізраїль, израиль, izrael",
    "IN": "ind, india, індія, индия, indie",
    "IT": "ita, italy, італія, италия, włochy, italia",
    "JP": "jpn, japan, японія, япония, japonia",
    "KG": "kgz, kyrgyzstan, киргизстан, кыргызстан, киргизия",
    "KZ": "kaz, kazakhstan, казахстан, қазақстан, kazachstan",
    "LT": "ltu, lithuania, литва, litwa, lietuva",
    "LV": "lva, latvia, латвія, латвия, łotwa, latvija",
    "MD": "mda, moldova, молдова, молдавія, молдавия, mołdawia",
    "ME": "mne, montenegro, чорногорія, черногория, czarnogóra, crna gora",
    "MK": "mkd, north macedonia, macedonia, північна македонія, македонія, македония, северная македония",
    "NL": "nld, netherlands, holland, нідерланди, нидерланды, голландія, голландия, holandia, niderlandy, nederland",
    "NO": "nor, norway, норвегія, норвегия, norwegia, norge",
    "NZ": "nzl, new zealand, нова зеландія, новая зеландия",
    "PL": "pol, poland, польща, польша, polska",
    "PT": "prt, portugal, португалія, португалия, portugalia",
    "RO": "rou, romania, румунія, румыния, rumunia, românia",
    "RS": "srb, serbia, сербія, сербия, srbija, србија",
    "RU": "rus, russia, russian federation, росія, россия, рф, rosja, російська федерація, российская федерация",
    "SE": "swe, sweden, швеція, швеция, szwecja, sverige",
    "SI": "svn, slovenia, словенія, словения, słowenia, slovenija",
    "SK": "svk, slovakia, словаччина, словакия, słowacja, slovensko",
    "TR": "tur, turkey, türkiye, туреччина, турция, turcja",
    "UA": "ukr, ukraine, україна, украина, ukraina",
    "US": "usa, united states, united states of america, сша, америка, stany zjednoczone",
    "UZ": "uzb, uzbekistan, узбекистан, oʻzbekiston",
}
_REGIONS = {region.casefold(): region for region in SUPPORTED_REGIONS} | {
    name: region for region, names in NAMES.items() for name in names.split(", ")
}
_CODE = re.compile(r".*\+\s*([0-9]{1,3})(?![0-9]).*|\(?(?:00)?([1-9][0-9]{0,2})\)?", re.DOTALL)
KEPT_HEADERS, KEPT_VALUES = 16, 1_024
LONGEST = 60


@lru_cache(KEPT_HEADERS)
def country_columns(headers: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns that name a country or a calling code."""
    return tuple(header for header in headers if as_header(header) in COUNTRY_HEADERS)


def find_region(written: str) -> str:
    """Return the region that is written as in "+48", "PL" or "Poland", the main one of a calling code, or ""."""
    return _find_region(written) if len(written) <= LONGEST else ""


@lru_cache(KEPT_VALUES)
def _find_region(written: str) -> str:
    text = written.strip(" .").casefold()
    code = _CODE.fullmatch(text)
    if code:
        return COUNTRY_CODE_TO_REGION_CODE.get(int(code[1] or code[2]), ("",))[0].replace("001", "")
    return _REGIONS.get(text.replace("’", "'"), "")


def other_country(values: Mapping[str, str], columns: Iterable[str], home: str | None) -> str:
    """Return the region that one of these columns names if its calling code is not that of the home region, or ""."""
    found = (find_region(str(values[column])) for column in columns)
    return next((region for region in found if region and not _has_code_of(region, home)), "")


def _has_code_of(region: str, home: str | None) -> bool:
    return home is not None and country_code_for_region(region) == country_code_for_region(home)
