"""The settings of Django that the package depends on: time zones, tasks and storages."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import django
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004  Django's own name
from django.core.checks.registry import registry
from phonenumbers.tzdata import TIMEZONE_DATA

from django_hyber import outbox

IMMEDIATE_BACKENDS = (
    "django.tasks.backends.immediate.ImmediateBackend",
    "django_tasks.backends.immediate.ImmediateBackend",
)
QUEUE = "default"


@register("django_hyber")
def check_time_zones(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Check USE_TZ, TIME_ZONE and the time zones of phone numbers.

    The package converts between UTC (reports), Kyiv time (replies), the project's time zone (the start of campaigns)
    and those of recipients (sending windows).
    """
    found: list[CheckMessage] = []
    if not settings.USE_TZ:
        found.append(
            Error(
                "USE_TZ is off: times of reports and campaigns cannot be stored correctly.",
                hint="Set USE_TZ = True, which is Django's default.",
                id="django_hyber.E013",
            )
        )
    if not _is_known(settings.TIME_ZONE):
        found.append(
            Error(
                f"TIME_ZONE is {settings.TIME_ZONE!r}, which is not installed: campaigns with a sending window wait.",
                hint="Correct the name, or install the time zones: pip install tzdata.",
                id="django_hyber.E015",
            )
        )
    unknown = sorted(zone for zone in set().union(*TIMEZONE_DATA.values()) if not _is_known(zone))
    if unknown:
        found.append(
            Warning(
                f"{len(unknown)} time zones of phone numbers are not installed, such as {unknown[0]}: "
                "campaigns with a sending window do not send to recipients there.",
                hint="Install the newest time zones: pip install --upgrade tzdata.",
                id="django_hyber.W016",
            )
        )
    return found


def _is_known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


@register("django_hyber")
def check_task_backend(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Check that tasks can be enqueued. Warn if campaigns are sent within the web request that starts them."""
    backends = getattr(settings, "TASKS", None)
    # Without the setting, Django uses the immediate backend.
    default = {"BACKEND": IMMEDIATE_BACKENDS[0]} if backends is None else _find_default(backends)
    if default is None:
        return [
            Error(
                'TASKS has no backend "default": nothing can be sent.',
                hint='Name the backend "default", as in TASKS = {"default": {"BACKEND": "..."}}. '
                "See docs/howto/db-worker.rst.",
                id="django_hyber.E017",
            )
        ]
    queues = default.get("QUEUES", [QUEUE])
    if queues and QUEUE not in queues:
        return [
            Error(
                f'The queues of TASKS["default"] do not include "{QUEUE}": nothing can be sent.',
                hint=f'Add "{QUEUE}" to QUEUES, or set it to an empty list, which allows every queue. Start a worker '
                "for that queue.",
                id="django_hyber.E017",
            )
        ]
    # With the outbox, tasks need no backend.
    found = [] if backends is None or outbox.is_active() else _check_backend()
    # For tests Django turns DEBUG off.
    if settings.DEBUG or outbox.is_active() or default.get("BACKEND") not in IMMEDIATE_BACKENDS:
        return found
    return [
        Warning(
            "TASKS uses the immediate backend: campaigns are sent within the web request that starts them.",
            hint="Use a backend with workers (django-tasks-db on one machine, Celery on several). "
            "See docs/howto/db-worker.rst.",
            id="django_hyber.W012",
        )
    ]


def _check_backend() -> list[CheckMessage]:
    """Load the backend and run its own checks. Otherwise, messages would wait for ever.

    The framework runs them only if its package was imported before, which loading a backend does.
    """
    is_asked = any(getattr(check, "__name__", "") == "check_tasks" for check in registry.get_checks())
    try:
        framework = import_module("django.tasks" if django.VERSION >= (6, 0) else "django_tasks")
        backend = framework.task_backends["default"]
        return [] if is_asked else [*backend.check()]
    except Exception as error:  # noqa: BLE001  backends may raise anything
        return [
            Error(
                f'TASKS["default"] cannot be used, so nothing can be sent: {type(error).__name__}: {error}',
                hint="Correct BACKEND and OPTIONS, and install what they need. See docs/howto/db-worker.rst and "
                "docs/howto/celery.rst.",
                id="django_hyber.E017",
            )
        ]


def _find_default(backends: object) -> Mapping[str, Any] | None:
    found = backends.get("default") if isinstance(backends, Mapping) else None
    return found if isinstance(found, Mapping) else None


@register("django_hyber")
def check_storages(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Warn if images of messages cannot be uploaded; the files of people have a storage of their own."""
    if "default" in settings.STORAGES:
        return []
    return [
        Warning(
            'STORAGES has no "default": images for messages cannot be uploaded, only linked.',
            hint='Add one, as in STORAGES = {"default": {"BACKEND": '
            '"django.core.files.storage.FileSystemStorage"}, "staticfiles": {...}}.',
            id="django_hyber.W018",
        )
    ]
