"""A project of which a check fails, one that has nothing to do with messages."""

from __future__ import annotations

from tests.processes.settings import *  # noqa: F403

STATICFILES_DIRS = "a text instead of a list"
