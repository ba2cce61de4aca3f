"""Adding objects of the project to a campaign: an audience by its name, or those that a user has selected.

Large ones are added in the background, page by page.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import IO, Any, NamedTuple

from django.apps import apps
from django.core.exceptions import FieldError, ImproperlyConfigured, ValidationError
from django.core.files.base import File
from django.db.models import QuerySet

from django_hyber.audience.imports import ImportReport, RowImport, newest_row, number_rows
from django_hyber.audience.number_choice import NumberChoice
from django_hyber.audience.querysets import CHUNK, rows_of
from django_hyber.audience.recipients import Recipients, import_recipients, prepare_objects
from django_hyber.conf import get_account
from django_hyber.conf.audiences import Audience, count_people, find_audience
from django_hyber.jobs.background import request_job
from django_hyber.jobs.claims import JobClaim
from django_hyber.jobs.kinds import campaign_of, open_source
from django_hyber.jobs.size import is_large
from django_hyber.models import BackgroundJob, Campaign

LONGEST_LABEL = 200


class People(NamedTuple):
    """The people of a job: where they go, their rows, and how many there are."""

    destination: Recipients
    rows: Iterator[dict[str, Any]]
    total: int


def add_audience(campaign: Campaign, name: str) -> ImportReport:
    """Add the people of an audience of the setting AUDIENCES; who is there already stays once.

    Raises ImproperlyConfigured for an audience that cannot be used, CampaignError after the launch.
    """
    audience = find_audience(get_account(campaign.account), name)
    report = import_recipients(
        campaign, audience.queryset, phone=audience.phone, variables=audience.variables, reference=True
    )
    _remember(campaign, name)
    return report


def request_audience(campaign: Campaign, name: str, user: Any) -> BackgroundJob:
    """Do the same in the background."""
    label = str(find_audience(get_account(campaign.account), name).label or name)[:LONGEST_LABEL]
    return request_job(BackgroundJob.Kind.IMPORT, campaign, {"audience": name, "file_name": label}, user)


def add_selected(
    campaign: Campaign, selected: QuerySet[Any], phone: str, variables: Mapping[str, str], user: Any
) -> ImportReport | BackgroundJob:
    """Add these objects at once, or in the background if there are many."""
    objects = selected.model._base_manager.using(selected.db)
    if not is_large(selected) or not _has_fields(objects.all(), phone, variables):
        return import_recipients(campaign, selected, phone=phone, variables=variables, reference=True)
    with tempfile.TemporaryFile() as file:
        count = 0
        for key in selected.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=CHUNK):
            file.write(f"{key}\n".encode())
            count += 1
        file.seek(0)
        meta = selected.model._meta
        parameters = {
            "model": meta.label,
            "using": selected.db,
            "phone": phone,
            "variables": dict(variables),
            "count": count,
            "file_name": str(meta.verbose_name_plural)[:LONGEST_LABEL],
        }
        return request_job(BackgroundJob.Kind.IMPORT, campaign, parameters, user, File(file, name="objects.txt"))


def is_of_objects(job: BackgroundJob) -> bool:
    """Return whether an import takes its rows from objects of the project and not from a file."""
    return "audience" in job.parameters or "model" in job.parameters


def import_objects(job: BackgroundJob, claim: JobClaim) -> dict[str, Any]:
    """Add the people page by page. Each page is committed together with the counts.

    An attempt that was cut off is started again from the first person, because an audience may have others now.
    """
    campaign, earlier = campaign_of(job), ImportReport.from_json(job.result)
    report = ImportReport(accepted=earlier.accepted, added_keys=earlier.added_keys)
    with _people_of(job, campaign) as people:
        result: dict[str, Any] = job.result or {"newest": newest_row(people.destination)}
        claim.write(total=people.total, result=result)

        def save(report: ImportReport) -> None:
            claim.write(done=report.total, result=result | report.as_json())

        work = RowImport(people.destination, people.destination.source_columns, report, newest=result["newest"])
        work.add(number_rows(people.rows), save)
    # Those whom the earlier attempt has added were met again.
    report.duplicates = max(0, report.duplicates - earlier.accepted)
    report.opted_out = campaign.messages.filter(pk__gt=result["newest"]).opted_out().count()
    if "audience" in job.parameters:
        _remember(campaign, job.parameters["audience"])
    return result | report.as_json()


@contextmanager
def _people_of(job: BackgroundJob, campaign: Campaign) -> Iterator[People]:
    if "audience" in job.parameters:
        audience = _find_audience(campaign, job.parameters["audience"])
        destination, rows = _prepare(campaign, audience.queryset, audience.phone, audience.variables)
        yield People(destination, rows, count_people(audience))
        return
    objects = apps.get_model(job.parameters["model"])._base_manager.using(job.parameters["using"]).all()
    phone, variables = job.parameters["phone"], job.parameters["variables"]
    destination, _rows = _prepare(campaign, objects, phone, variables)
    with open_source(job) as file:
        yield People(destination, _rows_by_key(file, objects, phone, variables), job.parameters["count"])


def _prepare(
    campaign: Campaign, objects: QuerySet[Any], phone: str, variables: Mapping[str, str]
) -> tuple[Recipients, Iterator[dict[str, Any]]]:
    return prepare_objects(campaign, objects, NumberChoice(), phone, variables, reference=True)


def _rows_by_key(
    file: IO[bytes], objects: QuerySet[Any], phone: str, variables: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    # Once: every iterator over the files of Django starts from the beginning.
    lines = iter(file)
    while keys := [line.decode().rstrip("\n") for line in islice(lines, CHUNK)]:
        yield from rows_of(objects.filter(pk__in=keys), phone, variables, reference=True)


def _has_fields(objects: QuerySet[Any], phone: str, variables: Mapping[str, str]) -> bool:
    """Return whether the names are fields of the model, and not annotations of a queryset that nobody can store."""
    try:
        objects.values_list(phone, *variables.values())
    except FieldError:
        return False
    return True


def _find_audience(campaign: Campaign, name: str) -> Audience:
    try:
        return find_audience(get_account(campaign.account), name)
    except ImproperlyConfigured as error:
        raise ValidationError(str(error), code="audience") from error


def _remember(campaign: Campaign, name: str) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(audience=name)
    campaign.audience = name
