"""The limits of an account that hold with any number of workers: the frequency cap and the spending limit.

Both are counted from rows, by one worker at a time: each waits for the others of the account, until the end of their
transactions. A batch counts as soon as it is claimed. Without a limit, nothing is read or locked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from django_hyber.conf import Account, find_account
from django_hyber.conf.readers import SpendingLimit
from django_hyber.db.transactions import insisting, write_transaction
from django_hyber.models import AccountState, Batch, Campaign, Message
from django_hyber.policies.frequency import over_cap
from django_hyber.sending.batch_messages import LeaveOut, Outgoing, used_values
from django_hyber.texts.check import complete_variables
from django_hyber.texts.costs import most_cost, without_price
from django_hyber.words.reasons import CAMPAIGN_SPENT, CAPPED, DAY_SPENT, NO_PRICE

State = Batch.State
#: The cost of other batches was not spent: the platform did not accept them.
CHARGED = (State.SENDING, State.UNCONFIRMED, State.DONE)


@insisting
def keep_to_cap(account: Account, messages: QuerySet[Message], leave_out: LeaveOut) -> None:
    """Leave out the queued messages of a claimed batch to people who have got as many as the frequency cap allows.

    Two campaigns with the same people, sent at the same time, take turns here, and each counts the batches of the other
    one that are under way.
    """
    cap = account.frequency_cap
    if cap is None:
        return
    waiting = messages.filter(status=Message.Status.QUEUED)
    with write_transaction():
        AccountState.lock_whole(account.name)
        pks = list(over_cap(waiting, account, cap).values_list("pk", flat=True))
        if pks:
            leave_out(waiting.filter(pk__in=pks), CAPPED % {"messages": cap.messages, "days": cap.days})


@insisting
def charge(account: Account, batch: Batch, claimed: QuerySet[Batch], outgoing: Sequence[Outgoing]) -> str:
    """Reserve the most that a claimed batch may cost. Return "", or the reason why it must not be sent.

    ``claimed`` selects the batch as long as it is claimed.
    """
    if account.spending_limit is None or not outgoing:
        return ""
    campaign = batch.campaign
    unknown = without_price((channel.name for channel in campaign.get_channels()), account.prices)
    if unknown:
        return NO_PRICE % {"channels": ", ".join(unknown)}
    cost = most_cost(campaign, account.prices, [item.recipient.variables for item in outgoing])
    today = _day(timezone.now())
    with write_transaction():
        AccountState.lock_whole(account.name)
        for most, batches, reason in _bounds(account, campaign, today):
            spent = _spent(batches & ~Q(pk=batch.pk))
            if most is not None and spent + cost > most:
                amounts = {"spent": spent, "limit": most, "cost": cost}
                return reason % {name: format_amount(value, account.currency) for name, value in amounts.items()}
        claimed.update(cost=cost, charged_on=today)
    return ""


def take_over_cost(message: Message, own: Batch | None) -> dict[str, Any]:
    """Take a message that is sent again alone off the reserved cost of its batch, and return it for its own batch.

    It counts again with the next request, or as soon as a report shows that the earlier one was accepted. ``own`` is
    the batch that the message has had for itself before. If that was in an earlier run, its cost is first returned to
    the batch of that run.
    """
    campaign, account = message.campaign, find_account(message.account)
    if campaign is None or account is None or account.spending_limit is None:
        return {}
    values = complete_variables(campaign, used_values(campaign), message.variables)
    if values is None or without_price((channel.name for channel in campaign.get_channels()), account.prices):
        return {}
    with write_transaction():
        if own and own.alone_in_run == campaign.run:
            # It was taken over before.
            return {}
        if own and own.alone_in_run and own.state in CHARGED:
            _change_cost(_batch_of(message, own.alone_in_run), own.cost or Decimal(0))
        batch = _batch_of(message, campaign.run)
        cost = most_cost(campaign, account.prices, [values])
        taken = -_change_cost(batch, -cost)
        return {"cost": taken, "charged_on": batch.charged_on if batch else None}


def _change_cost(batch: Batch | None, by: Decimal) -> Decimal:
    """Change the cost of a locked batch, down to 0 at most, and return by how much it has changed."""
    if batch is None or batch.cost is None:
        return Decimal(0)
    changed = max(by, -batch.cost)
    Batch.objects.filter(pk=batch.pk).update(cost=batch.cost + changed)
    return changed


def _batch_of(message: Message, run: int) -> Batch | None:
    """Return the charged batch of this run that holds the message, locked."""
    batches = Batch.objects.filter(campaign=message.campaign, run=run, state__in=CHARGED, cost__isnull=False)
    around = batches.filter(first_id__lte=message.pk, last_id__gte=message.pk).select_for_update()
    return next((batch for batch in around if batch.holds(message.pk, message.phone_number)), None)


def amount_left(account: Account, campaign: Campaign, moment: datetime) -> Decimal | None:
    """Return what the spending limit leaves to a campaign at this time, at least 0, or None without a limit."""
    limit = account.spending_limit
    if limit is None:
        return None
    bounds = _bounds(account, campaign, _day(moment))
    return max(Decimal(0), min(most - _spent(batches) for most, batches, _reason in bounds if most is not None))


def _day(moment: datetime) -> date:
    """Return the day of a limit. A request may have activated the time zone of its user, whose day is another one."""
    return timezone.localdate(moment, timezone.get_default_timezone())


def _bounds(account: Account, campaign: Campaign, day: date) -> Iterator[tuple[Decimal | None, Q, str]]:
    """Yield the limits, each with the batches that count and the reason of a campaign that has reached it."""
    limit = account.spending_limit or SpendingLimit()
    yield limit.campaign, Q(campaign=campaign), CAMPAIGN_SPENT
    yield limit.day, Q(campaign__account=account.name, charged_on=day), DAY_SPENT


def _spent(batches: Q) -> Decimal:
    charged = Batch.objects.filter(batches, state__in=CHARGED)
    return charged.aggregate(spent=Sum("cost"))["spent"] or Decimal(0)


def format_amount(value: Decimal, currency: str) -> str:
    """Return an amount with its cents, and with what is less than a cent."""
    places = max(2, -int(value.normalize().as_tuple().exponent))
    return f"{value:,.{places}f} {currency}".strip()
