from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from django_hyber.models import Campaign
from django_hyber.services import CampaignError, start_campaign


class Command(BaseCommand):
    """Launch a campaign."""

    help = "Launch a campaign; with the immediate task backend it is handed over before the command returns."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the arguments."""
        parser.add_argument("campaign", type=int, help="Id of the campaign.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Launch, or tell all that stands in the way."""
        try:
            campaign = start_campaign(Campaign.objects.get(pk=options["campaign"]))
        except Campaign.DoesNotExist:
            raise CommandError(f"There is no campaign {options['campaign']}.") from None
        except CampaignError as error:
            raise CommandError("\n".join(error.messages)) from None
        self.stdout.write(f"{campaign.name}: {campaign.get_status_display()}, {campaign.messages.count()} recipients")
