"""What each column of an upload is for: guessed by its header and values, then said by a person, then checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from django_hyber.audience.columns import REASON_HEADERS, as_header, guess_column
from django_hyber.audience.opt_outs import REASON
from django_hyber.conf import find_account
from django_hyber.models import Campaign
from django_hyber.protocol import InvalidPhone, check_variable_name, normalize_phone
from django_hyber.texts.rules import campaign_variables
from django_hyber.texts.variables import OWN_TEXT
from django_hyber.words import home_region, problem_text

TEXT_HEADERS = ("text", "message", "sms", "текст", "повідомлення", "сообщение")


class Use(StrEnum):
    """What a column can be for. VARIABLE needs a name; REASON is for the opt-out list."""

    PHONE = "phone"
    VARIABLE = "variable"
    TEXT = "text"
    REASON = "reason"
    NOTHING = "nothing"


class ColumnUse(NamedTuple):
    """What one column is for; ``name`` is that of a variable, and "" for all else."""

    use: Use
    name: str = ""


NOTHING = ColumnUse(Use.NOTHING)
CAMPAIGN_USES = (Use.PHONE, Use.VARIABLE, Use.TEXT, Use.NOTHING)
OPT_OUT_USES = (Use.PHONE, Use.REASON, Use.NOTHING)


def guess_uses(
    headers: Sequence[str], campaign: Campaign | None, rows: Sequence[Sequence[str]] = ()
) -> list[ColumnUse]:
    """Return what the columns are for, as far as their headers tell; without a campaign on the opt-out list.

    Where no header tells which column holds the numbers, the first ``rows`` may.
    """
    phone = guess_column(headers) or _column_of_phones(headers, rows, campaign)
    if campaign is None:
        others = {guess_column([header for header in headers if header != phone], REASON_HEADERS): Use.REASON}
        return [ColumnUse(Use.PHONE if header == phone else others.get(header, Use.NOTHING)) for header in headers]
    wanted = {as_header(name): name for name in campaign_variables(campaign)}
    text = guess_column(headers, TEXT_HEADERS) if campaign.has_own_texts else ""
    used: set[str] = set()
    uses = []
    for header in headers:
        use = _guess(header, phone, text, wanted, used)
        used.add(use.name)
        uses.append(use)
    return uses


def _guess(header: str, phone: str, text: str, wanted: Mapping[str, str], used: set[str]) -> ColumnUse:
    if header == phone:
        return ColumnUse(Use.PHONE)
    if header == text:
        return ColumnUse(Use.TEXT)
    name = wanted.get(as_header(header), header)
    return ColumnUse(Use.VARIABLE, name) if name not in used and check_variable_name(name) is None else NOTHING


def _column_of_phones(headers: Sequence[str], rows: Sequence[Sequence[str]], campaign: Campaign | None) -> str:
    """Return the only column with nothing but phone numbers, or an empty string."""
    account = find_account(campaign.account) if campaign else None
    region = account.default_region if account else home_region()
    columns = zip(headers, zip(*rows, strict=True), strict=False)
    found = [header for header, values in columns if all(_is_phone(value, region) for value in values)]
    return found[0] if len(found) == 1 else ""


def _is_phone(value: str, region: str | None) -> bool:
    try:
        normalize_phone(value, region)
    except InvalidPhone:
        return False
    return True


def missing_variables(given: Iterable[str], campaign: Campaign | None) -> list[str]:
    """Return the variables in the texts of the campaign that are not among those that the columns give."""
    names = set(given)
    return [name for name in campaign_variables(campaign) if name not in names] if campaign else []


def check_uses(uses: Sequence[ColumnUse], campaign: Campaign | None) -> Iterator[tuple[int | None, ValidationError]]:
    """Yield what is wrong with the uses: the number of the column, or None for all of them, and the error."""
    kinds = [use.use for use in uses]
    if Use.PHONE not in kinds:
        yield None, ValidationError(_("Choose the column that holds the phone numbers."), code="no-phone-column")
    if campaign:
        yield from ((None, error) for error in _check_own_texts(campaign, brings_texts=Use.TEXT in kinds))
    seen: set[ColumnUse] = set()
    for number, use in enumerate(uses):
        error = _check_use(use, seen, has_text=Use.TEXT in kinds)
        if error:
            yield number, error
        seen.add(use)


def as_parameters(headers: Sequence[str], uses: Sequence[ColumnUse]) -> dict[str, Any]:
    """Return the uses as an import takes them."""
    named = dict(zip(headers, uses, strict=True))
    variables = {header: use.name for header, use in named.items() if use.use == Use.VARIABLE}
    variables |= {header: REASON for header, use in named.items() if use.use == Use.REASON}
    phone = next(header for header, use in named.items() if use.use == Use.PHONE)
    text = next((header for header, use in named.items() if use.use == Use.TEXT), "")
    return {"phone_column": phone, "text_column": text, "variables": variables}


def _check_use(use: ColumnUse, seen: set[ColumnUse], *, has_text: bool) -> ValidationError | None:
    if use.use == Use.VARIABLE:
        return _check_name(use, seen, has_text=has_text)
    if use.use != Use.NOTHING and use in seen:
        return ValidationError(_("Another column is chosen for this already."), code="repeated")
    return None


def _check_name(use: ColumnUse, seen: set[ColumnUse], *, has_text: bool) -> ValidationError | None:
    if not use.name:
        return ValidationError(_("Name the variable, or leave the column out."), code="no-name")
    problem = check_variable_name(use.name)
    if problem:
        return ValidationError(problem_text(problem), code=problem.code)
    if use in seen:
        return ValidationError(_("Another column gives this variable already."), code="repeated")
    if has_text and use.name == OWN_TEXT:
        return ValidationError(_("This is the name of the recipient's own text: choose another."), code="own-text")
    return None


def _check_own_texts(campaign: Campaign, *, brings_texts: bool) -> Iterator[ValidationError]:
    if campaign.has_own_texts and not brings_texts:
        text = _("Every recipient of this campaign has a text of their own: choose the column that holds it.")
        yield ValidationError(text, code="no-text-column")
    if brings_texts and not campaign.has_own_texts and campaign.messages.exists():
        text = _(
            "The campaign has recipients without a text of their own already: there can be no own texts in it any more."
        )
        yield ValidationError(text, code="own-texts")
