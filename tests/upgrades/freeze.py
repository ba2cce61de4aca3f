"""Freeze the schema of this version, with a row for every table: ``python -m tests.upgrades.freeze``.

A file in ``schemas`` names the newest migration of a version and holds a value for every column. Any possible value
will do; those in VALUES are what the app would write, for migrations that change data.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import django
from django.db import models
from django.db.migrations.loader import MigrationLoader

import django_hyber

APP = "django_hyber"
SCHEMAS = Path(__file__).parent / "schemas"
VIBER = {"text": "Вітаємо, %name% 🌻", "ttl": 60}
REPORT = {"status": 2, "substatus": 23, "hyber_status": 23011, "extra_id": "order-1-shipped", "sent_via": "viber"}
VALUES: dict[str, Any] = {
    "Announcement.events": [{"message": 1, "old": "accepted", "new": "delivered"}],
    "BackgroundJob.parameters": {"columns": [["phone", "phone"]], "encoding": "utf-8"},
    "BackgroundJob.result": {"accepted": 1, "rejected": 0},
    "Batch.phone_prefixes": ["380"],
    "Campaign.number_types": ["fixed_line"],
    "Campaign.status": "finished",
    "Campaign.variable_defaults": {"name": "друже"},
    "CampaignChannel.channel": "viber",
    "CampaignChannel.options": VIBER,
    "DeliveryReport.raw": REPORT,
    "Message.channel": "viber",
    "Message.content": {"channels": ["viber"], "channel_options": {"viber": VIBER}},
    "Message.status": "delivered",
    "Message.variables": {"name": "Олена"},
    "Reply.raw": {"phone": "380671234501", "channel": "viber", "text_from_subscriber": "Дякую 🌻"},
    "TemplateChannel.channel": "viber",
    "TemplateChannel.options": VIBER,
    "TestSender.sent_at": ["2026-01-02T03:04:05.678000+00:00"],
}
VALUES_OF_TYPES: dict[type[models.Field[Any, Any]], Any] = {
    models.BooleanField: True,
    models.DateTimeField: "2026-01-02T03:04:05.678000+00:00",
    models.DateField: "2026-01-02",
    models.TimeField: "09:30:00",
    models.DecimalField: "12.50",
    models.IntegerField: 7,
    models.FileField: "recipients/kept.csv",
}


def tables_at(migration: str) -> dict[str, type[models.Model]]:
    """Return the models of the app as they are after this migration, by name. No database is used."""
    state = MigrationLoader(None).project_state((APP, migration))
    return {model.__name__: model for model in state.apps.get_app_config(APP).get_models()}


def newest_migration() -> str:
    """Return the name of the last migration of the app."""
    ((_, name),) = MigrationLoader(None).graph.leaf_nodes(APP)
    return str(name)


def value_of(field: models.Field[Any, Any]) -> Any:
    """Return a value for the column; rows of other apps are not referred to."""
    named = f"{field.model.__name__}.{field.name}"
    if named in VALUES:
        return VALUES[named]
    if isinstance(field, models.ForeignKey):
        return 1 if field.remote_field.model._meta.app_label == APP else None
    if field.primary_key and isinstance(field, models.AutoField):
        return 1
    if field.choices:
        return list(field.flatchoices)[-1][0]
    for kind, value in VALUES_OF_TYPES.items():
        if isinstance(field, kind):
            return value
    return f"{field.name} Ґ🌻"[: field.max_length]


def freeze() -> Path:
    """Write the file of this version."""
    migration = newest_migration()
    rows = {
        name: {field.attname: value_of(field) for field in model._meta.concrete_fields}
        for name, model in sorted(tables_at(migration).items())
    }
    path = SCHEMAS / f"{django_hyber.__version__}.json"
    path.write_text(json.dumps({"migration": migration, "rows": rows}, ensure_ascii=False, indent=1) + "\n")
    return path


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    print(freeze())  # noqa: T201
