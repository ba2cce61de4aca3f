"""The settings of the tests, on the database that the benchmark made for itself."""

from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, HYBER, INSTALLED_APPS, env

ROOT_URLCONF = "benchmarks.site.urls"
DATABASES["default"]["NAME"] = env.str("BENCH_DATABASE")
DATABASES["default"]["CONN_MAX_AGE"] = 600
HYBER["default"]["LEASE"] = 600  # type: ignore[assignment]  # the tests have only texts there
LOGGING = {"version": 1, "disable_existing_loggers": True}
if env.bool("BENCH_POST_OFFICE", default=False):
    INSTALLED_APPS = [*INSTALLED_APPS, "post_office"]
    EMAIL_BACKEND = "post_office.EmailBackend"
    POST_OFFICE = {
        "BACKENDS": {"default": "django.core.mail.backends.dummy.EmailBackend"},
        "BATCH_SIZE": 1_000,
        "THREADS_PER_PROCESS": 10,
        "LOG_LEVEL": 0,
    }
