"""Attachments of replies, kept before the platform forgets them: claim, download, store."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from tempfile import TemporaryFile
from urllib.parse import unquote, urlsplit

from django.core.files import File
from django.db.models import QuerySet
from django.utils import timezone

from django_hyber.conf import Account, get_account
from django_hyber.db.transactions import database
from django_hyber.models import Reply
from django_hyber.protocol.download import DownloadFailed, download, is_public

logger = logging.getLogger("django_hyber")
#: While an attachment is being fetched, this and the end of the lease stand in ``media_file``.
CLAIM = "claimed-until-"
DEADLINE = 120
LEASE = timedelta(minutes=10)
LONGEST_STEM = 60
#: What a web server hands out as a picture, a film, a sound or a document, and never as a page or a program.
EXTENSIONS = frozenset(
    (
        *(".avif", ".bmp", ".gif", ".heic", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"),
        *(".3gp", ".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".ogv", ".webm"),
        *(".aac", ".amr", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".weba"),
        *(".csv", ".doc", ".docx", ".odp", ".ods", ".odt", ".pdf", ".ppt", ".pptx", ".rtf", ".txt", ".xls", ".xlsx"),
        *(".rar", ".zip"),
    )
)
OTHER_EXTENSION = ".bin"


@dataclass(frozen=True, kw_only=True)
class MediaClaim:
    """An attachment that this worker alone may fetch until the lease ends; ``mark`` stands in the row meanwhile."""

    reply: Reply
    account: Account
    mark: str


def fetch_media(reply_pk: int, is_allowed: Callable[[str], bool] = is_public) -> None:
    """Keep the attachment of a reply; do nothing when it is kept already or another worker has it.

    A failure is logged and leaves the reply as it was, so that it can be tried again while the link lives.
    """
    using = database()
    claim = _claim(reply_pk, using)
    if claim is None:
        return
    name = ""
    try:
        name = _keep(claim, is_allowed)
    except DownloadFailed as error:
        logger.warning("The attachment of reply %d was not kept: %s", reply_pk, error)
    finally:
        is_recorded = _rows(reply_pk, using).filter(media_file=claim.mark).update(media_file=name)
    if name and not is_recorded:
        logger.warning("The attachment of reply %d was taken over by another worker", reply_pk)
        Reply.media_file.field.storage.delete(name)


def is_claimed(name: str) -> bool:
    """Say whether a value of ``media_file`` is the mark of a worker that is still at it."""
    end, _, _ = name.removeprefix(CLAIM).partition("-")
    return name.startswith(CLAIM) and int(end) > timezone.now().timestamp()


def is_kept(name: str) -> bool:
    """Say whether a value of ``media_file`` names a file, and not a worker."""
    return bool(name) and not name.startswith(CLAIM)


def safe_name(file_name: str, url: str) -> str:
    """Return a name to store an attachment under, which nobody can guess and no web server takes for a page.

    The last part of the given name stays readable; an extension that is not in EXTENSIONS becomes ``.bin``.
    """
    given = PurePosixPath((file_name or unquote(urlsplit(url).path)).replace("\\", "/"))
    extension = given.suffix.lower()
    stem = given.stem if extension in EXTENSIONS else given.name
    readable = re.sub(r"\W+", "_", stem)[:LONGEST_STEM].strip("_")
    return f"{secrets.token_hex(12)}-{readable or 'file'}{extension if extension in EXTENSIONS else OTHER_EXTENSION}"


def _claim(reply_pk: int, using: str) -> MediaClaim | None:
    """Take an attachment by a conditional UPDATE: of two workers only one sees a row changed."""
    reply = _rows(reply_pk, using).exclude(media_url="").first()
    if reply is None or is_kept(reply.media_file.name or "") or is_claimed(reply.media_file.name or ""):
        return None
    account = get_account(reply.account)
    mark = f"{CLAIM}{int((timezone.now() + LEASE).timestamp())}-{secrets.token_hex(8)}"
    if not _rows(reply_pk, using).filter(media_file=reply.media_file.name or "").update(media_file=mark):
        return None
    return MediaClaim(reply=reply, account=account, mark=mark)


def _keep(claim: MediaClaim, is_allowed: Callable[[str], bool]) -> str:
    """Download the attachment, store it and return its name in the storage."""
    reply = claim.reply
    with TemporaryFile() as copy:
        download(
            reply.media_url,
            copy,
            max_bytes=claim.account.media_max_bytes,
            connect_timeout=claim.account.connect_timeout,
            read_timeout=claim.account.read_timeout,
            deadline=DEADLINE,
            is_allowed=is_allowed,
        )
        copy.seek(0)
        reply.media_file.save(safe_name(reply.file_name, reply.media_url), File(copy), save=False)
    return str(reply.media_file.name)


def _rows(reply_pk: int, using: str) -> QuerySet[Reply]:
    return Reply.objects.using(using).filter(pk=reply_pk)
