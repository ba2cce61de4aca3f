"""Today's numbers and what needs attention. Every number is read from an index, whatever the size of the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, F, Min, OuterRef, Q, QuerySet, Sum
from django.urls import NoReverseMatch
from django.utils import timezone

from django_hyber.conf import Account, find_accounts, get_accounts
from django_hyber.conf.addresses import get_callback_url
from django_hyber.db.lease import is_due
from django_hyber.models import (
    LONE,
    AccountState,
    Batch,
    Campaign,
    CampaignChannel,
    Contributor,
    DeliveryReport,
    Message,
    Reply,
    Suppression,
    UnreadableCallback,
)
from django_hyber.models.message import UNMATCHED
from django_hyber.models.people import User
from django_hyber.reconcile.decisions import DECIDE_AFTER, overdue
from django_hyber.reports.ranks import DELIVERIES, FINAL
from django_hyber.statistics.counts import StatusCounts

Status = Message.Status
#: Higher numbers are shown as "more than".
MOST_COUNTED = 10_000
#: Campaigns that ended longer ago get no reports any more.
REPORTED_WITHIN = timedelta(days=30)
#: How long a campaign is shown whose reports have not come.
MISSED_FOR = timedelta(days=7)
#: Anything that has waited longer than this is stuck.
TOO_LONG = timedelta(minutes=10)
UNREPORTED_AFTER = timedelta(days=1)
#: The most rows of one kind.
SHOWN = 5
NEWEST_REPORTS = 1_000
#: Launched campaigns that have not ended, in the order of the dashboard.
STILL_TO_COME = (Campaign.Status.SENDING, Campaign.Status.SCHEDULED, Campaign.Status.PAUSED)


@dataclass(frozen=True, kw_only=True)
class Today(StatusCounts):
    """The messages that have ended since midnight; ``channels`` counts deliveries.

    ``unmatched`` ones had a Viber text that matches no approved template.
    """

    channels: Mapping[str, int]
    unmatched: int


@dataclass(frozen=True, kw_only=True)
class AccountHealth:
    """Whether an account can send and receive reports.

    ``troubles`` are the hosts that do not accept its requests. ``last_report`` is None if none of the newest reports is
    its own.
    """

    name: str
    can_log_in: bool
    can_be_called: bool
    troubles: Sequence[AccountState]
    last_report: datetime | None


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What waits here, or at the platform. The last two are counted up to MOST_COUNTED + 1.

    ``recipients`` are those of launched campaigns, by the status of the campaign.
    """

    recipients: Mapping[str, int]
    singles: int
    with_platform: int


@dataclass(frozen=True, kw_only=True)
class Stale:
    """What has waited too long. Each is counted up to MOST_COUNTED + 1.

    The first two need a person: "not found" has counted since before ``decide_before``, and still nothing is proved.
    """

    old_singles: int
    batches_to_decide: int
    messages_to_decide: int
    decide_before: datetime
    unconfirmed: int
    unreported: int
    unmatched: int
    unreadable: int


def midnight(now: datetime) -> datetime:
    """Return when today began, in the current time zone."""
    return timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)


def today(now: datetime) -> Today:
    """Count the messages that have ended since midnight: single ones, and those of recent campaigns.

    The conditions name every column of the index of campaigns, so that of most messages only those of today are read.
    """
    since = midnight(now)
    ended = _ended_since(since)
    whose = (ended.filter(campaign=None), ended.filter(campaign__in=_recent_campaigns(since)))
    # One query for each status: for several at once SQLite uses another index. Most messages have no other channels.
    parts = [
        rows.filter(others, status=status)
        for rows in whose
        for others in (Q(other_channels=""), Q(other_channels__gt=""))
        for status in FINAL
    ]
    without_template = Count("status", filter=UNMATCHED)
    counted = [
        rows.values_list("status", "channel").annotate(count=Count("*"), unmatched=without_template) for rows in parts
    ]
    statuses: Counter[str] = Counter()
    channels: Counter[str] = Counter()
    unmatched = 0
    # Without the order of the model, which Django 6.1 would ask for among the columns.
    for status, channel, count, without in counted[0].union(*counted[1:], all=True).order_by():
        unmatched += without
        statuses[status] += count
        channels[channel] += count if status in DELIVERIES else 0
    return Today(statuses=statuses, channels=+channels, unmatched=unmatched)


