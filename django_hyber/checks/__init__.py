"""System checks, which report a wrong configuration at startup instead of at the first send."""

from django_hyber.checks import accounts, audience_mixin, callbacks, database, files, project

__all__ = ["accounts", "audience_mixin", "callbacks", "database", "files", "project"]
