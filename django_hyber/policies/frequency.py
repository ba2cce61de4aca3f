"""The frequency cap: how many campaign messages of an account a person may get within some days.

A message counts if the platform may have it: accepted within the days and not failed since, or with an outcome that is
still open. This includes the messages of batches under way, which stay queued until the answer arrives.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThanOrEqual
from django.utils import timezone

from django_hyber.conf import Account, find_account
from django_hyber.conf.readers import FrequencyCap
from django_hyber.models import Batch, Campaign, Message

Status = Message.Status
OPEN = (Status.SENDING, Status.UNCONFIRMED)
COUNTED = (Status.ACCEPTED, Status.DELIVERED, Status.SEEN, Status.EXPIRED)


def over_cap(messages: QuerySet[Message], account: Account, cap: FrequencyCap) -> QuerySet[Message]:
    """Select the campaign messages whose recipients have got as many others as the cap allows."""
    return messages.filter(_is_over(account, cap, timezone.now()))


def with_cap(messages: QuerySet[Message], campaign: Campaign) -> QuerySet[Message]:
    """Add ``is_capped`` to recipients of a campaign: whether the cap will leave them out by what is known now."""
    account = find_account(campaign.account)
    if account is None or account.frequency_cap is None:
        return messages.annotate(is_capped=Value(value=False))
    now = timezone.now()
    moment = max(campaign.start_time or now, now)
    return messages.annotate(is_capped=_is_over(account, account.frequency_cap, moment))


def _is_over(account: Account, cap: FrequencyCap, moment: datetime) -> GreaterThanOrEqual:
    since = moment - timedelta(days=cap.days)
    counts = Q(status__in=OPEN) | Q(status__in=COUNTED, accepted_at__gte=since) | _under_way(account)
    # A number is in a campaign only once.
    others = Message.objects.filter(phone_number=OuterRef("phone_number")).exclude(campaign=OuterRef("campaign"))
    # The conditions are part of the aggregate, so that nothing but the unique index of the phone numbers can be chosen:
    # with old statistics, PostgreSQL would read all messages of the last days for each recipient.
    number = Count("pk", filter=counts & Q(account=account.name, campaign__isnull=False))
    found = others.order_by().values("phone_number").annotate(number=number).values("number")
    return GreaterThanOrEqual(Coalesce(Subquery(found), 0), cap.messages)


def _under_way(account: Account) -> Q:
    batches = Batch.objects.filter(state=Batch.State.SENDING, campaign__account=account.name)
    queued = (Q(campaign=batch.campaign_id, status=Status.QUEUED) & batch.members() for batch in batches)
    return reduce(or_, queued, Q(pk__in=()))