def ended_today(messages: QuerySet[Message], now: datetime) -> QuerySet[Message]:
    """Select the messages that ``today`` counts.

    Without the lower bound of their keys, databases look for a few of them in the whole table.
    """
    since = midnight(now)
    first = Batch.objects.filter(campaign__in=_recent_campaigns(since)).aggregate(first=Min("first_id"))["first"]
    # The addition keeps databases from scanning the primary key from its beginning.
    alone = _ended_since(since).filter(campaign=None, status__in=FINAL).aggregate(first=Min(F("pk") + 0))["first"]
    first_id = min((pk for pk in (first, alone) if pk is not None), default=0)
    return messages.filter(pk__gte=first_id, finished_at__gte=since)


def account_health() -> list[AccountHealth]:
    """Return the state of the configured accounts. Raises ImproperlyConfigured if the setting cannot be read."""
    accounts = get_accounts()
    troubled = list(AccountState.objects.filter(failures__gt=0))
    reports = last_reports()
    return [
        AccountHealth(
            name=account.name,
            can_log_in=bool(account.client_id and account.login and account.password),
            can_be_called=_can_be_called(account),
            troubles=[state for state in troubled if state.account == account.name],
            last_report=reports.get(account.name),
        )
        for account in accounts
    ]


def waiting() -> Waiting:
    """Count what is waiting."""
    pending = Batch.objects.filter(campaign__status__in=STILL_TO_COME, state=Batch.State.PENDING).order_by()
    return Waiting(
        recipients=dict(pending.values_list("campaign__status").annotate(people=Sum("size"))),
        singles=count_up_to(Message.objects.filter(campaign=None, status=Status.QUEUED)),
        with_platform=count_up_to(Message.objects.filter(status=Status.ACCEPTED)),
    )


def stale(now: datetime) -> Stale:
    """Count what should not be waiting any more; for campaigns see ``all_idle``."""
    singles = Message.objects.filter(campaign=None)
    return Stale(
        old_singles=count_up_to(singles.filter(status=Status.QUEUED, created_at__lt=now - TOO_LONG)),
        batches_to_decide=count_up_to(Batch.objects.filter(overdue(now), state=Batch.State.UNCONFIRMED)),
        messages_to_decide=count_up_to(Message.objects.filter(LONE, overdue(now))),
        decide_before=now - DECIDE_AFTER,
        unconfirmed=count_up_to(Message.objects.filter(status=Status.UNCONFIRMED)),
        unreported=count_up_to(singles.filter(status=Status.ACCEPTED, accepted_at__lt=now - UNREPORTED_AFTER)),
        unmatched=count_up_to(DeliveryReport.objects.filter(message=None)),
        unreadable=count_up_to(UnreadableCallback.objects.all()),
    )


def all_idle(now: datetime) -> QuerySet[Campaign]:
    """Select the campaigns that are due and yet make no progress: no worker or sweep seems to run."""
    long_ago = now - TOO_LONG
    own = Batch.objects.filter(campaign=OuterRef("pk"))
    due = own.filter(is_due(long_ago), state=Batch.State.PENDING)
    busy = own.filter(Q(finished_at__gte=long_ago) | Q(due_at__gte=long_ago) | Q(lease_until__gte=long_ago))
    ready = Q(next_send_at=None) | Q(next_send_at__lt=long_ago)
    # A campaign that was resumed, or whose start time has come, has been launched long before.
    started = Q(sending_since=None) | Q(sending_since__lt=long_ago)
    idle = Campaign.objects.filter(Exists(due), ~Exists(busy), ready, started, status=Campaign.Status.SENDING)
    return idle.filter(launched_at__lt=long_ago).order_by("pk")


