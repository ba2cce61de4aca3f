"""The numbers of ``hyber_status`` for Prometheus; needs the extra ``prometheus``.

Call ``REGISTRY.register(HyberCollector())`` once in the process that serves the metrics. Each scrape reads the numbers
again, with a dozen queries that are answered by indexes.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from django_hyber.statistics.health import Health, check_health


class HyberCollector(Collector):
    """Gauges of what waits and of what is stuck. Those of accounts are 1 while the state lasts."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges."""
        return gauges(check_health())

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Yield nothing: without it, registering would query the database."""
        yield from ()


def gauges(health: Health) -> Iterator[GaugeMetricFamily]:
    """Yield the gauges of this state."""
    for name, value, description in (
        ("level", int(health.level), "0 healthy, 1 a person should look, 2 messages are not being sent"),
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
