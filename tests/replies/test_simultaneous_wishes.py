"""Replies that are handled at the same moment, each on a connection of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from django_hyber.models import Reply, Suppression
from django_hyber.services import apply_replies
from tests.samples import phone
from tests.truth.clients import in_own_connection

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 25


@in_own_connection
def reply(text, seconds_ago):
    written = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    apply_replies([{"phone": phone(1), "time": written.isoformat(), "channel": "viber", "text_from_subscriber": text}])


def test_stop_beside_an_earlier_start_is_not_lost():
    lost = 0
    for _ in range(ROUNDS):
        Suppression.objects.all().delete()
        Reply.objects.all().delete()
        Suppression.objects.create(phone_number=phone(1), created_at=timezone.now() - timedelta(days=300))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(reply, ["start", "stop"], [20, 5]))
        lost += not Suppression.objects.filter(phone_number=phone(1)).exists()
    assert lost == 0
