"""Storing a single message once: a repeated extra id returns the message that exists, if it is the same request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db import IntegrityError

from django_hyber.db.transactions import atomic, db_connection
from django_hyber.errors import ExtraIdError
from django_hyber.models import Message

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
    different = list(_differences(found, message))
    if different:
        raise ExtraIdError(message.extra_id, different)
    return found, False


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
    if _request(found) != _request(message):
        yield "content"
    if (found.reference_type_id, found.reference_id) != (message.reference_type_id, message.reference_id):
        yield "reference"


def _request(message: Message) -> tuple[Any, ...]:
    """Return what was asked for: of a template its code, language and variables, since its text may change."""
    content = json.loads(json.dumps(message.content))
    if not message.template_version:
        return ("", {}, content)
    template, _space, _version = message.template_version.rpartition(" ")
    options = {name: value for name, value in content.items() if name not in {"channels", "channel_options"}}
    return (template, message.variables, options)
