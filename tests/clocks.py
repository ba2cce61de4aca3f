"""Clocks that tests move."""

from __future__ import annotations

from django.utils import timezone

from django_hyber.db import clock


def set_clocks(monkeypatch, now):
    """Let this function tell the time of this host and of the database."""
    monkeypatch.setattr(timezone, "now", now)
    monkeypatch.setattr(clock, "_CLOCKS", {})
    monkeypatch.setattr(clock, "_own_time", now)
