"""The entries of the admin's log about rows of this package."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.models import QuerySet


def admin_log(**conditions: Any) -> QuerySet[Any] | None:
    """Select the entries of the admin's log about rows of this package, or return None without the admin."""
    if not apps.is_installed("django.contrib.admin"):
        return None
    entries: QuerySet[Any] = apps.get_model("admin", "LogEntry").objects.all()
    return entries.filter(content_type__app_label="django_hyber", **conditions)
