"""For the processes that tests start: the database and the accounts of the test that started them."""

from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, env

DATABASES["default"]["NAME"] = env.str("TEST_DATABASE_NAME")
HYBER = env.json("TEST_ACCOUNTS")
# A test waits for a lease to end: it has to be short, and a process that is to be killed must not give up before.
SILENCED_SYSTEM_CHECKS = ["django_hyber.E011"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
