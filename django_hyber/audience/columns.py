"""The use of the columns of an import: guessed by headers and values, chosen by a person, and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from django_hyber.audience.files.cells import ShownText
from django_hyber.audience.files.file_type import UnreadableFileError
from django_hyber.audience.files.headers import (
    PHONE_HEADERS,
    as_header,
    guess_column,
    is_doubtful,
    is_phone_header,
    phone_columns,
)
from django_hyber.audience.variable_names import common_name, suggest_name
from django_hyber.conf import find_account
from django_hyber.models import Campaign
from django_hyber.protocol import InvalidPhone, check_variable_name, normalize_phone
from django_hyber.texts.check import OWN_TEXT
from django_hyber.words import home_region, problem_text

REASON_HEADERS = ("reason", "причина", "source", "джерело", "comment", "коментар")
TEXT_HEADERS = ("text", "message", "sms", "текст", "повідомлення", "сообщение")
#: The only variable of a row for the opt-out list.
REASON = "reason"
#: So many rows show which column has the numbers.
SAMPLE_ROWS = 200
#: Where no header says it, so many of ten values are numbers.
LEAST_OF_TEN = 9


class ColumnRules(Protocol):
    """What the columns are looked through for.

    With ``every_number``, a row with a second number in a column that nobody has chosen is rejected. ``wanted`` are the
    variables of the campaign's texts, or None for the opt-out list, which has only reasons.
    """

    region: str | None
    every_number: bool

    @property
    def wanted(self) -> Collection[str] | None:
        """The variables."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The use of the columns of a source, by header; ``find`` fills in what is empty.

    ``text_column`` holds a text for each recipient. ``variables`` maps headers to names of variables, and columns that
    are not in it are ignored; with None they are named by ``guess_variables``.
    """

    phone_column: str = ""
    text_column: str = ""
    variables: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        names = list((self.variables or {}).values())
        wrong = [name for name in names if check_variable_name(name) or names.count(name) > 1]
        if wrong:
            raise ValueError(f"These cannot be names of variables, or not twice: {', '.join(sorted(set(wrong)))}.")

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Columns:
        """Return the columns among the parameters of an import, which are named as the fields."""
        return cls(**{name: parameters[name] for name in cls.__dataclass_fields__ if name in parameters})

    def as_parameters(self) -> dict[str, Any]:
        """Return the columns as the parameters of an import."""
        return asdict(self)

    def find(self, headers: Sequence[str], rows: Sequence[Sequence[str]], rules: ColumnRules) -> Columns:
        """Return the columns found among these headers; the recipient's own text is one of the variables.

        ``rows`` are some of the table. Raises UnreadableFileError when there is no phone or text column.
        """
        phone = self._find_phone(headers, rows, rules)
        text = _find_column(headers, self.text_column) if self.text_column else ""
        others = [header for header in headers if header not in {phone, text}]
        if self.variables is None:
            named = guess_variables(others, rules.wanted)
        else:
            named = {header: self.variables[header] for header in others if header in self.variables}
        if text:
            named = {header: name for header, name in named.items() if name != OWN_TEXT} | {text: OWN_TEXT}
        return replace(self, phone_column=phone, text_column=text, variables=named)

    def _find_phone(self, headers: Sequence[str], rows: Sequence[Sequence[str]], rules: ColumnRules) -> str:
        if self.phone_column:
            return _find_column(headers, self.phone_column)
        named = phone_columns(headers)
        likeliest = guess_column(headers, PHONE_HEADERS) if rules.every_number else ""
        found = [likeliest] if likeliest else find_phone_columns(headers, rows, rules.region)
        if len(found) > 1:
            found = [header for header in found if header not in (self.variables or {})] or found
        if len(found) > 1 and len(named) == 1 and is_doubtful(named[0]):
            # Each row is checked for another number, as in a list of opt-outs, so that nobody is meant by mistake.
            return named[0]
        if len(found) == 1:
            return found[0]
        raise several_phone_columns(found) if found else no_phone_column(headers)


def guess_columns(headers: Sequence[str], campaign: Campaign | None, phone: str) -> Columns:
    """Guess the use of the columns beside that of the numbers; without a campaign, for the opt-out list."""
    text = guess_column([header for header in headers if header != phone], TEXT_HEADERS)
    text = text if campaign and campaign.has_own_texts else ""
    others = [header for header in headers if header not in {phone, text}]
    variables = guess_variables(others, wanted_variables(campaign))
    return Columns(phone_column=phone, text_column=text, variables=variables)


def guess_variables(headers: Sequence[str], wanted: Collection[str] | None) -> dict[str, str]:
    """Name the variables: as their headers, as the texts call them, or for a common header, as it is usually called.

    "Name" becomes %name% if the texts have that and not %Name%. None is wanted for the opt-out list, which has reasons.
    """
    if wanted is None:
        reason = guess_column(headers, REASON_HEADERS)
        return {reason: REASON} if reason else {}
    alike = Counter(map(as_header, headers))
    free = {as_header(name): name for name in wanted if name not in headers}
    named: dict[str, str] = {}
    for header in headers:
        meant = free.get(as_header(header)) if alike[as_header(header)] == 1 and header not in wanted else None
        if meant or check_variable_name(header) is None:
            named[header] = meant or header
    for header in headers:
        name = "" if header in named else common_name(header, wanted, named.values())
        if name:
            named[header] = name
    return {header: named[header] for header in headers if header in named}


def find_phone_columns(
    headers: Sequence[str], rows: Sequence[Sequence[str]], region: str | None, *, is_alone: bool = False
) -> list[str]:
    """Return the columns that may have the phone numbers: one if that is certain, by the headers and these rows.

    A column without numbers is no candidate. A candidate is certain if no row has another number beside it: in another
    candidate if a header is unmistakable, and otherwise, or with ``is_alone``, in any column.
    """
    named = phone_columns(headers)
    if not rows or (len(named) == 1 and is_phone_header(named[0]) and not is_alone):
        return named
    phones = {
        header: [_as_phone(value, region) for value in values]
        for header, values in zip(headers, zip(*rows, strict=True), strict=False)
    }
    likely = [header for header in named if any(phones[header])] or list(filter(is_phone_header, named))
    is_certain = any(map(is_phone_header, likely)) and not is_alone
    if not likely:
        likely = [header for header, found in phones.items() if sum(map(bool, found)) * 10 >= LEAST_OF_TEN * len(rows)]
    beside = likely if is_certain else headers
    conflicts = [[other for other in beside if _has_another(phones[other], phones[own])] for own in likely]
    certain = [own for own, others in zip(likely, conflicts, strict=True) if not others]
    if certain or not likely:
        return certain[:1] or named
    return [header for header in headers if header in {*likely, *conflicts[0]}]


def guess_phone(headers: Sequence[str], rows: Sequence[Sequence[str]], campaign: Campaign | None) -> list[str]:
    """Return the columns that may have the numbers, for a person; for the opt-out list, every number matters."""
    return find_phone_columns(headers, rows, region_of(campaign), is_alone=campaign is None)


def region_of(campaign: Campaign | None) -> str | None:
    """Return the region by which the numbers of a campaign are read, or those of the opt-out list."""
    account = find_account(campaign.account) if campaign else None
    return account.default_region if account else home_region()


def wanted_variables(campaign: Campaign | None) -> Collection[str] | None:
    """Return the variables of the campaign's texts, or None for the opt-out list."""
    return campaign.get_variables() if campaign else None


