"""The Celery app for projects without their own: ``celery --app django_hyber.celery.app worker``."""

from __future__ import annotations

from celery import Celery

app = Celery("django_hyber", include=["django_hyber.celery.backend"])
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
