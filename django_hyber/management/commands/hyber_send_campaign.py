from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from django_hyber.management.base import LONGEST, HyberCommand, number
from django_hyber.management.progress_bar import ProgressBar
from django_hyber.models import Campaign
from django_hyber.services import CampaignError, Preflight, count_waiting, dispatch, preflight, start_campaign

PAUSE = 0.5
Status = Campaign.Status


class Command(HyberCommand):
    """Launch a campaign."""

    help = "Launch a campaign. With the immediate task backend, it is sent before the command returns."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the arguments."""
        parser.add_argument("campaign", type=int, help="Id of the campaign.")
        parser.add_argument("--check", action="store_true", help="Only run the pre-flight check.")
        parser.add_argument("--wait", action="store_true", help="Sweep until nothing is left to send.")
        parser.add_argument(
            "--timeout", type=number(float, 0, LONGEST), metavar="SECONDS", help="Maximum time to wait."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Launch, or print the problems; exit with 1 if there are any or the campaign is unfinished after the wait."""
        campaign = self._find(options["campaign"])
        if options["check"]:
            self._print(preflight(campaign))
            return
        try:
            campaign = start_campaign(campaign)
        except CampaignError as error:
            raise CommandError("\n".join(error.messages)) from None
        if options["wait"]:
            self._wait(campaign, options["timeout"])
        self.stdout.write(f"{campaign.name}: {campaign.get_status_display()}, {campaign.messages.count()} recipients")
        if options["wait"] and campaign.status != Status.FINISHED:
            raise CommandError(f"The campaign is not finished. {campaign.status_reason}".strip())

    def _find(self, pk: int) -> Campaign:
        try:
            return Campaign.objects.get(pk=pk)
        except Campaign.DoesNotExist:
            raise CommandError(f"There is no campaign {pk}.") from None

    def _wait(self, campaign: Campaign, timeout: float | None) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        total = campaign.messages.count()
        bar = ProgressBar(sys.stderr, total)
        while campaign.status in {Status.SCHEDULED, Status.SENDING}:
            bar.show(total - count_waiting(campaign))
            if deadline is not None and time.monotonic() >= deadline:
                break
            time.sleep(PAUSE)
            dispatch()
            campaign.refresh_from_db()
        bar.show(total - count_waiting(campaign))
        bar.end()

    def _print(self, found: Preflight) -> None:
        self.stdout.write(f"{found.will_receive} of {found.recipients} recipients would receive it")
        for skipped in found.skipped:
            self.stdout.write(f"left out: {skipped.count}, {skipped.reason}")
        if found.segments:
            segments = found.segments
            self.stdout.write(f"SMS segments: {segments.total}, {segments.fewest} to {segments.most} each")
        if found.cost_low is not None:
            self.stdout.write(f"cost if everything is delivered: {found.cost_low} to {found.cost_high}")
            self.stdout.write(f"cost if every attempt is paid for: up to {found.cost_attempts}")
        for warning in found.warnings:
            self.stdout.write(f"warning: {' '.join(warning.messages)}")
        if found.problems:
            raise CommandError("\n".join(message for problem in found.problems for message in problem.messages))
