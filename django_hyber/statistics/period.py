"""The results of an account within a period: of its campaigns and single messages that ended in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django_hyber.models import Campaign, Message
from django_hyber.reports.ranks import DELIVERIES, FAILURES
from django_hyber.statistics.counts import Results, find_payers, summed
from django_hyber.statistics.dashboard import reported_since
from django_hyber.statistics.tally import Counted, count_by_chain, count_never_accepted, count_without_ends

ENDED = (*DELIVERIES, *FAILURES)


def account_statistics(account: str, since: datetime, until: datetime) -> Results:
    """Count the messages that ended from ``since`` until before ``until``, with a constant number of queries."""
    campaigns = _campaigns_of(account, since, until)
    within = Message.objects.filter(finished_at__gte=since, finished_at__lt=until)
    # The messages of a campaign have its account.
    in_campaigns = within.filter(campaign__in=list(campaigns))
    singles = within.filter(campaign=None, account=account, status__in=ENDED)
    counted = [row for row in count_without_ends(in_campaigns) if row.status in ENDED]
    alone = count_by_chain(singles)
    rows: list[tuple[Counted, Sequence[str]]] = [
        *((row, campaigns[row.campaign]) for row in counted if row.campaign),
        *((row, chain or ()) for row, chain in alone),
    ]
    never_accepted = [
        *count_never_accepted(in_campaigns, counted).values(),
        *count_never_accepted(singles, [row for row, _chain in alone]).values(),
    ]
    own = list(dict.fromkeys(name for _row, chain in rows for name in chain))
    return Results(**summed(rows, find_payers([account])[account], own=own, never_accepted=sum(never_accepted)))


def _campaigns_of(account: str, since: datetime, until: datetime) -> dict[int, list[str]]:
    """Return the channels of the campaigns that may have messages in the period."""
    recent = Campaign.objects.filter(reported_since(since), account=account, launched_at__lt=until)
    campaigns = recent.prefetch_related("channels")
    return {campaign.pk: [channel.channel for channel in campaign.channels.all()] for campaign in campaigns}
