"""Sending a template: the text in a language, with its variables filled in, as a single message."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Unpack

from asgiref.sync import sync_to_async

from django_hyber.log_events import LogEvent
from django_hyber.models import Message, Template
from django_hyber.protocol import (
    Channel,
    InvalidMessage,
    Problem,
    clean_text,
    find_variables,
    render_channel,
)
from django_hyber.protocol.channels.problems import error, gettext_noop
from django_hyber.sending.send import SendOptions, new_message, submit_once
from django_hyber.texts.approved import departs_from_approved

logger = logging.getLogger("django_hyber")


def send_template(
    code: str,
    phone_number: str | int,
    variables: Mapping[str, Any] | None = None,
    *,
    language: str | None = None,
    **options: Unpack[SendOptions],
) -> Message:
    """Send the template with this code to one person; the options are those of ``send_message``.

    The text is that in ``language``, else in the same language without its region, else in the language of the
    template, which is also used without ``language``. Every %variable% of the text needs a value; others are ignored.
    With an ``extra_id``, a repeated call with the same variables returns the message of the first one, even if the text
    of the template has changed since.

    Raises Template.DoesNotExist for an unknown code, InvalidMessage if the template has no text, a value is missing, or
    the text with its values breaks a rule, and what ``send_message`` raises. Nothing is stored then.
    """
    template = Template.objects.get(code=code)
    variant = template.find_variant(language)
    channels = variant.get_channels() if variant else []
    if not variant or not channels:
        raise InvalidMessage([error("no-text", gettext_noop("The template “%(name)s” has no text yet."), name=code)])
    values = _values(channels, variables or {})
    message = new_message(phone_number, [render_channel(channel, values) for channel in channels], **options)
    message.variables, message.template_version = values, variant.label
    sent = submit_once(message, is_repeatable=bool(options.get("extra_id")))
    # A repeated call returns the message of the first one.
    if sent is message and departs_from_approved(variant):
        logger.warning(
            "Message %s: the Viber text of %s departs from the approved one",
            message.extra_id,
            variant.label,
            extra={"event": LogEvent.TEMPLATE_DIFFERS, "extra_id": message.extra_id},
        )
    return sent


async def asend_template(
    code: str,
    phone_number: str | int,
    variables: Mapping[str, Any] | None = None,
    *,
    language: str | None = None,
    **options: Unpack[SendOptions],
) -> Message:
    """Do the same as ``send_template``, from asynchronous code."""
    return await sync_to_async(send_template)(code, phone_number, variables, language=language, **options)


def _values(channels: Sequence[Channel], given: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of the variables in use, as texts. Raises InvalidMessage if one is missing or empty."""
    used = sorted(find_variables(channels))
    values = {name: clean_text(str(given[name])) for name in used if given.get(name) is not None}
    missing = list(_missing(used, values))
    if missing:
        raise InvalidMessage(missing)
    return values


def _missing(used: Sequence[str], values: Mapping[str, str]) -> Iterator[Problem]:
    template = gettext_noop("The text needs a value for “%(name)s”.")
    for name in used:
        if not values.get(name, "").strip():
            yield error("missing-variable", template, name=name)
