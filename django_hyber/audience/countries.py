"""Columns that say which country a number is of: by its calling code, its ISO code or its name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS, country_code_for_region

_WORD = re.compile(r"[^\W\d_]+")
#: A header with one of these words names a country, in English, Ukrainian, Russian, Polish, German and others.
_COUNTRY_WORD = re.compile(
    r"\w*country(?:code|name|iso|id)?|countries|iso|nationality|citizenship"
    r"|країн\w*|держав\w{0,2}|громадянство|національність|стран[аыеу]|государств[оа]|гражданство|национальность"
    r"|kraj|kraju|państwo|państwa|obywatelstwo|narodowość|kierunkowy|krajina|štát|stát|země"
    r"|land|länder\w*|landes(?:code|kennzahl|kürzel|vorwahl)|ländervorwahl|staat|nationalität|staatsangehörigkeit"
    r"|pays|país|pais|paese|țară|țara|ország|ülke|šalis|valsts|riik"
)
#: One of each, for calling codes.
_CALLING_WORDS = frozenset(
    (
        *("calling", "dial", "dialing", "dialling", "phone", "international", "телефонний", "телефону", "міжнародний"),
        *("телефонный", "телефона", "международный"),
    )
)
_CODE_WORDS = frozenset(("code", "prefix", "код", "префікс", "префикс"))
#: The country of goods says nothing about people.
_OF_GOODS = re.compile(r"manufactur\w*|producer|production|виробни\w*|производ\w*|produ[ck]\w*|herstell\w*")
#: The keys of a table of countries, which are no calling codes.
_KEYS = re.compile(r"(?:\w*country)?id|ід|ид|key|№")
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
    return tuple(header for header in headers if _names_country(_words(header)))


def _names_country(words: Collection[str]) -> bool:
    if any(map(_OF_GOODS.fullmatch, words)):
        return False
    is_calling_code = not _CALLING_WORDS.isdisjoint(words) and not _CODE_WORDS.isdisjoint(words)
    return is_calling_code or any(map(_COUNTRY_WORD.fullmatch, words))


def _words(header: str) -> list[str]:
    return _WORD.findall(str(header).casefold())


@lru_cache(KEPT_HEADERS)
def _has_keys(header: str) -> bool:
    return any(map(_KEYS.fullmatch, _words(header)))


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
    written = ((column, str(values[column])) for column in columns)
    found = (find_region(text) for column, text in written if not (text.isdecimal() and _has_keys(column)))
    return next((region for region in found if region and not _has_code_of(region, home)), "")


def _has_code_of(region: str, home: str | None) -> bool:
    return home is not None and country_code_for_region(region) == country_code_for_region(home)
