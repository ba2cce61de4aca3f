"""Big tables as years of use leave them: a few campaigns of very different size, and what was reported about each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from benchmarks.site.rows import insert_rows, padded, parameter, refresh_statistics, text
from django_hyber.models import Batch, Campaign, DeliveryReport, Message, Reply, Suppression, UnreadableCallback
from django_hyber.protocol import SMS, Viber, single_body

CAMPAIGNS = 8
BATCH = 5_000
WEEK = timedelta(days=7)
HOUR = 3_600
#: Of a hundred messages in a row, those below each number have this status, the others are unconfirmed.
STATUSES = (
    ("delivered", 70),
    ("seen", 85),
    ("expired", 90),
    ("undelivered", 94),
    ("rejected", 96),
    ("accepted", 98),
    ("suppressed", 99),
)
ACCOUNT = {"account": "'default'"}
#: The channels of a message without a campaign.
SINGLE_CHANNELS = [
    Viber(text="Your order 1000001 is ready. We keep it for you until the evening of Friday.", ttl=60),
    SMS(text="Your order 1000001 is ready.", alpha_name="SHOP", ttl=300),
]


def fill(messages: int) -> None:
    """A fifth in one campaign, a tenth without any, the rest in seven; a report for each, some of all the others."""
    campaigns = _add_campaigns()
    _add_messages(campaigns, messages)
    _add_reports(messages)
    few = max(100, messages // 50)
    _add_replies(few)
    insert_rows(Suppression, few * 5, phone_number=_phone())
    insert_rows(
        UnreadableCallback,
        few,
        kind=parameter("reports"),
        body=parameter("<html>"),
        reason=parameter("no JSON"),
        **ACCOUNT,
    )
    _add_batches(campaigns[0], messages)
    refresh_statistics()


def _add_campaigns() -> list[Campaign]:
    campaigns = [Campaign.objects.create(name=f"Campaign {number}") for number in range(CAMPAIGNS)]
    for campaign in campaigns:
        campaign.set_channels([Viber(text="Hi %name%", ttl=60), SMS(text="Hi", alpha_name="SHOP", ttl=300)])
    now = timezone.now()
    for number, campaign in enumerate(campaigns):
        moment = now - number * WEEK
        values = {"status": "finished", "run": 1, "launched_at": moment, "finished_at": moment}
        Campaign.objects.filter(pk=campaign.pk).update(**values)
    return campaigns


def _add_messages(campaigns: Sequence[Campaign], messages: int) -> None:
    tenth = messages // 10
    campaign_of = (
        f"CASE WHEN n <= {2 * tenth} THEN {campaigns[0].pk} WHEN n <= {9 * tenth}"
        f" THEN {campaigns[1].pk} + ({_div(f'n - 1 - {2 * tenth}', tenth)}) END"
    )
    cases = " ".join(f"WHEN n %% 100 < {most} THEN {parameter(name)}" for name, most in STATUSES)
    insert_rows(
        Message,
        messages,
        campaign_id=campaign_of,
        phone_number=_phone(),
        extra_id=text("'bench'", padded("n", 20)),
        message_id=_platform_id(),
        variables='\'{"name": "Olena"}\'',
        status=f"CASE {cases} ELSE 'unconfirmed' END",
        channel=_channel(),
        content=f"CASE WHEN n > {9 * tenth} THEN {parameter(_content())} END",
        accepted_at=f"CASE WHEN n %% 100 < 98 AND NOT n %% 100 IN (93, 94, 95) THEN {_end_of(campaigns, tenth)} END",
        finished_at=f"CASE WHEN n %% 100 < 96 THEN {_end_of(campaigns, tenth)} END",
        other_channels="CASE WHEN n %% 100 BETWEEN 85 AND 92 THEN 'sms:undelivered,viber:undelivered'"
        " WHEN n %% 100 < 85 AND n %% 3 = 0 THEN 'viber:expired' ELSE '' END",
        total_sms_parts="CASE WHEN n %% 3 = 0 THEN 2 END",
        delivered_sms_parts="CASE WHEN n %% 3 = 0 AND n %% 100 < 85 THEN 2 END",
        clicks="CASE WHEN n %% 100 < 5 THEN 1 + n %% 3 END",
        matching_template_id="CASE WHEN n %% 100 < 85 THEN n %% 2 END",
        error_code="CASE WHEN n %% 100 >= 94 AND n %% 100 < 96 THEN 36024 END",
    )


def _add_reports(messages: int) -> None:
    insert_rows(
        DeliveryReport,
        messages,
        message_id="n",
        fingerprint=padded("n", 32),
        hyber_message_id=_platform_id(),
        phone_number=_phone(),
        channel=_channel(),
        status="2",
        hyber_status="23033",
        raw=parameter('{"status": 2, "hyber_status": 23033, "number": 380671234567, "message_id": "m"}'),
        **ACCOUNT,
    )


def _add_replies(count: int) -> None:
    insert_rows(
        Reply,
        count,
        message_id="n",
        fingerprint=padded("n", 32),
        channel=parameter("viber"),
        phone_number=_phone(),
        text=text("'Reply '", "n"),
        raw=parameter('{"text_from_subscriber": "Reply"}'),
        **ACCOUNT,
    )


def _add_batches(campaign: Campaign, messages: int) -> None:
    insert_rows(
        Batch,
        max(1, messages // BATCH),
        campaign_id=str(campaign.pk),
        run="1",
        first_id=f"n * {BATCH}",
        last_id=f"n * {BATCH} + {BATCH - 1}",
        size=str(BATCH),
        state=parameter("done"),
    )


def _end_of(campaigns: Sequence[Campaign], tenth: int) -> str:
    """Messages of each campaign ended within an hour, a week before those of the one that precedes it."""
    now, cases = timezone.now(), ""
    for number in range(len(campaigns)):
        cases += f" WHEN n <= {(2 + number) * tenth} THEN {_moment_before(now - number * WEEK)}"
    return f"CASE{cases} ELSE {_moment_before(now)} END"


def _moment_before(value: datetime) -> str:
    """Return the expression of a moment of the hour before, which depends on the row."""
    end, milliseconds = parameter(connection.ops.adapt_datetimefield_value(value)), f"(n * 977 %% {HOUR * 1_000})"
    if connection.vendor == "postgresql":
        return f"CAST({end} AS timestamptz) - {milliseconds} * INTERVAL '1 millisecond'"
    if connection.vendor == "mysql":
        return f"CAST({end} AS datetime(6)) - INTERVAL {milliseconds} * 1000 MICROSECOND"
    # Django writes microseconds, and compares times of SQLite as texts.
    return f"strftime('%%Y-%%m-%%d %%H:%%M:%%f000', {end}, '-' || {milliseconds} / 1000.0 || ' seconds')"


def _content() -> str:
    body = single_body(phone_number="380671234567", channels=SINGLE_CHANNELS)
    del body["phone_number"]
    return json.dumps(body)


def _phone() -> str:
    return text("'38067'", padded("n", 7))


def _platform_id() -> str:
    return text("'9f60ac8f-e721-5027-b838-'", padded("n", 12))


def _channel() -> str:
    return "CASE WHEN n %% 100 >= 85 THEN '' WHEN n %% 3 = 0 THEN 'sms' ELSE 'viber' END"


def _div(expression: str, divisor: int) -> str:
    return f"({expression}) DIV {divisor}" if connection.vendor == "mysql" else f"({expression}) / {divisor}"