def no_phone_column(headers: Iterable[str]) -> UnreadableFileError:
    """Return the error of a table in which no column can be meant."""
    text = _(
        'No column contains phone numbers. Call it "phone", or choose one of: %(columns)s. If these are not the names '
        "of the columns, specify the header row."
    )
    return UnreadableFileError(text, code="no-phone-column", params={"columns": ", ".join(map(str, headers))})


def several_phone_columns(found: Iterable[str]) -> UnreadableFileError:
    """Return the error of a table in which each of these columns can be meant."""
    text = _(
        'Several columns may contain the phone numbers: %(columns)s. Specify one with phone_column, or call it "phone" '
        "and rename the others."
    )
    return UnreadableFileError(text, code="several-phone-columns", params={"columns": ", ".join(map(str, found))})


def missing_variables(given: Iterable[str], campaign: Campaign | None) -> list[str]:
    """Return the variables in the campaign's texts that are not among the given ones."""
    return sorted({*campaign.get_variables()} - {*given}) if campaign else []


class Use(StrEnum):
    """What a person can choose for a column. VARIABLE needs a name; REASON is for the opt-out list."""

    PHONE = "phone"
    VARIABLE = "variable"
    TEXT = "text"
    REASON = "reason"
    NOTHING = "nothing"


class ColumnChoice(NamedTuple):
    """What a person has chosen for one column; ``name`` is that of a variable."""

    use: Use
    name: str = ""


CAMPAIGN_USES = (Use.PHONE, Use.VARIABLE, Use.TEXT, Use.NOTHING)
OPT_OUT_USES = (Use.PHONE, Use.REASON, Use.NOTHING)


