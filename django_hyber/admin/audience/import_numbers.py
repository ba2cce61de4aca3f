"""The kinds of numbers in an import: counted before it, switched on by a person, and counted in its report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from phonenumbers import country_code_for_region

from django_hyber.admin.common.paginators import grouped
from django_hyber.audience.import_jobs import survey_numbers
from django_hyber.audience.import_numbers import COUNTRY, DOUBTFUL, DOUBTS, NumberChoice
from django_hyber.audience.imports import ImportReport
from django_hyber.conf import find_account
from django_hyber.models import BackgroundJob
from django_hyber.policies.allowed_numbers import OPTIONAL_TYPES
from django_hyber.privacy import mask_phones_in
from django_hyber.words import NUMBER_TYPES, home_region

SHOWN_COUNTRIES = 12
SHOWN_EXAMPLES = 5
#: The names of the kinds that are no types.
KINDS: Mapping[str, str | Promise] = {
    DOUBTFUL: gettext_lazy("doubtful numbers of other countries"),
    COUNTRY: gettext_lazy("numbers of countries that are switched off"),
    **NUMBER_TYPES,
}
DOUBTFUL_HELP = gettext_lazy(
    "These numbers are valid only in another country, but they are written without + or differ from a home number by "
    "one typing error: a digit is probably missing, or two are swapped. Or another column names another country; then "
    "they are read as numbers of that country. Switch them on only if you know that they are right."
)
OTHERS_HELP = gettext_lazy("Written with + and the country code.")


@dataclass(frozen=True, kw_only=True)
class CountedNumbers:
    """The numbers of a report, for people: by type, by country, those left out by kind, and how many look rounded."""

    types: str
    countries: str
    left_out: str
    rounded: str


def counted_numbers(report: ImportReport) -> CountedNumbers:
    """Return the counts of a report as texts; each is empty if there is nothing to count."""
    return CountedNumbers(
        types=_listed({str(NUMBER_TYPES[name]): count for name, count in report.number_types.items()}),
        countries=_listed({_country(name): count for name, count in report.countries.items()}),
        left_out=_listed({str(KINDS[name]): count for name, count in report.left_out.items()}),
        # A single one may be a number that somebody has paid for.
        rounded=grouped(report.rounded) if report.rounded > 1 else "",
    )


class NumbersForm(forms.Form):
    """Which kinds of numbers are taken. A small file is counted before; of a large one all kinds are offered.

    ``survey`` is None for a large file and while no column is chosen for the numbers.
    """

    #: The column that was counted when the page was shown.
    counted = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, data: Mapping[str, Any] | None, job: BackgroundJob, phone_column: str, *, shows_numbers: bool
    ) -> None:
        super().__init__(data, prefix="numbers")
        self._shows_numbers = shows_numbers
        self._phone_column = phone_column
        self._campaign = job.campaign
        account = find_account(job.campaign.account) if job.campaign else None
        self._home = account.default_region if account else home_region()
        self._may_choose_types = account is not None and account.allowed_number_types is None
        is_readable = bool(phone_column) and (job.campaign is None or account is not None)
        self.survey = _survey(job, phone_column) if is_readable else None
        self.is_uncounted = self.survey is None and job.parameters.get("rows") is None
        self._add_kinds()

    def _add_kinds(self) -> None:
        left_out = self.survey.left_out if self.survey else {}
        if self._campaign and self._may_choose_types:
            for kind in OPTIONAL_TYPES:
                if self.is_uncounted or left_out.get(kind):
                    self._add(kind.value, capfirst(str(NUMBER_TYPES[kind])), left_out.get(kind))
        if self._home and (self.is_uncounted or left_out.get(DOUBTFUL)):
            text = _("Doubtful numbers of other countries")
            self._add(DOUBTFUL, text, left_out.get(DOUBTFUL), " ".join(map(str, (DOUBTFUL_HELP, *self._examples()))))
        others = self._other_countries()
        if self._campaign and self._home and (self.is_uncounted or others):
            listed = _listed({_country(name): count for name, count in others.items()})
            self._add("without_others", _("Skip all other countries"), sum(others.values()), listed or OTHERS_HELP)

    def _add(self, name: str, label: str, count: int | None, help_text: Any = "") -> None:
        text = f"{label}: {grouped(count)}" if count else label
        self.fields[name] = forms.BooleanField(label=text, required=False, help_text=help_text)

    def _examples(self) -> Iterator[str]:
        """Yield a sentence with the first doubtful numbers, with their rows."""
        reasons = {_(reason) for reason in DOUBTS}
        rows = [row for row in self.survey.rejected if str(row.reason) in reasons] if self.survey else []
        if rows:
            show = str if self._shows_numbers else mask_phones_in
            numbers = [
                _("%(number)s (row %(row)d)") % {"number": show(row.values[self._phone_column]), "row": row.row}
                for row in rows[:SHOWN_EXAMPLES]
            ]
            yield _("The first ones: %(numbers)s.") % {"numbers": ", ".join(numbers)}

    def _other_countries(self) -> dict[str, int]:
        countries = self.survey.countries if self.survey else {}
        return {name: count for name, count in countries.items() if name != self._home}

    @property
    def kinds(self) -> list[forms.BoundField]:
        """The fields for the kinds."""
        return [self[name] for name in self.fields if name != "counted"]

    @property
    def counts(self) -> CountedNumbers | None:
        """The numbers of the chosen column."""
        return counted_numbers(self.survey) if self.survey else None

    @property
    def has_forbidden(self) -> bool:
        """Whether some numbers are left out because the settings of the account forbid their kind."""
        return bool(self.survey and {*self.survey.left_out} - {*self.fields})

    @property
    def counted_column(self) -> str:
        """The column whose numbers the page shows."""
        return self._phone_column if self.survey else ""

    def clean(self) -> dict[str, Any]:
        """Show the page again if other numbers were counted than those that are to be imported."""
        cleaned: dict[str, Any] = super().clean() or {}
        seen = cleaned.get("counted", "")
        if self.add_prefix("counted") in self.data and seen != self.counted_column and self.kinds:
            text = _("The numbers of the column “%(column)s” have been counted. Choose which of them to import.")
            self.add_error(None, forms.ValidationError(text, code="counted", params={"column": self._phone_column}))
        return cleaned

    def chosen(self) -> NumberChoice:
        """Return the choice of a valid form."""
        chosen = self.cleaned_data
        return NumberChoice(
            foreign=chosen.get(DOUBTFUL, False),
            number_types=tuple(kind.value for kind in OPTIONAL_TYPES if chosen.get(kind)),
            countries=(self._home,) if chosen.get("without_others") and self._home else None,
        )


def _survey(job: BackgroundJob, phone_column: str) -> ImportReport | None:
    try:
        return survey_numbers(job, phone_column)
    except forms.ValidationError:
        # The file is gone: the import will say so.
        return None


def _country(name: str) -> str:
    code = country_code_for_region(name)
    return f"{name} (+{code})" if code else name


def _listed(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    texts = [f"{name}: {grouped(count)}" for name, count in ordered[:SHOWN_COUNTRIES]]
    rest = sum(count for _name, count in ordered[SHOWN_COUNTRIES:])
    return ", ".join([*texts, _("others: %(count)s") % {"count": grouped(rest)}] if rest else texts)
