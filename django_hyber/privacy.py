"""The columns with personal data, and their masks for users who may not see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.db.models import Model

from django_hyber.models import (
    Batch,
    DeliveryReport,
    FormerOptOut,
    Message,
    Reply,
    Suppression,
    TestNumber,
    UnreadableCallback,
)
from django_hyber.models.base import PersonalDataModel
from django_hyber.protocol import MASK, mask_payload, mask_phone, mask_phones_in, mask_text, mask_values

__all__ = [
    "HIDDEN_COLUMNS",
    "MASK",
    "PERSONAL_COLUMNS",
    "mask",
    "mask_payload",
    "mask_phone",
    "mask_phones_in",
    "mask_text",
    "mask_values",
]

Row = TypeVar("Row", bound=Model)


def _nothing(_value: Any) -> str:
    """Replace a value that has no masked form, such as the link to an attachment."""
    return ""


PERSONAL_COLUMNS: Mapping[type[Model], Mapping[str, Callable[[Any], Any]]] = {
    Message: {
        "phone_number": mask_phone,
        "variables": mask_values,
        "content": mask_payload,
        "error_text": mask_phones_in,
        "answer_text": mask_phones_in,
    },
    DeliveryReport: {"phone_number": mask_phone, "raw": mask_payload},
    Reply: {
        "phone_number": mask_phone,
        "text": mask_text,
        "media_url": _nothing,
        "media_file": _nothing,
        "file_name": mask_text,
        "location": mask_text,
        "raw": mask_payload,
    },
    Batch: {"error_text": mask_phones_in, "answer_text": mask_phones_in},
    Suppression: {"phone_number": mask_phone, "reason": mask_phones_in},
    FormerOptOut: {"phone_number": mask_phone, "reason": mask_phones_in},
    TestNumber: {"phone_number": mask_phone},
    UnreadableCallback: {"body": mask_text, "reason": mask_phones_in},
}

#: By these columns, users who may not see personal data can neither filter nor sort.
HIDDEN_COLUMNS = frozenset(column for columns in PERSONAL_COLUMNS.values() for column in columns) | {
    *("status_reason", "phone_prefixes", "variable_defaults", "approval_note"),
    *("parameters", "result", "source", "produced", "opted_out"),
}


def mask(row: Row) -> Row:
    """Mask the personal data of a row and its loaded related rows in memory.

    A masked row cannot be saved, because the masks would replace the data.
    """
    columns = PERSONAL_COLUMNS.get(type(row), {})
    for column in columns.keys() & row.__dict__.keys():
        if (value := getattr(row, column)) is not None:
            setattr(row, column, columns[column](value))
    if isinstance(row, PersonalDataModel):
        row.is_masked = True
    for related in row._state.fields_cache.values():
        if type(related) in PERSONAL_COLUMNS:
            mask(related)
    return row
