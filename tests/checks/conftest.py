from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def workers(settings):
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
