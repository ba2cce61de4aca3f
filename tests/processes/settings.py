"""For the processes that tests start: the database and the accounts of the test that started them."""

from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS, env

DATABASES["default"]["NAME"] = env.str("TEST_DATABASE_NAME")
HYBER = env.json("TEST_ACCOUNTS")

ENGINE = env.str("TEST_ENGINE", default="immediate")
if ENGINE == "django-tasks-db":
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
    DATABASES["default"]["CONN_MAX_AGE"] = 600
if ENGINE == "celery":
    INSTALLED_APPS = [*INSTALLED_APPS, "django_tasks_fennel"]
    TASKS = {"default": {"BACKEND": "django_tasks_fennel.CeleryBackend"}}
    DATABASES["default"]["CONN_MAX_AGE"] = 600
    CELERY_DB_REUSE_MAX = 1_000
    CELERY_BROKER_URL = env.str("TEST_BROKER")
    CELERY_TASK_ACKS_LATE = True
    CELERY_TASK_REJECT_ON_WORKER_LOST = True
    CELERY_WORKER_PREFETCH_MULTIPLIER = 1
    CELERY_TASK_IGNORE_RESULT = True
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "global_keyprefix": env.str("TEST_KEY_PREFIX"),
        "visibility_timeout": 5,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    }

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
