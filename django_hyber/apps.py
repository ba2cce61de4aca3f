from __future__ import annotations

from importlib.util import find_spec
from types import ModuleType

import django
from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _


class HyberConfig(AppConfig):
    """The configuration of the app."""

    name = "django_hyber"
    verbose_name = _("Hyber messages")
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, app_name: str, app_module: ModuleType) -> None:
        super().__init__(app_name, app_module)
        if django.VERSION < (6, 0) and find_spec("django_tasks") is None:
            raise ImproperlyConfigured(
                "Django 5.2 has no tasks. Install the package that adds them with"
                ' pip install "django-hyber[django52]", and add "django_tasks" to INSTALLED_APPS.'
            )

    def ready(self) -> None:
        """Register the system checks, the e-mails to the team, and what is done when rows are saved or deleted."""
        from django_hyber import checks, notices  # noqa: F401, PLC0415
        from django_hyber.db import stored_files  # noqa: F401, PLC0415
        from django_hyber.words import listed_numbers  # noqa: F401, PLC0415
