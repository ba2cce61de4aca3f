"""Removals of recipients for pages: stored until a person confirms them, then done at once or in the background."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict
from itertools import islice
from typing import IO, Any

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile, File
from django.utils.translation import gettext as _

from django_hyber.audience.files.file_type import FileFormat
from django_hyber.audience.imports import ImportReport
from django_hyber.audience.number_lists import NumberColumns, find_columns, read_phones
from django_hyber.audience.removal import (
    Removed,
    added_by,
    count_listed,
    lock_draft,
    pages_of_keys,
    pages_of_phones,
    ranges_of,
    remove_keys,
    remove_listed,
)
from django_hyber.audience.uploads import LARGE_BYTES, check_size
from django_hyber.db.transactions import write_transaction
from django_hyber.errors import CampaignError
from django_hyber.forgetting.drafts import forget_imports_of_nobody
from django_hyber.jobs.background import are_many, begin_confirmed, create_job, is_large
from django_hyber.jobs.work import JobClaim, campaign_of, job_kind, open_source
from django_hyber.models import BackgroundJob, Campaign
from django_hyber.models.people import User

Kind = BackgroundJob.Kind
State = BackgroundJob.State
SEPARATORS = re.compile(r"[\r\n,;\t]+")


def keep_removal(
    campaign: Campaign, user: User | None, *, imported: BackgroundJob | None = None, source: File[Any] | None = None
) -> BackgroundJob:
    """Store a removal of all recipients, of those of an import, or of those in a file, until it is confirmed.

    Without a confirmation it is deleted after a day. Raises UnreadableFileError.
    """
    parameters: dict[str, Any] = {}
    if imported:
        parameters = {"import": imported.pk}
    elif source:
        parameters = _describe(campaign, source)
        source = File(source.file, name=f"numbers.{parameters['columns']['format']['kind']}")
    return create_job(State.UPLOADED, Kind.REMOVAL, campaign, parameters, user, source)


def keep_pasted_removal(campaign: Campaign, user: User | None, text: str) -> BackgroundJob:
    """Store a removal of pasted numbers. Raises UnreadableFileError."""
    numbers = [part.replace('"', "").strip() for part in SEPARATORS.split(text)]
    lines = ["phone", *filter(None, numbers)]
    content = ContentFile("\n".join(lines).encode("utf-8", "replace"), name="numbers.csv")
    return keep_removal(campaign, user, source=content)


def _describe(campaign: Campaign, source: File[Any]) -> dict[str, Any]:
    check_size(source)
    file: IO[bytes] = source.file  # type: ignore[assignment]  # Django's File knows only that it is some file
    columns = find_columns(file, campaign)
    rows = None
    if source.size <= LARGE_BYTES:
        with closing(read_phones(campaign, file, columns)) as phones:
            rows = sum(1 for _phone in phones)
    return {"columns": asdict(columns), "rows": rows}


def count_removal(job: BackgroundJob) -> Removed | None:
    """Count whom a stored removal would remove, or None for a file that is too large to wait for.

    Raises ValidationError if the import or the file has been deleted.
    """
    campaign = campaign_of(job)
    if "columns" in job.parameters:
        if is_large_removal(job):
            return None
        with open_source(job) as file, closing(_phones_of(job, campaign, file)) as phones:
            return count_listed(campaign, phones)
    is_of_import = "import" in job.parameters
    count = added_by(campaign, _import_of(job, campaign)) if is_of_import else campaign.messages.count()
    return Removed(total=count, removed=count)


def is_large_removal(job: BackgroundJob) -> bool:
    """Return whether a removal is done in the background."""
    if "columns" in job.parameters:
        return are_many(job.parameters["rows"])
    return is_large(campaign_of(job).messages.all())


def confirm_removal(job: BackgroundJob, user: User | None) -> bool:
    """Remove the recipients, at once or in the background, and return whether this call started it.

    Raises CampaignError after the launch, and while an import is under way.
    """
    campaign = campaign_of(job)
    with write_transaction():
        lock_draft(campaign)
        if campaign.jobs.open().filter(kind=Kind.IMPORT).exists():
            raise CampaignError([ValidationError(_("An import of recipients is still under way."), code="importing")])
        return begin_confirmed(job, user, at_once=not is_large_removal(job))


@job_kind(Kind.REMOVAL)
def run_removal(job: BackgroundJob, claim: JobClaim) -> dict[str, Any]:
    """Remove the recipients page by page. Each page is committed together with the counts."""
    campaign = campaign_of(job)
    removed = Removed(**job.result)
    if "columns" in job.parameters:
        _remove_listed(job, campaign, claim, removed)
    else:
        ranges = ranges_of(_import_of(job, campaign)) if "import" in job.parameters else None
        if job.total is None and (count := count_removal(job)):
            claim.write(total=count.total)
        for page in pages_of_keys(campaign, ranges):
            with write_transaction():
                lock_draft(campaign)
                remove_keys(page, removed)
                claim.write(done=removed.total, result=asdict(removed))
    with write_transaction():
        lock_draft(campaign)
        forget_imports_of_nobody(campaign)
    return asdict(removed)


def _remove_listed(job: BackgroundJob, campaign: Campaign, claim: JobClaim, removed: Removed) -> None:
    with open_source(job) as file:
        if job.total is None:
            # Nobody is removed by a file that cannot be read to its end.
            claim.write(total=_count_rows(job, campaign, file, claim))
        with closing(_phones_of(job, campaign, file)) as phones:
            for page in pages_of_phones(islice(phones, removed.total, None)):
                with write_transaction():
                    lock_draft(campaign)
                    remove_listed(campaign, page, removed)
                    claim.write(done=removed.total, result=asdict(removed))


def _count_rows(job: BackgroundJob, campaign: Campaign, file: IO[bytes], claim: JobClaim) -> int:
    count = 0
    with closing(_phones_of(job, campaign, file)) as phones:
        for _phone in phones:
            count += 1
            claim.progress(0)
    return count


def _phones_of(job: BackgroundJob, campaign: Campaign, file: IO[bytes]) -> Generator[str | None, None, None]:
    known = job.parameters["columns"]
    # As JSON, the format is a dict.
    return read_phones(campaign, file, NumberColumns(**{**known, "format": FileFormat(**known["format"])}))


def _import_of(job: BackgroundJob, campaign: Campaign) -> ImportReport:
    imported = campaign.jobs.filter(kind=Kind.IMPORT, pk=job.parameters["import"]).first()
    if imported is None:
        raise ValidationError(_("The import no longer exists. Choose another one."), code="gone")
    return ImportReport.from_json(imported.result)
