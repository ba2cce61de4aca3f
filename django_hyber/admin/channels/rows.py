"""The posted rows of channels meet the stored ones: another tab may have added or deleted channels in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.forms import BooleanField
from django.forms.formsets import DELETION_FIELD_NAME, INITIAL_FORM_COUNT, TOTAL_FORM_COUNT
from django.utils.datastructures import MultiValueDict

from django_hyber.models.campaign import ChannelModel

Fields = dict[str, list[str]]


@dataclass(kw_only=True)
class Row:
    """One posted row and the stored channel that it edits. It is ``lost`` if its channel has been deleted."""

    fields: Fields
    stored: ChannelModel | None = None
    lost: bool = False

    def last(self, name: str) -> str:
        """Return the posted value of a field, or ""."""
        return (self.fields.get(name) or [""])[-1]

    @property
    def is_removed(self) -> bool:
        """Whether the row is marked to be deleted."""
        return bool(BooleanField().to_python(self.last(DELETION_FIELD_NAME)))


def match_rows(rows: Sequence[Fields], stored: Sequence[ChannelModel], known: int) -> list[Row]:
    """Return the rows with their channels, those that are stored first, as Django expects them.

    The first ``known`` rows name a channel by its id. A channel may occur once only, so any other row edits the stored
    channel of its kind. A row that is to be removed and has no channel is left out: the page has no box to
    mark it again.
    """
    by_id = {str(channel.pk): channel for channel in stored}
    matched = [Row(fields=fields) for fields in rows]
    for row in matched[:known]:
        row.stored = by_id.pop(row.last("id"), None)
        row.lost = row.stored is None
    by_kind = {channel.channel: channel for channel in by_id.values()}
    for row in matched:
        if row.stored is None and not row.is_removed:
            row.stored = by_kind.pop(row.last("channel"), None)
            row.lost = row.lost and row.stored is None
    left = [row for row in matched if row.stored or not row.is_removed]
    return sorted(left, key=lambda row: row.stored is None)


def split_rows(data: MultiValueDict[str, str], prefix: str, total: int) -> list[Fields]:
    """Return the posted fields of each row, by their names without the prefix."""
    rows: dict[str, Fields] = {f"{prefix}-{number}": {} for number in range(total)}
    for key, values in data.lists():
        row, name = _split_key(key, prefix)
        if row in rows:
            rows[row][name] = values
    return list(rows.values())


def join_rows(data: MultiValueDict[str, str], prefix: str, rows: Sequence[Row]) -> MultiValueDict[str, str]:
    """Return the posted data with these rows instead."""
    joined = MultiValueDict({key: values for key, values in data.lists() if not _split_key(key, prefix)[0]})
    joined[f"{prefix}-{TOTAL_FORM_COUNT}"] = str(len(rows))
    joined[f"{prefix}-{INITIAL_FORM_COUNT}"] = str(sum(row.stored is not None for row in rows))
    for number, row in enumerate(rows):
        key = str(row.stored.pk) if row.stored else ""
        for name, values in (row.fields | {"id": [key]}).items():
            joined.setlist(f"{prefix}-{number}-{name}", values)
    return joined


def _split_key(key: str, prefix: str) -> tuple[str, str]:
    """Return the prefix of the row and the name of the field, as in ("channels-0", "text"); "" if it is of no row."""
    number, _, name = key.removeprefix(f"{prefix}-").partition("-")
    is_of_row = key.startswith(f"{prefix}-") and number.isdecimal()
    return (f"{prefix}-{number}", name) if is_of_row else ("", key)
