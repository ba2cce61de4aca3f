"""A database file in the folder of the test that has started this process."""

from __future__ import annotations

from pathlib import Path

from tests.settings import env

FOLDER = Path(env.str("TEST_FOLDER"))
DATABASE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": str(FOLDER / "main.sqlite3"),
    "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"},
}
