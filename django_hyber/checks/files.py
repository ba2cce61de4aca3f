"""System checks of the storage that holds the files of people."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004  Django's own name
from django.core.files.storage import FileSystemStorage, InvalidStorageError, storages

from django_hyber.storage import ALIAS, PrivateFileSystemStorage

PRIVATE = "django_hyber.storage.PrivateFileSystemStorage"
HINT = f'Set STORAGES["{ALIAS}"] = {{"BACKEND": "{PRIVATE}", "OPTIONS": {{"location": "/a/private/folder"}}}}.'


@register("django_hyber")
def check_storage(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Check that uploads, exports and attachments are stored where no web server serves them."""
    is_defined = ALIAS in storages.backends
    try:
        storage = storages[ALIAS] if is_defined else PrivateFileSystemStorage()
    except (InvalidStorageError, ImportError, TypeError) as error:
        return [Error(f'STORAGES["{ALIAS}"] cannot be used: {error}', hint=HINT, id="django_hyber.E040")]
    if not isinstance(storage, FileSystemStorage):
        return []
    return [*_check_folder(storage), *([] if is_defined else _check_default_folder(Path(storage.location)))]


@register("django_hyber", deploy=True)
def check_media_root(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Warn, before a deployment, about a folder that depends on where each process was started."""
    if settings.MEDIA_ROOT or ALIAS in storages.backends:
        return []
    return [
        Warning(
            "MEDIA_ROOT is empty, so uploads, exports and attachments are stored in "
            f"{Path(PrivateFileSystemStorage().location)}, which depends on where a process was started.",
            hint=HINT,
            id="django_hyber.W043",
        )
    ]


def _check_folder(storage: FileSystemStorage) -> Iterator[CheckMessage]:
    folder = Path(storage.location)
    for name in ("MEDIA_ROOT", "STATIC_ROOT"):
        served = getattr(settings, name, None)
        if served and folder.resolve().is_relative_to(Path(served).resolve()):
            yield Error(
                f"Uploads, exports and attachments are stored in {folder}, which is inside {name}: anyone who knows or "
                "finds an address there can download phone numbers.",
                hint=HINT,
                id="django_hyber.E041",
            )
    if not isinstance(storage, PrivateFileSystemStorage):
        yield Warning(
            f'STORAGES["{ALIAS}"] gives every file a URL and lets other users of this machine read it.',
            hint=HINT,
            id="django_hyber.W042",
        )


def _check_default_folder(folder: Path) -> Iterator[CheckMessage]:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        yield Warning(
            f"Uploads, exports and attachments cannot be stored in {folder}: this user cannot write to {existing}.",
            hint=HINT,
            id="django_hyber.W044",
        )
