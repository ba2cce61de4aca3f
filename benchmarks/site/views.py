"""What our callback is measured against: the least that any receiver must do, and what people usually write."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from django_hyber.models import DeliveryReport, Message

UPDATE = """
    UPDATE django_hyber_message AS t
    SET status = r.status, hyber_status = r.hyber_status, reported_at = r.reported_at, message_id = r.message_id
    FROM unnest(%s::varchar[], %s::varchar[], %s::int[], %s::timestamptz[], %s::varchar[])
        AS r(extra_id, status, hyber_status, reported_at, message_id)
    WHERE t.extra_id = r.extra_id
"""
INSERT = """
    INSERT INTO django_hyber_deliveryreport
        (account, fingerprint, hyber_message_id, extra_id, phone_number, channel, status, hyber_status, reported_at,
         received_at, raw)
    SELECT 'default', r.*
    FROM unnest(%s::varchar[], %s::varchar[], %s::varchar[], %s::varchar[], %s::varchar[], %s::int[], %s::int[],
                %s::timestamptz[], %s::timestamptz[], %s::jsonb[]) AS r
"""


def _items(request: HttpRequest) -> list[dict[str, Any]]:
    payload = json.loads(request.body)
    return payload if isinstance(payload, list) else [payload]


def _time(item: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(item["time"] / 1000, UTC)


@csrf_exempt
def floor(request: HttpRequest) -> HttpResponse:
    """Parse, one bulk UPDATE, one bulk INSERT: no repeats, no order, no unknown ids, no bad items."""
    items = _items(request)
    now = timezone.now()
    columns = (
        [item["extra_id"] for item in items],
        ["delivered"] * len(items),
        [item["hyber_status"] for item in items],
        [_time(item) for item in items],
        [item["message_id"] for item in items],
    )
    history = (
        [f"{item['extra_id']}{item['time'] % 100_000:x}"[-32:] for item in items],
        columns[4],
        columns[0],
        [str(item["number"]) for item in items],
        [item["sent_via"] for item in items],
        [item["status"] for item in items],
        columns[2],
        columns[3],
        [now] * len(items),
        [json.dumps(item) for item in items],
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(UPDATE, columns)
        cursor.execute(INSERT, history)
    return HttpResponse(status=200)


@csrf_exempt
def usual(request: HttpRequest) -> HttpResponse:
    """Find the message of each report and save it, and a row of history with it."""
    for item in _items(request):
        with transaction.atomic():
            message = Message.objects.select_for_update().get(extra_id=item["extra_id"])
            message.status = "delivered"
            message.hyber_status = item["hyber_status"]
            message.reported_at = _time(item)
            message.message_id = item["message_id"]
            message.save()
            DeliveryReport.objects.create(
                message=message,
                account="default",
                fingerprint=f"{item['extra_id']}{item['time'] % 100_000:x}"[-32:],
                hyber_message_id=item["message_id"],
                extra_id=item["extra_id"],
                phone_number=str(item["number"]),
                channel=item["sent_via"],
                status=item["status"],
                hyber_status=item["hyber_status"],
                reported_at=_time(item),
                raw=item,
            )
    return HttpResponse(status=200)