def all_held(now: datetime) -> QuerySet[Campaign]:
    """Select the campaigns that wait because the platform has refused the login of their account for a while."""
    held = AccountState.objects.filter(held_since__lt=now - TOO_LONG).values("account")
    own = Batch.objects.filter(campaign=OuterRef("pk"), state=Batch.State.PENDING, waits_for=Batch.WaitsFor.ACCOUNT)
    return Campaign.objects.filter(Exists(own), account__in=held, status=Campaign.Status.SENDING).order_by("pk")


def all_awaiting_approval(user: User) -> QuerySet[Campaign]:
    """Select the drafts of other people for which approval was asked, and which the user can launch."""
    accounts = [account.name for account in find_accounts() if account.four_eyes]
    asked = Campaign.objects.filter(status=Campaign.Status.DRAFT, approval=Campaign.Approval.ASKED)
    own = Contributor.objects.filter(campaign=OuterRef("pk"), user_key=str(user.pk))
    others = asked.filter(~Exists(own), account__in=accounts).exclude(author=user.pk)
    return others.order_by("approval_at", "pk")


def all_unreported(now: datetime) -> QuerySet[Campaign]:
    """Select the campaigns that ended over a day ago and have messages without a report."""
    own = Message.objects.filter(campaign=OuterRef("pk"), status=Status.ACCEPTED).order_by()
    ended = now - UNREPORTED_AFTER
    return Campaign.objects.filter(Exists(own), finished_at__lt=ended, finished_at__gte=ended - MISSED_FOR)


def unreported_messages(now: datetime) -> list[tuple[Campaign, int]]:
    """Return the campaigns of ``all_unreported`` with their numbers of these messages, the largest first."""
    campaigns = all_unreported(now).in_bulk()
    accepted = Message.objects.filter(campaign__in=list(campaigns), status=Status.ACCEPTED).order_by()
    counted = accepted.values_list("campaign").annotate(count=Count("*")).order_by("-count")
    return [(campaigns[pk], count) for pk, count in counted]


def last_campaigns() -> list[Campaign]:
    """Return the newest campaigns that are not drafts."""
    launched = Campaign.objects.exclude(status=Campaign.Status.DRAFT)
    return list(launched.order_by("-pk")[:SHOWN])


def unread_replies() -> int:
    """Count the unread replies, up to MOST_COUNTED + 1."""
    return count_up_to(Reply.objects.filter(read_at=None))


def opted_out_since(moment: datetime) -> int:
    """Count the numbers that have opted out since then, up to MOST_COUNTED + 1."""
    return count_up_to(Suppression.objects.filter(created_at__gte=moment))


def count_up_to(rows: QuerySet[Any]) -> int:
    """Count rows, up to MOST_COUNTED + 1."""
    return rows.order_by()[: MOST_COUNTED + 1].count()


def reported_since(moment: datetime) -> Q:
    """Select the campaigns that may have got reports since then."""
    ended_after = moment - REPORTED_WITHIN
    return Q(finished_at=None) | Q(finished_at__gte=ended_after) | Q(start_time__gte=ended_after)


def _recent_campaigns(since: datetime) -> list[int]:
    launched = Campaign.objects.filter(reported_since(since), launched_at__isnull=False)
    return list(launched.values_list("pk", flat=True))


def _ended_since(moment: datetime) -> QuerySet[Message]:
    return Message.objects.filter(channel__in=("", *CampaignChannel.Name.values), finished_at__gte=moment).order_by()


def last_reports() -> dict[str, datetime]:
    """Return when the last report of each account came, if it is among the newest reports."""
    newest = DeliveryReport.objects.order_by("-received_at").values_list("account", "received_at")[:NEWEST_REPORTS]
    # The newest of each account last, so that it is the one that is kept.
    return dict(reversed(newest))


def _can_be_called(account: Account) -> bool:
    try:
        return bool(get_callback_url(account))
    except NoReverseMatch:
        return False
