"""A project whose router keeps the tables of this app in a database of their own, without users."""

from __future__ import annotations

from tests.hosts.database import DATABASE, FOLDER
from tests.settings import *  # noqa: F403

DATABASES = {"default": DATABASE, "hyber": DATABASE | {"NAME": str(FOLDER / "hyber.sqlite3")}}


class Router:
    """Decides about this app only."""

    def db_for_read(self, model, **hints):
        return "hyber" if model._meta.app_label == "django_hyber" else None

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, **hints):
        return (db == "hyber") == (app_label == "django_hyber")


DATABASE_ROUTERS = [Router()]
