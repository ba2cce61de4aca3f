"""For the processes that tests start: the database and the accounts of the test that started them."""

from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, env

DATABASES["default"]["NAME"] = env.str("TEST_DATABASE_NAME")
HYBER = env.json("TEST_ACCOUNTS")

ENGINE = env.str("TEST_ENGINE", default="immediate")
if ENGINE == "django-tasks-db":
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
    DATABASES["default"]["CONN_MAX_AGE"] = 600
if ENGINE.startswith("celery-"):
    TASKS = {"default": {"BACKEND": "django_hyber.celery.backend.CeleryBackend"}}
    DATABASES["default"]["CONN_MAX_AGE"] = 600
    CELERY_DB_REUSE_MAX = 1_000
    CELERY_BROKER_URL = env.str("TEST_BROKER")
    CELERY_TASK_ACKS_LATE = True
    CELERY_TASK_REJECT_ON_WORKER_LOST = True
    CELERY_WORKER_PREFETCH_MULTIPLIER = 1
    CELERY_TASK_IGNORE_RESULT = True
    # Tests share the brokers; a worker of one must not hear of another's.
    CELERY_TASK_DEFAULT_QUEUE = env.str("TEST_QUEUE")
    CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
if ENGINE == "celery-redis":
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "global_keyprefix": env.str("TEST_QUEUE"),
        "visibility_timeout": 5,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "socket_timeout": 1,
    }
if ENGINE == "celery-rabbitmq":
    CELERY_TASK_QUEUE_MAX_PRIORITY = 9
    CELERY_BROKER_TRANSPORT_OPTIONS = {"confirm_publish": True, "read_timeout": 1, "write_timeout": 1}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
