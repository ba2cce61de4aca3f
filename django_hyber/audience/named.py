"""Adding an audience of the project to a campaign."""

from __future__ import annotations

from django_hyber.audience.imports import ImportReport
from django_hyber.audience.recipients import import_recipients
from django_hyber.conf import get_account
from django_hyber.conf.audiences import find_audience
from django_hyber.models import Campaign


def add_audience(campaign: Campaign, name: str) -> ImportReport:
    """Add the people of an audience of the setting AUDIENCES; who is there already stays once.

    Raises ImproperlyConfigured for an audience that cannot be used, CampaignError after the launch.
    """
    audience = find_audience(get_account(campaign.account), name)
    report = import_recipients(
        campaign, audience.queryset, phone=audience.phone, variables=audience.variables, reference=True
    )
    Campaign.objects.filter(pk=campaign.pk).update(audience=name)
    campaign.audience = name
    return report
