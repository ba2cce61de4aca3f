"""The numbers of ``hyber_status`` for Prometheus; needs the extra ``prometheus``.

Call ``REGISTRY.register(HyberCollector())`` once in the process that serves the metrics. Each scrape reads the numbers
again, with a dozen queries that are answered by indexes.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from django_hyber.db.transactions import close_lost_connection, db_connection
from django_hyber.log_events import LogEvent, log_failure
from django_hyber.statistics.health import Health, Level, check_health


class HyberCollector(Collector):
    """Gauges of what waits and of what is stuck. Those of accounts are 1 while the state lasts."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges; if the state cannot be read, only ``hyber_up`` with 0 and the level.

        An error would take the other metrics of the process away, at the moment at which they are needed.
        """
        # The server of prometheus_client has a thread for each scrape, whose connection nobody else would close.
        was_open = db_connection().connection is not None
        try:
            health = check_health()
        except (DatabaseError, InterfaceError, ImproperlyConfigured) as error:
            log_failure(LogEvent.METRICS_FAILED, error, "The state cannot be read for the metrics")
            close_lost_connection()
            return no_gauges()
        finally:
            if not was_open:
                db_connection().close()
        return gauges(health)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Yield nothing: without it, registering would query the database."""
        yield from ()


def no_gauges() -> Iterator[GaugeMetricFamily]:
    """Yield that the state cannot be read, for which ``hyber_status`` exits with the same level."""
    yield _up(0)
    yield _level(Level.TROUBLE)


def gauges(health: Health) -> Iterator[GaugeMetricFamily]:
    """Yield the gauges of this state."""
    yield _up(1)
    yield _level(health.level)
    for name, value, description in (
        ("due", health.due, "Work that could be done now, counted up to 10,001"),
        ("oldest_due_seconds", health.oldest_due_seconds, "Age of the oldest work that could be done now"),
        ("unconfirmed", health.unconfirmed, "Messages with an unknown outcome, counted up to 10,001"),
        ("undecided", health.undecided, "Unknown outcomes that need a person"),
        ("idle_campaigns", len(health.idle_campaigns), "Campaigns that are due and make no progress"),
        ("setting_errors", len(health.setting_errors), "Errors in the HYBER setting"),
    ):
        yield GaugeMetricFamily(f"hyber_{name}", description, value=value)
    for name, label, subjects, description in (
        ("held_account", "account", health.held_accounts, "The platform refuses the login"),
        ("silent_account", "account", health.silent_accounts, "Messages were accepted, and no report has come"),
        ("blocked_host", "host", health.blocked_hosts, "The platform does not answer"),
        ("paused_queries", "host", health.paused_queries, "The platform is not queried about outcomes and reports"),
    ):
        gauge = GaugeMetricFamily(f"hyber_{name}", description, labels=[label])
        for subject in subjects:
            gauge.add_metric([subject], 1)
        yield gauge


def _up(value: int) -> GaugeMetricFamily:
    return GaugeMetricFamily("hyber_up", "1 if the state could be read, 0 if not, as without a database", value=value)


def _level(level: Level) -> GaugeMetricFamily:
    text = "0 healthy, 1 a person should look, 2 messages are not being sent"
    return GaugeMetricFamily("hyber_level", text, value=int(level))
