"""The settings of the tests, on the database that the benchmark made for itself."""

from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, HYBER, env

ROOT_URLCONF = "benchmarks.site.urls"
DATABASES["default"]["NAME"] = env.str("BENCH_DATABASE")
DATABASES["default"]["CONN_MAX_AGE"] = 600
HYBER["default"]["LEASE"] = 600
LOGGING = {"version": 1, "disable_existing_loggers": True}
