"""System checks, which report a wrong configuration at startup instead of at the first send."""

from django_hyber.checks import accounts, callbacks, database, files, project

__all__ = ["accounts", "callbacks", "database", "files", "project"]
