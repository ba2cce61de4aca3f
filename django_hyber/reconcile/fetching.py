from __future__ import annotations

from datetime import timedelta

from django_hyber.reconcile import overdue, question

Fetched = question.Fetched


def fetch_reports(
    *,
    limit: int = 1_000,
    per_second: float = 20,
    margin: timedelta = question.MARGIN,
    learn_seen: bool = False,
    learn_clicks: bool = False,
) -> Fetched:
    """Ask the platform about messages that should have a final report by now: their TTLs and ``margin`` are over.

    Asks about up to ``limit`` messages, no faster than ``per_second``; what went out as a job is asked about by its job
    first. A message that still has no final report is asked about again after a growing time, and given up three days
    after it was due, which its ``error_text`` then says. While the platform takes no questions of an account, the rest
    of that account waits for the next call, and nothing is given up for a month.

    With up to ``limit`` questions more, ``learn_seen`` asks who has seen what was delivered within two days, and
    ``learn_clicks`` how often was clicked what was delivered within fourteen, where clicks are tracked.
    """
    return overdue.fetch_reports(limit, per_second, margin, learn_seen=learn_seen, learn_clicks=learn_clicks)