def choice_for(header: str, columns: Columns, campaign: Campaign | None) -> ColumnChoice:
    """Return the initial choice for a column. One that is not imported has a name in case the user imports it."""
    if header == columns.phone_column:
        return ColumnChoice(Use.PHONE)
    if header == columns.text_column:
        return ColumnChoice(Use.TEXT)
    name = (columns.variables or {}).get(header, "")
    if not name:
        return ColumnChoice(Use.NOTHING, suggest_name(header, (columns.variables or {}).values()) if campaign else "")
    return ColumnChoice(Use.VARIABLE, name) if campaign else ColumnChoice(Use.REASON)


def chosen_columns(headers: Sequence[str], choices: Sequence[ColumnChoice]) -> Columns:
    """Return the columns that a person has chosen; ``check_choices`` comes first."""
    named = dict(zip(headers, choices, strict=True))
    variables = {header: choice.name for header, choice in named.items() if choice.use == Use.VARIABLE}
    variables |= {header: REASON for header, choice in named.items() if choice.use == Use.REASON}
    phone = next(header for header, choice in named.items() if choice.use == Use.PHONE)
    text = next((header for header, choice in named.items() if choice.use == Use.TEXT), "")
    return Columns(phone_column=phone, text_column=text, variables=variables)


def check_choices(
    choices: Sequence[ColumnChoice], campaign: Campaign | None
) -> Iterator[tuple[int | None, ValidationError]]:
    """Yield the errors, each with the number of its column, or None if it concerns all of them."""
    uses = [choice.use for choice in choices]
    if Use.PHONE not in uses:
        yield None, ValidationError(_("Choose the column that contains the phone numbers."), code="no-phone-column")
    if campaign:
        yield from ((None, error) for error in _check_own_texts(campaign, brings_texts=Use.TEXT in uses))
    seen: set[ColumnChoice] = set()
    for number, choice in enumerate(choices):
        error = _check_choice(choice, seen, has_text=Use.TEXT in uses)
        if error:
            yield number, error
        seen.add(choice)


def _check_choice(choice: ColumnChoice, seen: Collection[ColumnChoice], *, has_text: bool) -> ValidationError | None:
    if choice.use == Use.VARIABLE:
        return _check_name(choice, seen, has_text=has_text)
    if choice.use != Use.NOTHING and choice in seen:
        return ValidationError(_("Another column is already chosen for this."), code="repeated")
    return None


def _check_name(choice: ColumnChoice, seen: Collection[ColumnChoice], *, has_text: bool) -> ValidationError | None:
    if not choice.name:
        return ValidationError(_("Name the variable, or choose “Do not import”."), code="no-name")
    problem = check_variable_name(choice.name)
    if problem:
        return ValidationError(problem_text(problem), code=problem.code)
    if choice in seen:
        return ValidationError(_("Another column already contains this variable."), code="repeated")
    if has_text and choice.name == OWN_TEXT:
        return ValidationError(_("This is the name of the individual text. Choose another."), code="own-text")
    return None


def _check_own_texts(campaign: Campaign, *, brings_texts: bool) -> Iterator[ValidationError]:
    if campaign.has_own_texts and not brings_texts:
        text = _("Every recipient of this campaign has an individual text. Choose the column that contains it.")
        yield ValidationError(text, code="no-text-column")
    if brings_texts and not campaign.has_own_texts and campaign.messages.exists():
        text = _("The campaign already has recipients without an individual text, so individual texts cannot be added.")
        yield ValidationError(text, code="own-texts")


def _has_another(others: Sequence[str], phones: Sequence[str]) -> bool:
    return any(other not in {"", phone} for phone, other in zip(phones, others, strict=True))


def _as_phone(value: str, region: str | None) -> str:
    try:
        return normalize_phone(value.raw if isinstance(value, ShownText) else value, region, foreign=True)
    except InvalidPhone:
        return ""


def _find_column(headers: Sequence[str], wanted: str) -> str:
    alike = [header for header in headers if as_header(header) == as_header(wanted)]
    if wanted in alike or len(alike) == 1:
        return wanted if wanted in alike else alike[0]
    if alike:
        raise UnreadableFileError(
            _("Several columns match “%(wanted)s”: %(columns)s. Write the name exactly as in the file."),
            code="several-columns",
            params={"wanted": wanted, "columns": ", ".join(map(str, alike))},
        )
    raise UnreadableFileError(
        _("There is no column “%(wanted)s”. Available columns: %(columns)s."),
        code="no-column",
        params={"wanted": wanted, "columns": ", ".join(map(str, headers))},
    )
