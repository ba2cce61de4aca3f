"""The use of the columns of an import: guessed by headers and values, chosen by a person, and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from django_hyber.audience.files.file_type import UnreadableFileError
from django_hyber.audience.files.headers import as_header, guess_column, is_doubtful, phone_columns
from django_hyber.audience.variable_names import common_name, suggest_name
from django_hyber.conf import find_account
from django_hyber.models import Campaign
from django_hyber.protocol import InvalidPhone, check_variable_name, normalize_phone
from django_hyber.texts.check import OWN_TEXT
from django_hyber.texts.rules import campaign_variables
from django_hyber.words import home_region, problem_text

REASON_HEADERS = ("reason", "причина", "source", "джерело", "comment", "коментар")
TEXT_HEADERS = ("text", "message", "sms", "текст", "повідомлення", "сообщение")
#: The only variable of a row for the opt-out list.
REASON = "reason"


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The use of the columns of a source, by header; ``find`` fills in what is empty.

    ``text_column`` holds a text for each recipient. ``variables`` maps headers to names of variables, and columns that
    are not in it are ignored; None makes a variable of every column whose header is a valid name.
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

    def find(self, headers: Sequence[str]) -> Columns:
        """Return the columns found among these headers; the recipient's own text is one of the variables.

        Raises UnreadableFileError when there is no phone or text column.
        """
        phone = self._find_phone(headers)
        others = [header for header in headers if header != phone]
        if self.variables is None:
            named = {header: header for header in others if check_variable_name(header) is None}
        else:
            named = {header: self.variables[header] for header in others if header in self.variables}
        text = _find_column(headers, self.text_column) if self.text_column else ""
        if text:
            named = {header: name for header, name in named.items() if name != OWN_TEXT} | {text: OWN_TEXT}
        return replace(self, phone_column=phone, text_column=text, variables=named)

    def _find_phone(self, headers: Sequence[str]) -> str:
        if self.phone_column:
            return _find_column(headers, self.phone_column)
        found = phone_columns(headers)
        if len(found) == 1:
            return found[0]
        raise several_phone_columns(found) if found else no_phone_column(headers)


def guess_columns(headers: Sequence[str], campaign: Campaign | None, rows: Sequence[Sequence[str]] = ()) -> Columns:
    """Guess the use of the columns by their headers; without a campaign, for the opt-out list.

    If no header names the phone column, it is guessed by the values in ``rows``.
    """
    phone = _guess_phone(headers, campaign, rows)
    others = [header for header in headers if header != phone]
    if campaign is None:
        reason = guess_column(others, REASON_HEADERS)
        return Columns(phone_column=phone, variables={reason: REASON} if reason else {})
    text = guess_column(others, TEXT_HEADERS) if campaign.has_own_texts else ""
    wanted = {as_header(name): name for name in campaign_variables(campaign)}
    alike = Counter(map(as_header, others))
    named: dict[str, str] = {}
    for header in others:
        name = wanted.get(as_header(header), header) if alike[as_header(header)] == 1 else header
        if name in named.values() or check_variable_name(name) is not None:
            name = common_name(header, wanted.values(), named.values())
        if header != text and name:
            named[header] = name
    return Columns(phone_column=phone, text_column=text, variables=named)


def no_phone_column(headers: Iterable[str]) -> UnreadableFileError:
    """Return the error of a table in which no column can be meant."""
    text = _('No column contains phone numbers. Call it "phone", or choose one of: %(columns)s.')
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
    return sorted({*campaign_variables(campaign)} - {*given}) if campaign else []


class Use(StrEnum):
    """What a person can choose for a column. VARIABLE needs a name; REASON is for the opt-out list."""

    PHONE = "phone"
    VARIABLE = "variable"
    TEXT = "text"
    REASON = "reason"
    NOTHING = "nothing"


class Choice(NamedTuple):
    """What a person has chosen for one column; ``name`` is that of a variable."""

    use: Use
    name: str = ""


CAMPAIGN_USES = (Use.PHONE, Use.VARIABLE, Use.TEXT, Use.NOTHING)
OPT_OUT_USES = (Use.PHONE, Use.REASON, Use.NOTHING)


def choice_for(header: str, columns: Columns, campaign: Campaign | None) -> Choice:
    """Return the initial choice for a column; one that is left out has a name in case that it shall not be."""
    if header == columns.phone_column:
        return Choice(Use.PHONE)
    if header == columns.text_column:
        return Choice(Use.TEXT)
    name = (columns.variables or {}).get(header, "")
    if not name:
        return Choice(Use.NOTHING, suggest_name(header, (columns.variables or {}).values()) if campaign else "")
    return Choice(Use.VARIABLE, name) if campaign else Choice(Use.REASON)


def chosen_columns(headers: Sequence[str], choices: Sequence[Choice]) -> Columns:
    """Return the columns that a person has chosen; ``check_choices`` comes first."""
    named = dict(zip(headers, choices, strict=True))
    variables = {header: choice.name for header, choice in named.items() if choice.use == Use.VARIABLE}
    variables |= {header: REASON for header, choice in named.items() if choice.use == Use.REASON}
    phone = next(header for header, choice in named.items() if choice.use == Use.PHONE)
    text = next((header for header, choice in named.items() if choice.use == Use.TEXT), "")
    return Columns(phone_column=phone, text_column=text, variables=variables)


def check_choices(choices: Sequence[Choice], campaign: Campaign | None) -> Iterator[tuple[int | None, ValidationError]]:
    """Yield the errors, each with the number of its column, or None if it concerns all of them."""
    uses = [choice.use for choice in choices]
    if Use.PHONE not in uses:
        yield None, ValidationError(_("Choose the column that contains the phone numbers."), code="no-phone-column")
    if campaign:
        yield from ((None, error) for error in _check_own_texts(campaign, brings_texts=Use.TEXT in uses))
    seen: set[Choice] = set()
    for number, choice in enumerate(choices):
        error = _check_choice(choice, seen, has_text=Use.TEXT in uses)
        if error:
            yield number, error
        seen.add(choice)


def _check_choice(choice: Choice, seen: Collection[Choice], *, has_text: bool) -> ValidationError | None:
    if choice.use == Use.VARIABLE:
        return _check_name(choice, seen, has_text=has_text)
    if choice.use != Use.NOTHING and choice in seen:
        return ValidationError(_("Another column is already chosen for this."), code="repeated")
    return None


def _check_name(choice: Choice, seen: Collection[Choice], *, has_text: bool) -> ValidationError | None:
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


def _guess_phone(headers: Sequence[str], campaign: Campaign | None, rows: Sequence[Sequence[str]]) -> str:
    """Return the only column that can be meant, by its header or else by its values, or an empty string."""
    account = find_account(campaign.account) if campaign else None
    region = account.default_region if account else home_region()
    is_opt_out = campaign is None
    named = phone_columns(headers, every_number=is_opt_out)
    if len(named) > 1:
        return ""
    if named and not is_opt_out and not is_doubtful(named[0]):
        return named[0]
    columns = dict(zip(headers, zip(*rows, strict=True), strict=False))
    phones = {header: [_as_phone(value, region) for value in values] for header, values in columns.items()}
    wanted = named or [header for header in headers if phones.get(header) and all(phones[header])]
    if len(wanted) != 1:
        return ""
    own = phones.get(wanted[0], [])
    others = (zip(own, found, strict=True) for header, found in phones.items() if header != wanted[0])
    return "" if any(other not in {"", phone} for pairs in others for phone, other in pairs) else wanted[0]


def _as_phone(value: str, region: str | None) -> str:
    try:
        return normalize_phone(value, region, foreign=True)
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
