"""Attachments of replies: the platform stores them for a day; copies are kept as long as the project wants."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import PurePosixPath
from tempfile import TemporaryFile
from urllib.parse import unquote, urlsplit

from django.core.files import File
from django.db.models import Q, QuerySet
from django.utils import timezone

from django_hyber.conf import Account, find_account, find_accounts, get_account
from django_hyber.db import lease
from django_hyber.db.clock import database_time
from django_hyber.db.stored_files import delete_stored
from django_hyber.log_events import LogEvent
from django_hyber.models import Reply
from django_hyber.protocol.download import DownloadFailed, download, is_public
from django_hyber.queueing import ENQUEUED_FOR, enqueue

logger = logging.getLogger("django_hyber")
#: How long the platform keeps an attachment (guide, chapter 6).
LIFE = timedelta(days=1)
DEADLINE = 120
LEASE = 10 * 60
#: How many workers may stop at an attachment before it is left to a person.
MAX_ATTEMPTS = 5
#: How many attachments one sweep enqueues; the next one continues.
LIMIT = 100
LONGEST_STEM = 60
#: Opened as images, videos, audio or documents, never as pages or programs.
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


class AttachmentState(Enum):
    """Where an attachment is available."""

    KEPT = "kept"
    BEING_FETCHED = "being fetched"
    AT_THE_PLATFORM = "at the platform"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """The attachment of a reply. ``url`` is that of the platform, "" if there is no safe link or a copy.

    ``is_missing``: FETCH_MEDIA is on and yet there is no copy; it waits for its task, or fetching it failed.
    """

    name: str
    url: str
    state: AttachmentState
    available_until: datetime
    is_missing: bool


@dataclass(frozen=True, kw_only=True)
class MediaClaim:
    """An attachment that this worker alone may fetch until its lease ends."""

    reply: Reply
    account: Account
    attempt: int


def find_attachment(reply: Reply) -> Attachment | None:
    """Return the attachment of a reply, or None if it came without."""
    if not reply.media_url:
        return None
    state = _state(reply)
    has_link = state in {AttachmentState.AT_THE_PLATFORM, AttachmentState.BEING_FETCHED}
    account = find_account(reply.account)
    return Attachment(
        name=reply.file_name or reply.media_kind,
        url=_web_link(reply.media_url) if has_link else "",
        state=state,
        available_until=_available_until(reply),
        is_missing=state in {AttachmentState.AT_THE_PLATFORM, AttachmentState.GONE}
        and account is not None
        and account.fetch_media,
    )


def fetch_again(reply: Reply) -> None:
    """Enqueue another attempt to download the attachment; it does nothing if there is a copy.

    Like that of a worker that has stopped, it is enqueued again by a sweep if its task is lost.
    """
    free = _without_copy().filter(Q(lease_until=None) | lease.has_ended(), pk=reply.pk)
    free.update(lease_until=database_time())
    enqueue("fetch_media", reply.pk)


def enqueue_lost() -> int:
    """Enqueue the attachments whose task was lost or whose worker has stopped, and return their number.

    A download that has failed is not repeated by itself.
    """
    accounts = [account.name for account in find_accounts() if account.fetch_media]
    if not accounts:
        return 0
    now = database_time()
    minute_ago = now - ENQUEUED_FOR
    is_lost = Q(attempts=0, lease_until=None, received_at__lte=minute_ago) | Q(lease_until__lte=minute_ago)
    wanted = _without_copy().filter(account__in=accounts, attempts__lt=MAX_ATTEMPTS, received_at__gt=now - LIFE)
    pks = list(wanted.filter(is_lost).order_by("pk").values_list("pk", flat=True)[:LIMIT])
    # A lease that is over at once: the task can claim it, and for a minute no sweep enqueues another.
    wanted.filter(is_lost, pk__in=pks).update(lease_until=now)
    for pk in pks:
        enqueue("fetch_media", pk)
    return len(pks)


def fetch_media(reply_pk: int, is_allowed: Callable[[str], bool] = is_public) -> None:
    """Download the attachment of a reply, unless there is a copy or another worker is downloading it.

    A failure is logged; the download can be tried again while the link is valid.
    """
    claim = _claim(reply_pk)
    if claim is None:
        return
    ours = lease.held(_without_copy(), reply_pk, claim.attempt)
    name = ""
    try:
        name = _keep(claim, is_allowed)
    except DownloadFailed as error:
        logger.warning(
            "The attachment of reply %d was not kept: %s",
            reply_pk,
            error,
            extra={"event": LogEvent.ATTACHMENT_FAILED, "reply_id": reply_pk},
        )
    finally:
        is_recorded = ours.update(media_file=name, lease_until=None)
    if name and not is_recorded:
        logger.warning(
            "The attachment of reply %d was claimed by another worker",
            reply_pk,
            extra={"event": LogEvent.CLAIM_LOST, "reply_id": reply_pk},
        )
        delete_stored(name)


def download_name(file_name: str, url: str) -> str:
    """Return the name under which an attachment is downloaded, which no computer opens as a page or a program.

    It contains the original name; an extension that is not in EXTENSIONS is followed by ``.bin``.
    """
    given = PurePosixPath((file_name or unquote(urlsplit(url).path)).replace("\\", "/"))
    extension = given.suffix.lower()
    stem = given.stem if extension in EXTENSIONS else given.name
    readable = re.sub(r"\W+", "_", stem)[:LONGEST_STEM].strip("_")
    return f"{readable or 'file'}{extension if extension in EXTENSIONS else OTHER_EXTENSION}"


def _claim(reply_pk: int) -> MediaClaim | None:
    free = _without_copy().filter(Q(lease_until=None) | lease.has_ended())
    reply = free.filter(pk=reply_pk).first()
    if reply is None:
        return None
    account = get_account(reply.account)
    if not lease.claim(lease.held(free, reply.pk, reply.attempts), LEASE):
        return None
    return MediaClaim(reply=reply, account=account, attempt=reply.attempts + 1)


def _without_copy() -> QuerySet[Reply]:
    """Select the replies whose attachment can still be fetched; a purged reply has no link any more."""
    return Reply.objects.filter(media_file="").exclude(media_url="")


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
        reply.media_file.save(download_name(reply.file_name, reply.media_url), File(copy), save=False)
    return str(reply.media_file.name)


def _state(reply: Reply) -> AttachmentState:
    now = timezone.now()
    if reply.media_file:
        return AttachmentState.KEPT
    if reply.lease_until and reply.lease_until > now:
        return AttachmentState.BEING_FETCHED
    return AttachmentState.AT_THE_PLATFORM if now < _available_until(reply) else AttachmentState.GONE


def _available_until(reply: Reply) -> datetime:
    # The clock of the phone may be wrong: a time in the future must not extend the link.
    return min(reply.replied_at or reply.received_at, reply.received_at) + LIFE


def _web_link(url: str) -> str:
    """Return the link if it is HTTP(S): others, such as javascript:, must not be followed."""
    return url if url.lower().startswith(("https://", "http://")) else ""
