"""The removal of recipients from a draft: all, those of one import, or those on a list of numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import IO

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from django_hyber.audience.imports import ImportReport
from django_hyber.audience.number_lists import phones_in
from django_hyber.db.bulk import CHUNK, pages_to_delete
from django_hyber.db.transactions import existing, write_transaction
from django_hyber.errors import CampaignError
from django_hyber.forgetting.drafts import delete_recipients, forget_imports_of_nobody
from django_hyber.models import Campaign, Message

Phones = Iterable[str | None]
Progress = Callable[[int], object]


@dataclass(kw_only=True)
class Removed:
    """The result of a removal by a list: ``total`` = ``removed`` + ``not_found`` + ``unreadable``.

    ``not_found`` counts the numbers that are not among the recipients, or that repeat another of the list;
    ``unreadable`` the rows without a phone number. Without a list, ``total`` equals ``removed``.
    """

    total: int = 0
    removed: int = 0
    not_found: int = 0
    unreadable: int = 0


def remove_recipients(
    campaign: Campaign,
    *,
    everybody: bool = False,
    imported: ImportReport | None = None,
    numbers: IO[bytes] | Iterable[str] | None = None,
    progress: Progress | None = None,
) -> Removed:
    """Remove recipients from a campaign that has not been launched: all of them, or none after an error.

    Pass exactly one of these: ``everybody``; ``imported``, the report of an import, for those whom it added; or
    ``numbers``, an iterable of texts or an open binary file (CSV, XLSX), in any notation. A file needs no header if
    only one of its columns has numbers. ``progress`` is called with the number of recipients or rows that are done.

    Raises UnreadableFileError for a file that cannot be read, CampaignError after the launch and for a
    campaign that was deleted.
    """
    if [everybody, imported is not None, numbers is not None].count(True) != 1:
        raise ValueError("Exactly one of everybody, imported and numbers says which recipients to remove.")
    removed = Removed()
    with existing(campaign), write_transaction():
        lock_draft(campaign)
        if numbers is not None:
            with closing(phones_in(campaign, numbers)) as phones:
                for listed in pages_of_phones(phones):
                    remove_listed(campaign, listed, removed)
                    _report(progress, removed)
        else:
            for page in pages_of_keys(campaign, ranges_of(imported) if imported else None):
                remove_keys(page, removed)
                _report(progress, removed)
        forget_imports_of_nobody(campaign)
    return removed


def lock_draft(campaign: Campaign) -> None:
    """Lock the campaign until the end of the transaction. Raises CampaignError after the launch."""
    current = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if not current.is_editable:
        problem = ValidationError(_("Recipients can only be removed before the launch."), code="launched")
        raise CampaignError([problem])


def ranges_of(report: ImportReport) -> list[tuple[int, int]]:
    """Return the ranges of keys that an import has added; the first key of each is not part of it."""
    return [(after, last) for after, last in report.added_keys]


def added_by(campaign: Campaign, report: ImportReport) -> int:
    """Count the recipients that an import has added and that are still there."""
    return sum(
        campaign.messages.filter(pk__gt=after, pk__lte=last).order_by().count() for after, last in ranges_of(report)
    )


def pages_of_keys(campaign: Campaign, ranges: Sequence[tuple[int, int]] | None) -> Iterator[list[int]]:
    """Yield keys of recipients as ``pages_to_delete``: those in these ranges, or without ``ranges`` of all."""
    recipients = campaign.messages.order_by()
    wanted: Iterable[QuerySet[Message]] = (
        [recipients] if ranges is None else (recipients.filter(pk__gt=after, pk__lte=last) for after, last in ranges)
    )
    for rows in wanted:
        yield from pages_to_delete(rows)


def remove_keys(page: Sequence[int], removed: Removed) -> None:
    """Delete the recipients with these keys."""
    count = delete_recipients(Message.objects.filter(pk__in=page))
    removed.total += count
    removed.removed += count


def remove_listed(campaign: Campaign, page: Sequence[str | None], removed: Removed) -> None:
    """Delete the recipients with these numbers; None is a row without a number."""
    phones = {phone for phone in page if phone}
    unreadable = page.count(None)
    rows = list(campaign.messages.filter(phone_number__in=phones).order_by().values_list("pk", flat=True))
    count = delete_recipients(Message.objects.filter(pk__in=rows)) if rows else 0
    removed.total += len(page)
    removed.removed += count
    removed.unreadable += unreadable
    removed.not_found += len(page) - unreadable - count


def count_listed(campaign: Campaign, phones: Phones) -> Removed:
    """Count what a removal by a list would remove."""
    found = Removed()
    for page in pages_of_phones(phones):
        wanted = {phone for phone in page if phone}
        count = campaign.messages.filter(phone_number__in=wanted).order_by().count()
        found.total += len(page)
        found.removed += count
        found.unreadable += page.count(None)
    # A number that is repeated on another page of the list is counted once, as when it is removed.
    found.not_found = found.total - found.unreadable - found.removed
    return found


def pages_of_phones(phones: Phones) -> Iterator[list[str | None]]:
    """Yield the numbers in pages."""
    phones = iter(phones)
    while page := list(islice(phones, CHUNK)):
        yield page


def _report(progress: Progress | None, removed: Removed) -> None:
    if progress:
        progress(removed.total)
