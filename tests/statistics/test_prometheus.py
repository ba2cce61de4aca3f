"""The metrics as a scrape reads them."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_hyber.models import AccountState, Message
from tests.samples import phone

prometheus_client = pytest.importorskip("prometheus_client")
pytestmark = pytest.mark.django_db


@pytest.fixture
def registry():
    from django_hyber.statistics.prometheus import HyberCollector

    registry = prometheus_client.CollectorRegistry()
    registry.register(HyberCollector())
    return registry


def test_scrape_reads_the_state_of_this_moment(platform, registry):
    before = prometheus_client.generate_latest(registry).decode()
    Message.objects.create(phone_number=phone(1), extra_id="own-1", content={})
    AccountState.objects.create(account="default", failures=1, held_since="2026-01-01T00:00:00Z")
    after = prometheus_client.generate_latest(registry).decode()

    assert "hyber_due 0.0\n" in before
    assert "hyber_due 1.0\n" in after
    assert "hyber_level 2.0\n" in after
    assert 'hyber_held_account{account="default"} 1.0\n' in after


def test_registering_queries_nothing(platform):
    from django_hyber.statistics.prometheus import HyberCollector

    with CaptureQueriesContext(connection) as queries:
        prometheus_client.CollectorRegistry().register(HyberCollector())

    assert not queries.captured_queries
