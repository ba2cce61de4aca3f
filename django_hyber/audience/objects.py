"""Adding objects of the project to a campaign: an audience by its name, or those that a user has selected.

Large ones are added in the background, page by page.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import IO, Any, NamedTuple

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.files.base import File

from django_hyber.audience.import_numbers import NumberChoice
from django_hyber.audience.imports import ImportReport, RowImport, newest_row, number_rows, save_counts
from django_hyber.audience.querysets import keys_of, rows_of
from django_hyber.audience.recipients import Recipients, import_recipients, prepare_objects
from django_hyber.conf import get_account
from django_hyber.conf.audiences import Audience, count_people, find_audience
from django_hyber.db.bulk import CHUNK
from django_hyber.db.transactions import write_transaction
from django_hyber.jobs.background import is_large, request_job
from django_hyber.jobs.work import JobClaim, campaign_of, open_source
from django_hyber.models import BackgroundJob, Campaign
from django_hyber.models.people import User
from django_hyber.policies.four_eyes import record_author

LONGEST_LABEL = 200


class People(NamedTuple):
    """The people of a job: where they go, their rows, and how many there are."""

    destination: Recipients
    rows: Iterator[dict[str, Any]]
    total: int


def add_audience(campaign: Campaign, name: str) -> ImportReport:
    """Add the people of an audience of the setting AUDIENCES; who is there already stays once.

    Raises ImproperlyConfigured for an audience that cannot be used, CampaignError after the launch and for a
    campaign that was deleted.
    """
    audience = find_audience(get_account(campaign.account), name)
    report = import_recipients(
        campaign, audience.queryset, phone=audience.phone, variables=audience.variables, reference=True
    )
    _remember(campaign, name)
    return report


def request_audience(campaign: Campaign, name: str, user: User) -> BackgroundJob:
    """Do the same in the background."""
    label = str(find_audience(get_account(campaign.account), name).label or name)[:LONGEST_LABEL]
    return request_job(BackgroundJob.Kind.IMPORT, campaign, {"audience": name, "file_name": label}, user)


def draft_for(selected: Audience, account: str, name: str, user: User) -> tuple[Campaign, ImportReport | BackgroundJob]:
    """Make a campaign and add these objects at once, or in the background if there are many.

    Raises ImproperlyConfigured for an account or objects that cannot be used. A draft without them never stays.
    """
    get_account(account)
    selected.check()
    with write_transaction():
        campaign = Campaign.objects.create(account=account, name=name)
        record_author(campaign, user)
        return campaign, _add_selected(campaign, selected, user)


def _add_selected(campaign: Campaign, selected: Audience, user: User) -> ImportReport | BackgroundJob:
    model, using = selected.queryset.model, selected.queryset.db
    objects = model._base_manager.using(using).all()
    if not is_large(selected.queryset) or not _is_importable(replace(selected, queryset=objects)):
        phone, variables = selected.phone, selected.variables
        return import_recipients(campaign, selected.queryset, phone=phone, variables=variables, reference=True)
    with tempfile.TemporaryFile() as file:
        count = 0
        for key in keys_of(selected.queryset):
            # As JSON, a key may contain the end of a line. What is no text or number is read again from its text.
            file.write(json.dumps(key, default=str).encode() + b"\n")
            count += 1
        file.seek(0)
        parameters = {
            "model": model._meta.label,
            "using": using,
            "phone": selected.phone,
            "variables": dict(selected.variables),
            "count": count,
            "file_name": str(model._meta.verbose_name_plural)[:LONGEST_LABEL],
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
        work = RowImport(people.destination, people.destination.source_columns, report, newest=result["newest"])
        work.add(number_rows(people.rows), partial(save_counts, claim, result))
    # Those whom the earlier attempt has added were met again.
    report.duplicates = max(0, report.duplicates - earlier.accepted)
    report.opted_out = people.destination.count_opted_out(result["newest"])
    if "audience" in job.parameters:
        _remember(campaign, job.parameters["audience"])
    return result | report.as_json()


@contextmanager
def _people_of(job: BackgroundJob, campaign: Campaign) -> Iterator[People]:
    if "audience" in job.parameters:
        try:
            audience = find_audience(get_account(campaign.account), job.parameters["audience"])
            total = count_people(audience)
        except ImproperlyConfigured as error:
            raise ValidationError(str(error), code="audience") from error
        yield People(*prepare_objects(campaign, audience, NumberChoice(), reference=True), total)
        return
    objects = apps.get_model(job.parameters["model"])._base_manager.using(job.parameters["using"]).all()
    audience = Audience(queryset=objects, phone=job.parameters["phone"], variables=job.parameters["variables"])
    destination, _rows = prepare_objects(campaign, audience, NumberChoice(), reference=True)
    with open_source(job) as file:
        yield People(destination, _rows_by_key(file, audience), job.parameters["count"])


def _rows_by_key(file: IO[bytes], audience: Audience) -> Iterator[dict[str, Any]]:
    # Once: every iterator over the files of Django starts from the beginning.
    lines = iter(file)
    while keys := [json.loads(line) for line in islice(lines, CHUNK)]:
        yield from rows_of(replace(audience, queryset=audience.queryset.filter(pk__in=keys)), reference=True)


def _is_importable(objects: Audience) -> bool:
    """Return whether the names are fields of the model, and not annotations of a queryset that nobody can store."""
    try:
        objects.check()
    except ImproperlyConfigured:
        return False
    return True


def _remember(campaign: Campaign, name: str) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(audience=name)
    campaign.audience = name
