from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class HyberConfig(AppConfig):
    """The configuration of the app."""

    name = "django_hyber"
    verbose_name = _("Hyber messages")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, the deletion of files with their rows, and the e-mails to the team."""
        from django_hyber import checks, notices  # noqa: F401, PLC0415
        from django_hyber.db import files  # noqa: F401, PLC0415
