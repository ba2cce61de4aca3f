"""Whether the database can store every text and time. Runs with ``manage.py check --database`` and ``hyber_check``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from django_hyber.models import Message

CHARACTER_SET = "utf8mb4"
ENCODING = "UTF8"


@register("django_hyber", Tags.database)
def check_character_sets(
    app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Check on MariaDB and MySQL that the connection and the tables use utf8mb4, and on PostgreSQL that UTF8 is used.

    Without emoji, a text is stored with question marks, or its report or reply cannot be stored at all.
    """
    alias = router.db_for_write(Message)
    if alias not in (databases or ()):
        return []
    connection = connections[alias]
    if connection.vendor == "postgresql":
        return [*_check_encoding(connection)]
    return [*_check_connection(connection), *_check_tables(connection)] if connection.vendor == "mysql" else []


@register("django_hyber")
def check_time_zone(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Check that times are stored in UTC where the column has no zone: the database compares them with its clock."""
    connection = connections[router.db_for_write(Message)]
    # Without USE_TZ, there is another error.
    if not settings.USE_TZ or connection.features.supports_timezones or connection.timezone_name == "UTC":
        return []
    return [
        Error(
            f"The database {connection.alias!r} stores times in {connection.timezone_name}, but its clock is that of "
            "UTC: messages are sent hours too late or too early.",
            hint=f'Remove "TIME_ZONE" from DATABASES[{connection.alias!r}].',
            id="django_hyber.E042",
        )
    ]


def _check_encoding(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_encoding")
        encoding = cursor.fetchone()[0]
    if encoding != ENCODING:
        yield Error(
            f"The database {connection.alias!r} uses {encoding} instead of {ENCODING}: emoji cannot be stored, and a "
            "callback with one fails as often as it is repeated.",
            hint=f"Create a database with ENCODING '{ENCODING}' TEMPLATE template0, and move the data into it.",
            id="django_hyber.E019",
        )


def _check_connection(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@character_set_client, @@character_set_connection, @@character_set_results")
        used = set(cursor.fetchone()) - {CHARACTER_SET}
    if used:
        yield Error(
            f"The connection to the database {connection.alias!r} uses {', '.join(map(str, sorted(used)))} instead of "
            f"{CHARACTER_SET}: emoji cannot be stored.",
            hint=f'Set DATABASES[{connection.alias!r}]["OPTIONS"]["charset"] to "{CHARACTER_SET}", and remove other '
            "settings of it, such as SET NAMES in init_command.",
            id="django_hyber.E019",
        )


def _check_tables(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    """Check the columns of the tables. Tables that do not exist yet get the character set of the database."""
    tables = [model._meta.db_table for model in apps.get_app_config("django_hyber").get_models()]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT table_name, character_set_name FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND table_name IN %s AND character_set_name IS NOT NULL",
            [tables],
        )
        found = cursor.fetchall()
        cursor.execute("SELECT @@character_set_database, DATABASE()")
        default, name = cursor.fetchone()
    wrong = sorted({table for table, character_set in found if character_set != CHARACTER_SET})
    convert = f"CONVERT TO CHARACTER SET {CHARACTER_SET}"
    if wrong:
        yield Error(
            f"Tables in the database {connection.alias!r} cannot store emoji, because their character set is not "
            f"{CHARACTER_SET}: {', '.join(wrong)}.",
            hint=f"Convert each of them: ALTER TABLE {wrong[0]} {convert}.",
            id="django_hyber.E019",
        )
    elif not found and default != CHARACTER_SET:
        yield Error(
            f"The database {connection.alias!r} creates tables with {default} instead of {CHARACTER_SET}: emoji cannot "
            "be stored.",
            hint=f"Before the first migrate: ALTER DATABASE `{name}` CHARACTER SET {CHARACTER_SET}.",
            id="django_hyber.E019",
        )
