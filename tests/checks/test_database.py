from __future__ import annotations

import io

import pytest
from django.core.checks import Tags, run_checks
from django.core.management import CommandError, call_command
from django.db import connection, connections

from django_hyber.models import Suppression

pytestmark = pytest.mark.django_db(transaction=True)

IS_MYSQL = connection.vendor == "mysql"
IS_POSTGRESQL = connection.vendor == "postgresql"


def found():
    messages = run_checks(tags=[Tags.database], databases=["default"])
    return [message for message in messages if message.id.startswith("django_hyber")]


@pytest.fixture
def old_connection():
    """A connection with the old character set, as with ``charset=utf8``; only MariaDB and MySQL know such."""
    if IS_MYSQL:
        with connection.cursor() as cursor:
            cursor.execute("SET NAMES utf8mb3")
    yield
    connection.close()


@pytest.fixture
def old_table():
    table = Suppression._meta.db_table
    with connection.cursor() as cursor:
        if IS_MYSQL:
            cursor.execute(f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb3")
        yield table
        if IS_MYSQL:
            cursor.execute(f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4")


@pytest.fixture
def old_database():
    """A database in Windows-1251; only PostgreSQL has one encoding for all of a database."""
    name = connection.settings_dict["NAME"]
    other = f"{name}_win1251"
    if IS_POSTGRESQL:
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{other}"')
            cursor.execute(f"""CREATE DATABASE "{other}" ENCODING 'WIN1251' LOCALE 'C' TEMPLATE template0""")
        connection.close()
        connection.settings_dict["NAME"] = other
    yield
    if IS_POSTGRESQL:
        connection.close()
        connection.settings_dict["NAME"] = name
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{other}"')


def test_database_that_stores_every_text_is_accepted():
    assert found() == []


def test_connection_without_emoji_is_refused(old_connection):
    assert [(error.id, '["OPTIONS"]["charset"]' in error.hint) for error in found()] == [
        ("django_hyber.E019", True)
    ] * IS_MYSQL


def test_table_without_emoji_is_refused(old_table):
    assert [(error.id, f"ALTER TABLE {old_table} CONVERT" in error.hint) for error in found()] == [
        ("django_hyber.E019", True)
    ] * IS_MYSQL


def test_database_in_another_encoding_is_refused(old_database):
    assert [(error.id, "WIN1251" in error.msg, "ENCODING 'UTF8'" in error.hint) for error in found()] == [
        ("django_hyber.E019", True, True)
    ] * IS_POSTGRESQL


def test_other_databases_of_the_project_are_not_asked(old_table):
    assert run_checks(tags=["django_hyber"], databases=["other"]) == run_checks(tags=["django_hyber"])


def test_command_tells_of_a_database_without_emoji(platform, old_table):
    out = io.StringIO()
    # A failure for other reasons, such as callbacks that are not set up, does not matter here.
    with pytest.raises(CommandError):
        call_command("hyber_check", stdout=out)

    assert ("FAIL Database: " in out.getvalue()) == IS_MYSQL


@pytest.fixture
def local_times():
    """A connection that stores times in the zone of Kyiv."""
    connection.settings_dict["TIME_ZONE"] = "Europe/Kyiv"
    forget_zone()
    yield
    connection.settings_dict["TIME_ZONE"] = None
    forget_zone()


def forget_zone():
    for name in ("timezone", "timezone_name"):
        vars(connections["default"]).pop(name, None)


def test_times_in_a_zone_that_the_clock_of_the_database_does_not_have_are_refused(local_times):
    ids = [message.id for message in run_checks(tags=["django_hyber"])]

    # PostgreSQL stores moments, whatever the zone.
    assert ids == ([] if IS_POSTGRESQL else ["django_hyber.E042"])
