"""Storing a single message once: a repeated extra id returns the message that exists, if it is the same request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import IntegrityError
from django.utils.dateparse import parse_datetime

from django_hyber.db.transactions import atomic, db_connection
from django_hyber.errors import ExtraIdError
from django_hyber.models import Message

#: Where the content of a message keeps the language that a template was asked for in. It is not sent.
LANGUAGE = "language"
_SHARED_READ = f"SELECT * FROM {Message._meta.db_table} WHERE extra_id = %s LOCK IN SHARE MODE"  # noqa: S608


def store_once(message: Message) -> tuple[Message, bool]:
    """Store a new message and return it with True, or the message of an equal request before it with False.

    Raises ExtraIdError if another message has the extra id. The surrounding transaction stays usable in each case.
    """
    # In most cases this finds it. An INSERT that fails would write an error to the log of PostgreSQL.
    found = Message.objects.filter(extra_id=message.extra_id).first()
    if found is None:
        try:
            with atomic():
                message.save(force_insert=True)
        except IntegrityError:
            found = _stored_meanwhile(message.extra_id)
            if found is None:
                raise
        else:
            return message, True
    require_equal(found, message)
    return found, False


def require_equal(found: Message, message: Message) -> None:
    """Raise ExtraIdError if a stored message is not the one that is asked for."""
    different = list(_differences(found, message))
    if different:
        raise ExtraIdError(found.extra_id, different)


def _stored_meanwhile(extra_id: str) -> Message | None:
    """Return the row of a concurrent call. A locking read sees it even if the transaction began before that call."""
    with atomic():
        if db_connection().vendor == "mysql":
            # With FOR UPDATE, several calls would deadlock: each failed INSERT has left a shared lock on the row.
            return next(iter(Message.objects.raw(_SHARED_READ, [extra_id])), None)
        return Message.objects.select_for_update().filter(extra_id=extra_id).first()


def _differences(found: Message, message: Message) -> Iterator[str]:
    if found.campaign_id:
        yield "campaign"
    if found.account != message.account:
        yield "account"
    if found.phone_number is None:
        # Purged: what remains does not tell.
        return
    if found.phone_number != message.phone_number:
        yield "phone number"
    if _request(found) != _request(message) or not _have_equal_values(found, message):
        yield "content"
    if (found.reference_type_id, found.reference_id) != (message.reference_type_id, message.reference_id):
        yield "reference"


def _request(message: Message) -> tuple[str, dict[str, Any]]:
    """Return what was asked for: of a template its code, language and options, since its text may change."""
    content = json.loads(json.dumps(message.content or {}))
    if start_time := content.get("start_time"):
        content["start_time"] = _moment(start_time)
    if not message.template_version:
        return "", content
    code, _language, _version = message.template_version.rsplit(" ", 2)
    return code, {name: value for name, value in content.items() if name not in {"channels", "channel_options"}}


def _have_equal_values(found: Message, message: Message) -> bool:
    """Compare the variables that both texts use: that of the template may have changed in the meantime."""
    both = found.variables.keys() & message.variables.keys()
    return all(found.variables[name] == message.variables[name] for name in both)


def _moment(written: str) -> datetime | str:
    """Return the time that is meant, which can be written in several ways, or a text that is no time as it is."""
    try:
        found = parse_datetime(written)
    except ValueError:
        return written
    # A time that was given as a datetime is sent in whole seconds.
    return found.replace(microsecond=0) if found else written
