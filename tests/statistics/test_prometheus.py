"""The metrics as a scrape reads them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_hyber.models import AccountState, Message
from tests.docs.code import ROOT
from tests.samples import phone

prometheus_client = pytest.importorskip("prometheus_client")
pytestmark = pytest.mark.django_db

#: A process that serves metrics: those of this package, and one of the project.
SCRAPE = """
import django

django.setup()

from django.db import connection
from prometheus_client import CollectorRegistry, Counter, generate_latest
from django_hyber.statistics.prometheus import HyberCollector

registry = CollectorRegistry()
Counter("orders", "Orders of the shop", registry=registry)
registry.register(HyberCollector())
print(generate_latest(registry).decode())
print("open connections", int(connection.connection is not None))
"""


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
    assert "hyber_up 1.0\n" in after
    assert "hyber_level 2.0\n" in after
    assert 'hyber_held_account{account="default"} 1.0\n' in after


def test_registering_queries_nothing(platform):
    from django_hyber.statistics.prometheus import HyberCollector

    with CaptureQueriesContext(connection) as queries:
        prometheus_client.CollectorRegistry().register(HyberCollector())

    assert not queries.captured_queries


@pytest.mark.parametrize("place", ["nowhere/db.sqlite3", "empty.sqlite3"], ids=["unreachable", "not migrated"])
def test_database_that_fails_takes_no_other_metrics_away(tmp_path, place):
    known = {"DATABASE_URL": f"sqlite:///{tmp_path}/{place}", "DJANGO_SETTINGS_MODULE": "tests.settings"}
    ended = subprocess.run(
        [sys.executable, "-c", SCRAPE],
        cwd=ROOT,
        env=os.environ | known,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert "orders_total 0.0\n" in ended.stdout
    assert "hyber_up 0.0\n" in ended.stdout
    assert "hyber_level 2.0\n" in ended.stdout
    assert "hyber_due" not in ended.stdout
    assert "The state cannot be read for the metrics" in ended.stderr
    assert "open connections 0\n" in ended.stdout
