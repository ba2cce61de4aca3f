"""The results of an account within a period: of its campaigns and single messages that ended in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from django_hyber.models import Campaign, Message
from django_hyber.reports.ranks import DELIVERIES, FAILURES
from django_hyber.statistics.counts import Results, Status, find_payers, summed
from django_hyber.statistics.tally import Counted, count_by_chain, count_messages

#: Campaigns that ended longer ago get no reports any more.
REPORTED_WITHIN = timedelta(days=30)
#: The channels of a single message, within its content.
CHAIN = "content__channels"


def account_statistics(account: str, since: datetime, until: datetime) -> Results:
    """Count what ended from ``since`` on and before ``until``, in a number of queries that does not grow."""
    campaigns = _campaigns_of(account, since, until)
    # The messages of a campaign have its account.
    ended = Message.objects.filter(
        status__in=(*DELIVERIES, *FAILURES), finished_at__gte=since, finished_at__lt=until, account=account
    )
    in_campaigns, singles = ended.filter(campaign__in=list(campaigns)), ended.filter(campaign=None)
    rows: list[tuple[Counted, Sequence[str]]] = [
        (row, campaigns[row.campaign]) for row in count_messages(in_campaigns) if row.campaign
    ]
    rows += [(row, chain or ()) for row, chain in count_by_chain(singles, CHAIN)]
    given_up = [part.filter(status=Status.UNDELIVERED, accepted_at=None).count() for part in (in_campaigns, singles)]
    own = list(dict.fromkeys(name for _row, chain in rows for name in chain))
    return Results(**summed(rows, find_payers([account])[account], own=own, never_accepted=sum(given_up)))


def _campaigns_of(account: str, since: datetime, until: datetime) -> dict[int, list[str]]:
    """Return the channels of the campaigns that may have messages in the period."""
    recent = Q(finished_at=None) | Q(finished_at__gte=since - REPORTED_WITHIN)
    recent |= Q(start_time__gte=since - REPORTED_WITHIN)
    campaigns = Campaign.objects.filter(recent, account=account, launched_at__lt=until).prefetch_related("channels")
    return {campaign.pk: [channel.channel for channel in campaign.channels.all()] for campaign in campaigns}
