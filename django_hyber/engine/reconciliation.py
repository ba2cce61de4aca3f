"""Ask for what was never reported: a callback can be lost, and "seen" is not called back by default."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from django_hyber.conf import get_account
from django_hyber.engine.clients import get_client
from django_hyber.engine.ranks import NO_REPORT
from django_hyber.engine.reports import apply_reports
from django_hyber.engine.transactions import database
from django_hyber.models import Campaign, Message
from django_hyber.protocol import HyberError, ReportNotFound, parse_reports

logger = logging.getLogger("django_hyber")
Status = Message.Status
#: After the TTLs of all channels, a final report should be there; this much more is given to it.
MARGIN = timedelta(minutes=10)
GIVE_UP_AFTER = timedelta(days=3)


@dataclass(kw_only=True)
class Fetched:
    """How many messages were asked about, and what came of it."""

    asked: int = 0
    changed: int = 0
    given_up: int = 0


@dataclass(frozen=True, kw_only=True)
class Overdue:
    """A message that should have a final report by now."""

    pk: int
    account: str
    message_id: str
    extra_id: str
    since: datetime


def fetch_reports(limit: int = 1_000, per_second: float = 20, margin: timedelta = MARGIN) -> Fetched:
    """Ask for the reports of up to ``limit`` overdue messages, no faster than ``per_second``.

    A message without a final report is asked about again after a growing time, and given up after three days: it stays
    ``accepted``, and its ``error_text`` says that no report came.
    """
    using = database()
    fetched = Fetched()
    pause = 1 / per_second
    for overdue in _overdue(limit, margin, using):
        started = time.monotonic()
        _ask(overdue, fetched, using)
        time.sleep(max(0.0, pause - (time.monotonic() - started)))
    return fetched


def _overdue(limit: int, margin: timedelta, using: str) -> Iterator[Overdue]:
    now = timezone.now()
    waiting = (
        Message.objects.using(using)
        .filter(Q(next_attempt_at=None) | Q(next_attempt_at__lte=now), status=Status.ACCEPTED, error_text="")
        .annotate(since=Coalesce(Greatest("accepted_at", "campaign__start_time"), "accepted_at"))
        .filter(since__lte=now - margin)
        .order_by("next_attempt_at", "pk")
    )
    lifetimes: dict[int, timedelta] = {}
    found = 0
    for row in waiting.values("pk", "account", "message_id", "extra_id", "campaign_id", "content", "since").iterator():
        if found == limit:
            return
        if row["since"] + _lifetime(row, lifetimes, using) + margin <= now:
            found += 1
            yield Overdue(
                pk=row["pk"],
                account=row["account"],
                message_id=row["message_id"] or "",
                extra_id=row["extra_id"],
                since=row["since"],
            )


def _lifetime(row: Mapping[str, Any], known: dict[int, timedelta], using: str) -> timedelta:
    """Return how long the message may take: until its own start, and the TTLs of all channels together."""
    campaign_id = row["campaign_id"]
    if campaign_id is None:
        content = row["content"] or {}
        ttls = sum(option.get("ttl") or 0 for option in content.get("channel_options", {}).values())
        since: datetime = row["since"]
        return max(_start_time(content) - since, timedelta(0)) + timedelta(seconds=ttls)
    if campaign_id not in known:
        channels = Campaign.objects.using(using).get(pk=campaign_id).get_channels()
        known[campaign_id] = timedelta(seconds=sum(channel.to_wire().get("ttl", 0) for channel in channels))
    return known[campaign_id]


def _start_time(content: Mapping[str, Any]) -> datetime:
    """Return when a single message was to start; long ago if it was not said, or not in a way that can be read."""
    start = parse_datetime(content.get("start_time", ""))
    return start if start and start.tzinfo else datetime.min.replace(tzinfo=UTC)


def _ask(overdue: Overdue, fetched: Fetched, using: str) -> None:
    now = timezone.now()
    message = Message.objects.using(using).filter(pk=overdue.pk, status=Status.ACCEPTED)
    # Half of the time that it has waited already: often at first, seldom later. Two askers do not ask twice.
    again_at = now + max((now - overdue.since) / 2, MARGIN)
    if not message.filter(Q(next_attempt_at=None) | Q(next_attempt_at__lte=now)).update(next_attempt_at=again_at):
        return
    fetched.asked += 1
    fetched.changed += _fetch(overdue, using)
    if now - overdue.since > GIVE_UP_AFTER:
        fetched.given_up += _give_up(message)


def _fetch(overdue: Overdue, using: str) -> int:
    try:
        account = get_account(overdue.account)
    except ImproperlyConfigured:
        logger.exception("Message %s cannot be asked about", overdue.extra_id)
        return 0
    ids = {"message_id": overdue.message_id} if overdue.message_id else {"extra_id": overdue.extra_id}
    try:
        payload = get_client(account).fetch_report(**ids, advanced=True)
    except ReportNotFound:
        return 0
    except HyberError as error:
        logger.warning("No answer about message %s: %s", overdue.extra_id, type(error).__name__)
        return 0
    return apply_reports(account, parse_reports(payload, seen_codes=account.seen_codes).reports, using).changed


def _give_up(message: QuerySet[Message]) -> int:
    return message.update(error_text=NO_REPORT, next_attempt_at=None)
