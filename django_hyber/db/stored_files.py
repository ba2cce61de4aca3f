"""Deletion of stored files: with their row, and when they have none."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.db.models import Model
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone

from django_hyber.db.transactions import after_commit
from django_hyber.log_events import LogEvent, log_failure
from django_hyber.models import BackgroundJob, Reply
from django_hyber.storage import ROOT, hyber_storage

FILE_COLUMNS: dict[type[Model], tuple[str, ...]] = {BackgroundJob: ("source", "produced"), Reply: ("media_file",)}
#: The rows of newer files may not be committed yet.
ORPHANS_FROM = timedelta(days=2)
MINUTE = 60
CHUNK = 500


def delete_file(row: Model, column: str) -> None:
    """Delete the file of a row, and its name from the row."""
    file = getattr(row, column)
    if file:
        file.delete(save=False)
        type(row)._default_manager.filter(pk=row.pk).update(**{column: ""})


def delete_stored(name: str) -> None:
    """Delete a file whose name no row has any more. A failure is logged: a sweep deletes it later."""
    try:
        hyber_storage().delete(name)
    # A storage elsewhere has exceptions of its own.
    except Exception as error:  # noqa: BLE001  it is logged
        log_failure(LogEvent.FILE_NOT_DELETED, error, "A stored file could not be deleted")


@receiver(post_delete, sender=BackgroundJob)
@receiver(post_delete, sender=Reply)
def _delete_files_of(sender: type[Model], instance: Model, **_kwargs: Any) -> None:
    for column in FILE_COLUMNS[sender]:
        if name := getattr(instance, column).name:
            after_commit(delete_stored, name)


def delete_some_orphans() -> int:
    """Delete the files without a row in the folder of one day, and return how many there were.

    A process that was killed between writing a file and its row leaves such a file. The folders take turns by the
    minute, so that a sweep never reads them all.
    """
    folders = _old_folders()
    return _delete_orphans(folders[int(time.time() / MINUTE) % len(folders)]) if folders else 0


def delete_orphans() -> int:
    """Delete all files without a row that are older than two days, and return how many there were."""
    return sum(map(_delete_orphans, _old_folders()))


def _old_folders() -> list[str]:
    """Return the folders of each kind and day that hold no new file, in a constant order."""
    before = (timezone.now() - ORPHANS_FROM).strftime("%Y-%m-%d")
    kinds = [f"{ROOT}/{kind}" for kind in _listed(ROOT)[0]]
    return sorted(f"{kind}/{day}" for kind in kinds for day in _listed(kind)[0] if day < before)


def _delete_orphans(folder: str) -> int:
    subfolders, files = _listed(folder)
    names = [f"{folder}/{file}" for file in files]
    kept = {name for start in range(0, len(names), CHUNK) for name in _known(names[start : start + CHUNK])}
    orphans = [name for name in names if name not in kept]
    for name in orphans:
        delete_stored(name)
    if not kept and not subfolders:
        # An empty folder; object stores have none.
        delete_stored(folder)
    return len(orphans)


def _known(names: list[str]) -> set[str]:
    found: set[str] = set()
    for model, columns in FILE_COLUMNS.items():
        for column in columns:
            rows = model._default_manager.filter(**{f"{column}__in": names})
            found.update(rows.values_list(column, flat=True))
    return found


def _listed(folder: str) -> tuple[list[str], list[str]]:
    try:
        return hyber_storage().listdir(folder)
    except (FileNotFoundError, NotImplementedError):
        # Nothing has been stored yet, or the storage cannot list its files.
        return [], []
