"""Images that a person uploads for a message: stored where everybody can load them, under a random name."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.core.files.storage import InvalidStorageError, default_storage
from django.utils.translation import gettext_lazy as _

from django_hyber.conf import find_account

MEGABYTE = 1024 * 1024
MAX_BYTES = 5 * MEGABYTE
#: That of the platform's image links.
MAX_ADDRESS = 256
FOLDER = "hyber-images"
#: The first and the last bytes of each kind of file, by its suffix.
_KINDS = {
    "png": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", b"IEND\xaeB`\x82"),
    "jpg": (b"\xff\xd8\xff", b"\xff\xd9"),
}


def keep_image(source: File[Any], account: str) -> str:
    """Store a PNG or JPEG image in the project's default storage, and return its address on the web.

    If the storage has relative addresses, they are completed by the account's CALLBACK_BASE_URL. Raises
    ValidationError, and stores nothing, for another file or if there is no address that a phone could load.
    """
    if source.size > MAX_BYTES:
        text = _("The image is larger than %(most)d MB.")
        raise ValidationError(text, code="too-large", params={"most": MAX_BYTES // MEGABYTE})
    name = f"{FOLDER}/{secrets.token_hex(16)}.{_suffix_of(source)}"
    _address_of(name, account)
    source.seek(0)
    return _address_of(default_storage.save(name, source), account)


def _suffix_of(source: File[Any]) -> str:
    """Return the suffix of what the file is, whatever its name says."""
    content = source.read().rstrip(b"\x00")
    for suffix, (beginning, end) in _KINDS.items():
        if content.startswith(beginning) and content.endswith(end):
            return suffix
    raise ValidationError(_("This is not a complete PNG or JPEG image."), code="not-an-image")


def _address_of(name: str, account: str) -> str:
    try:
        address = default_storage.url(name)
    except (ValueError, NotImplementedError, InvalidStorageError):
        # Files without addresses, as those of Django's storage without MEDIA_URL, or no default storage at all.
        address = ""
    found = find_account(account)
    if address and urlsplit(address).scheme not in {"http", "https"}:
        address = urljoin(found.callback_base_url, address) if found and found.callback_base_url else ""
    if not address:
        text = _(
            "The image would have no address on the web. Set MEDIA_URL, and CALLBACK_BASE_URL of the account, or use a "
            "default storage with complete addresses; or give the link of an image."
        )
        raise ValidationError(text, code="no-address")
    if len(address) > MAX_ADDRESS:
        text = _("The storage makes addresses longer than %(limit)d characters. Signed addresses also expire.")
        raise ValidationError(text, code="long-address", params={"limit": MAX_ADDRESS})
    return address
