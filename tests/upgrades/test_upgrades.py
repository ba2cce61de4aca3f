"""An upgrade keeps the data: a row of every table of each released schema goes through all later migrations."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from tests.upgrades.freeze import APP, SCHEMAS, newest_migration, tables_at

ROOT = Path(__file__).resolve().parents[2]
COMMAND = "Run: python -m tests.upgrades.freeze"
#: The date of the first version in the changelog, or "unreleased".
RELEASE = re.search(r"^\d+\.\d+\.\d+ \((.+)\)$", (ROOT / "CHANGELOG.rst").read_text(), re.MULTILINE)[1]
VERSIONS = sorted(path.stem for path in SCHEMAS.glob("*.json"))
schemas = pytest.mark.parametrize("version", VERSIONS)


def read(version):
    return json.loads((SCHEMAS / f"{version}.json").read_text())


def migrate(migration):
    """Migrate the app to this migration, None: to no tables at all; return its models there."""
    return MigrationExecutor(connection).migrate([(APP, migration)]).apps


@contextmanager
def database_at(migration):
    """The database as it was after this migration; in the end, that of the newest one."""
    try:
        migrate(None)
        yield migrate(migration)
    finally:
        migrate(newest_migration())


def store(former, rows):
    """Write the rows. Those that they refer to may come later."""
    with transaction.atomic(), connection.constraint_checks_disabled():
        for name, values in rows.items():
            model = former.get_model(APP, name)
            model(**as_python(model, values)).save()


def as_python(model, values):
    """The frozen values of the columns that the model has."""
    fields = [field for field in model._meta.concrete_fields if field.attname in values]
    return {field.attname: field.to_python(values[field.attname]) for field in fields}


@schemas
@pytest.mark.django_db(transaction=True)
def test_data_of_a_released_version_survives_the_upgrade(version):
    frozen = read(version)
    with database_at(frozen["migration"]) as former:
        store(former, frozen["rows"])
        migrate(newest_migration())
        connection.check_constraints()

        for name, values in frozen["rows"].items():
            (row,) = apps.get_model(APP, name).objects.all()
            kept = as_python(row, values)
            assert {attname: getattr(row, attname) for attname in kept} == kept, name


@schemas
def test_frozen_schema_is_that_of_its_migration(version):
    frozen = read(version)
    now = {
        name: sorted(field.attname for field in model._meta.concrete_fields)
        for name, model in tables_at(frozen["migration"]).items()
    }

    assert {name: sorted(values) for name, values in frozen["rows"].items()} == now, COMMAND


def test_schema_of_the_newest_release_is_frozen():
    frozen = {read(version)["migration"] for version in VERSIONS}

    assert RELEASE == "unreleased" or newest_migration() in frozen, COMMAND
