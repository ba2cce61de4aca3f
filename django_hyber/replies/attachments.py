"""What is left of the attachment of a reply: the platform keeps it for a day, we for as long as the project wants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from django.utils import timezone

from django_hyber.conf import find_account
from django_hyber.models import Reply
from django_hyber.queueing import enqueue
from django_hyber.replies import media

#: How long the platform keeps an attachment (guide, chapter 6).
LIFE = timedelta(days=1)


class AttachmentState(Enum):
    """Where an attachment can be had."""

    KEPT = "kept"
    BEING_FETCHED = "being fetched"
    AT_THE_PLATFORM = "at the platform"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """The attachment of a reply. ``url`` is "" where there is none that may be followed.

    ``is_missing``: FETCH_MEDIA is on and yet there is no copy; it waits for its task, or fetching it failed.
    """

    name: str
    url: str
    state: AttachmentState
    available_until: datetime
    is_missing: bool


def find_attachment(reply: Reply) -> Attachment | None:
    """Return the attachment of a reply, or None if it came without."""
    if not reply.media_url:
        return None
    state = _state(reply)
    has_link = state in {AttachmentState.AT_THE_PLATFORM, AttachmentState.BEING_FETCHED}
    return Attachment(
        name=reply.file_name or reply.media_kind,
        url=_url_of_copy(reply) if state is AttachmentState.KEPT else _web_link(reply.media_url) if has_link else "",
        state=state,
        available_until=_available_until(reply),
        is_missing=state in {AttachmentState.AT_THE_PLATFORM, AttachmentState.GONE} and _is_wanted(reply),
    )


def fetch_again(reply: Reply) -> None:
    """Ask a task to keep the attachment after all; nothing happens if it is kept already."""
    enqueue("fetch_media", reply.pk)


def _state(reply: Reply) -> AttachmentState:
    stored = reply.media_file.name or ""
    if media.is_kept(stored):
        return AttachmentState.KEPT
    if media.is_claimed(stored):
        return AttachmentState.BEING_FETCHED
    is_alive = timezone.now() < _available_until(reply)
    return AttachmentState.AT_THE_PLATFORM if is_alive else AttachmentState.GONE


def _available_until(reply: Reply) -> datetime:
    # The person's clock is not ours: a time in the future must not make the link live longer.
    return min(reply.replied_at or reply.received_at, reply.received_at) + LIFE


def _url_of_copy(reply: Reply) -> str:
    try:
        return str(reply.media_file.url)
    except (NotImplementedError, ValueError):
        # A private storage has no addresses.
        return ""


def _web_link(url: str) -> str:
    """Return a link only if a browser would go to a web site by it, and not run it as a script."""
    return url if url.lower().startswith(("https://", "http://")) else ""


def _is_wanted(reply: Reply) -> bool:
    account = find_account(reply.account)
    return account is not None and account.fetch_media
