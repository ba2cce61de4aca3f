"""The private storage: uploads, exports, rejected rows and attachments of replies.

It is ``STORAGES["hyber"]`` if the project defines that, else a folder beside ``MEDIA_ROOT``. No web server should serve
it: the files are read by views that check permissions.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path, PurePath

from django.conf import settings
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils import timezone
from django.utils.functional import LazyObject, cached_property, empty

ALIAS = "hyber"
FOLDER = "hyber-private"
#: Above the folders of each kind of file.
ROOT = "hyber"
_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


class PrivateFileSystemStorage(FileSystemStorage):
    """Files that only the user of the process can read. They have no URLs.

    ``location`` is the folder; by default it is ``hyber-private`` beside ``MEDIA_ROOT``, or in the current directory if
    ``MEDIA_ROOT`` is empty.
    """

    def __init__(self, location: str | Path | None = None) -> None:
        super().__init__(location, file_permissions_mode=0o600, directory_permissions_mode=0o700)
        self._folder = location

    @cached_property
    def base_location(self) -> str:
        """The folder."""
        if self._folder:
            return str(self._folder)
        beside = Path(settings.MEDIA_ROOT).absolute().parent if settings.MEDIA_ROOT else Path.cwd()
        return str(beside / FOLDER)

    @cached_property
    def base_url(self) -> None:  # type: ignore[override]  # Django's storage falls back to MEDIA_URL
        """None: ``url()`` raises ValueError."""


class HyberStorage(LazyObject):  # type: ignore[type-arg]  # Django's class takes no type at run time
    """The private storage of this project, set up at its first use."""

    @property  # type: ignore[misc]  # read only, and Python's own is not
    def __class__(self) -> type[Storage]:  # type: ignore[override]  # as of the object that it replaces
        """The class of a storage, also before the first use: a file column looks at it while models are loaded."""
        return Storage if self._wrapped is empty else type(self._wrapped)

    def _setup(self) -> None:
        self._wrapped = storages[ALIAS] if ALIAS in storages.backends else PrivateFileSystemStorage()


_storage = HyberStorage()


def hyber_storage() -> Storage:
    """Return the private storage. The file columns refer to this function, so that migrations do not."""
    return _storage  # type: ignore[return-value]  # it behaves as the storage that it wraps


def private_name(kind: str, file_name: str) -> str:
    """Return an unguessable name in the folder of this kind and day; of ``file_name`` only a short suffix is kept."""
    suffix = PurePath(file_name).suffix.lower()
    kept = suffix if _SUFFIX.fullmatch(suffix) else ""
    return f"{ROOT}/{kind}/{timezone.now():%Y-%m-%d}/{secrets.token_hex(24)}{kept}"


@receiver(setting_changed)
def _reset(*, setting: str, **_kwargs: object) -> None:
    if setting in {"STORAGES", "MEDIA_ROOT"}:
        _storage._wrapped = empty  # type: ignore[assignment]  # as LazyObject does before its first use
