from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import IO, Any, NamedTuple

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from django_hyber.audience import querysets
from django_hyber.audience.columns import Columns, wanted_variables
from django_hyber.audience.files.file_type import ReadOptions
from django_hyber.audience.import_numbers import ChosenNumbers, NumberChoice
from django_hyber.audience.imports import ImportReport, Source, import_rows
from django_hyber.conf import get_account
from django_hyber.conf.audiences import Audience
from django_hyber.db.clock import database_time
from django_hyber.db.transactions import existing
from django_hyber.errors import CampaignError
from django_hyber.models import Campaign, Message, MessageQuerySet
from django_hyber.models.message import extra_ids
from django_hyber.models.reference import refuse_other_database
from django_hyber.protocol import PhoneNumber


class NewRecipient(NamedTuple):
    """A row as it goes into the table: the columns that have no default in the database are all here."""

    campaign_id: int
    account: str
    phone_number: str
    extra_id: str
    variables: dict[str, str]
    status: str
    created_at: datetime
    channel: str = ""
    error_text: str = ""
    attempts: int = 0


class Recipients:
    """The recipients of a campaign, as the destination of an import. They may refer to objects of this type."""

    model = Message
    every_number = False

    def __init__(
        self, campaign: Campaign, columns: Columns, numbers: NumberChoice, reference_type: ContentType | None = None
    ) -> None:
        self.source_columns = columns
        self._reference_type = reference_type
        references = ("reference_type_id", "reference_id") if reference_type else ()
        self.columns: Sequence[str] = (*NewRecipient._fields, *references)
        account = get_account(campaign.account)
        self.region = account.default_region
        self.foreign = numbers.foreign
        self._numbers = ChosenNumbers(numbers, account)
        self._more_types = set(numbers.number_types)
        self._campaign = campaign
        self._brings_texts = bool(columns.text_column)
        self._extra_ids = extra_ids()
        self._pk, self._account = campaign.pk, campaign.account

    @cached_property
    def _now(self) -> datetime:
        # By the clock of the database: reports from before are about something else.
        return database_time()

    @cached_property
    def wanted(self) -> Collection[str] | None:
        """The variables of the texts."""
        return wanted_variables(self._campaign)

    def prepare(self) -> None:
        """Lock the campaign, refuse if it has been launched, and mark it with what its recipients bring.

        That is whether they have their own texts, and which types of numbers besides mobile ones.
        """
        campaigns = Campaign.objects.all()
        current = campaigns.select_for_update().get(pk=self._pk)
        if not current.is_editable:
            problem = ValidationError(_("Recipients can only be added before the launch."), code="launched")
            raise CampaignError([problem])
        if self._brings_texts and not current.has_own_texts:
            campaigns.filter(pk=self._pk).update(has_own_texts=True)
            self._campaign.has_own_texts = True
        types = sorted(self._more_types.union(current.number_types))
        if types != current.number_types:
            campaigns.filter(pk=self._pk).update(number_types=types)
            self._campaign.number_types = types

    def rows(self) -> MessageQuerySet:
        """Return the recipients."""
        return Message.objects.filter(campaign=self._pk)

    def count_opted_out(self, newest: int) -> int:
        """Count those that were added since ``newest`` was the newest row and have opted out."""
        return self.rows().filter(pk__gt=newest).opted_out().count()

    def refusal(self, number: PhoneNumber) -> str:
        """Return why the campaign does not take a number, or an empty string."""
        return self._numbers.refusal(number)

    def as_row(self, phone: str, values: dict[str, str]) -> Sequence[Any]:
        """Return a recipient with these variables."""
        status = Message.Status.QUEUED.value
        references = (self._reference_type.pk, values.pop(querysets.KEY)) if self._reference_type else ()
        row = NewRecipient(self._pk, self._account, phone, next(self._extra_ids), values, status, self._now)
        return (*row, *references) if references else row


def import_recipients(
    campaign: Campaign,
    source: Source | QuerySet[Any],
    *,
    phone: str = "",
    phone_column: str = "",
    text_column: str = "",
    variables: Mapping[str, str] | None = None,
    reference: bool = False,
    foreign: bool = False,
    number_types: Iterable[str] = (),
    countries: Iterable[str] | None = None,
    encoding: str | None = None,
    separator: str | None = None,
    sheet: str | None = None,
    header_row: int | None = None,
    rejected_file: IO[bytes] | None = None,
    progress: Callable[[int], object] | None = None,
) -> ImportReport:
    """Add recipients to a campaign that has not been launched: all of the good rows, or nothing if the file is broken.

    ``source`` is an open binary file (CSV, XLSX), dicts, or a queryset, of which ``phone`` names the field and
    ``variables`` maps names to fields; with ``reference``, each message refers to its object. Of the others,
    ``variables`` maps headers to names, by default every column. ``text_column`` holds a text for each recipient.
    ``foreign`` takes doubtful numbers of other countries, ``number_types`` more than mobile numbers, and ``countries``
    only these. ``encoding``, ``separator``, ``sheet`` and ``header_row`` say how to read a file that is not recognized.

    Raises UnreadableFileError for a file that cannot be read or lacks a column, CampaignError after a launch or
    deletion. Of a queryset, raises FieldError for an unknown field, TypeError for ``values()``: import its
    ``iterator()`` as dicts; with ``reference``, ValueError if its objects are not in the database of the references.
    """
    numbers = NumberChoice.of({"foreign": foreign, "number_types": number_types, "countries": countries})
    phone = phone or phone_column
    chosen = ReadOptions(encoding=encoding, separator=separator, sheet=sheet, header_row=header_row, phone_column=phone)
    columns = Columns(phone_column=phone, text_column=text_column)
    recipients, rows = _prepare(campaign, source, numbers, columns, variables, reference=reference)
    with existing(campaign):
        report, newest = import_rows(recipients, recipients.source_columns, rows, rejected_file, progress, chosen)
    report.opted_out = recipients.count_opted_out(newest)
    return report


def _prepare(
    campaign: Campaign,
    source: Source | QuerySet[Any],
    numbers: NumberChoice,
    columns: Columns,
    variables: Mapping[str, str] | None,
    *,
    reference: bool,
) -> tuple[Recipients, Source]:
    """Return the destination and the rows of the source."""
    if not isinstance(source, QuerySet):
        if reference:
            raise TypeError("reference=True needs a queryset: other rows belong to no object.")
        return Recipients(campaign, replace(columns, variables=variables), numbers), source
    if columns.text_column:
        raise TypeError("text_column= is for files and dicts, and not for a queryset.")
    audience = Audience(queryset=source, phone=columns.phone_column or "phone", variables=variables or {})
    return prepare_objects(campaign, audience, numbers, reference=reference)


def prepare_objects(
    campaign: Campaign, audience: Audience, numbers: NumberChoice, *, reference: bool
) -> tuple[Recipients, Iterator[dict[str, Any]]]:
    """Return the destination of an import of objects, and their rows, which are read page by page."""
    model = audience.queryset.model
    if reference:
        refuse_other_database(model, audience.queryset.db)
    reference_type = ContentType.objects.get_for_model(model) if reference else None
    columns = querysets.columns_of(audience.variables, reference=reference)
    return Recipients(campaign, columns, numbers, reference_type), querysets.rows_of(audience, reference=reference)
