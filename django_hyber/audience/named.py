"""Adding an audience of the project to a campaign: at once, or in the background if it is large."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError

from django_hyber.audience.imports import ImportReport, RowImport, newest_row, number_rows
from django_hyber.audience.number_choice import NumberChoice
from django_hyber.audience.recipients import import_recipients, prepare_objects
from django_hyber.conf import get_account
from django_hyber.conf.audiences import Audience, count_people, find_audience
from django_hyber.jobs.background import request_job
from django_hyber.jobs.claims import JobClaim
from django_hyber.jobs.kinds import campaign_of
from django_hyber.models import BackgroundJob, Campaign

LONGEST_LABEL = 200


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


def import_audience(job: BackgroundJob, claim: JobClaim) -> dict[str, Any]:
    """Add the people of an audience page by page. Each page is committed together with the counts.

    An attempt that was cut off is started again from the first person, because others may be in the audience now.
    """
    campaign, name = campaign_of(job), job.parameters["audience"]
    audience = _find_audience(campaign, name)
    destination, rows = prepare_objects(
        campaign, audience.queryset, NumberChoice(), audience.phone, audience.variables, reference=True
    )
    earlier = ImportReport.from_json(job.result)
    result: dict[str, Any] = job.result or {"newest": newest_row(destination)}
    claim.write(total=count_people(audience), result=result)
    report = ImportReport(accepted=earlier.accepted, added_keys=earlier.added_keys)

    def save(report: ImportReport) -> None:
        claim.write(done=report.total, result=result | report.as_json())

    work = RowImport(destination, destination.source_columns, report, newest=result["newest"])
    work.add(number_rows(rows), save)
    # Those whom the earlier attempt has added were met again.
    report.duplicates = max(0, report.duplicates - earlier.accepted)
    report.opted_out = campaign.messages.filter(pk__gt=result["newest"]).opted_out().count()
    _remember(campaign, name)
    return result | report.as_json()


def _find_audience(campaign: Campaign, name: str) -> Audience:
    try:
        return find_audience(get_account(campaign.account), name)
    except ImproperlyConfigured as error:
        raise ValidationError(str(error), code="audience") from error


def _remember(campaign: Campaign, name: str) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(audience=name)
    campaign.audience = name
