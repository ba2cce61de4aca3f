"""Sending a template: the text in a language, with its variables filled in, as a single message."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Unpack

from asgiref.sync import sync_to_async

from django_hyber.conf import DEFAULT_ACCOUNT
from django_hyber.log_events import LogEvent
from django_hyber.models import Message, Template
from django_hyber.models.base import plain_value
from django_hyber.models.template import TemplateText, language_key
from django_hyber.protocol import (
    Channel,
    InvalidMessage,
    Problem,
    channels_from_wire,
    clean_text,
    find_variables,
    render_channel,
    validate_request,
)
from django_hyber.protocol.channels.fields import check_text
from django_hyber.protocol.channels.problems import error, gettext_noop
from django_hyber.protocol.phones.spellings import GivenPhone
from django_hyber.sending.once import LANGUAGE, require_equal
from django_hyber.sending.send import SendOptions, new_message, submit_once
from django_hyber.texts.variable_values import value_text

logger = logging.getLogger("django_hyber")


def send_template(
    code: str,
    phone_number: GivenPhone,
    variables: Mapping[str, Any] | None = None,
    *,
    language: str | None = None,
    **options: Unpack[SendOptions],
) -> Message:
    """Send the template with this code to one person; the options are those of ``send_message``.

    The text is that in ``language``, else in the same language without its region, else in the language of the
    template, which is also used without ``language``. Every %variable% of the text needs a value; others are ignored.
    With an ``extra_id``, a repeated call with the same language, variables and options returns the message of the first
    one, even if the template has changed or was deleted since.

    Raises Template.DoesNotExist for an unknown code, InvalidMessage if the template has no text, a value is missing, or
    the text with its values breaks a rule, and what ``send_message`` raises. Nothing is stored then.
    """
    given, language = variables or {}, plain_value(language)
    options = {**options, "extra_id": plain_value(options.get("extra_id"))}
    _check_names(code, language, options["extra_id"])
    sent_before = _find_sent(code, options.get("extra_id"))
    if sent_before:
        return _repeat(sent_before, phone_number, given, language, options)
    text = Template.objects.get(code=code).find_text(language)
    if not text:
        raise InvalidMessage([error("no-text", gettext_noop("The template “%(name)s” has no text yet."), name=code)])
    values = _values(text.channels, given)
    channels = [render_channel(channel, values) for channel in text.channels]
    message = _new_message(phone_number, channels, language, options)
    message.variables, message.template_version = values, text.variant.label
    sent = submit_once(message, is_repeatable=bool(options.get("extra_id")))
    # Another call may have sent it at the same moment.
    if sent is message:
        _compare_with_approved(message, text)
    return sent


async def asend_template(
    code: str,
    phone_number: GivenPhone,
    variables: Mapping[str, Any] | None = None,
    *,
    language: str | None = None,
    **options: Unpack[SendOptions],
) -> Message:
    """Do the same as ``send_template``, from asynchronous code."""
    return await sync_to_async(send_template)(code, phone_number, variables, language=language, **options)


def _check_names(code: object, language: object, extra_id: object) -> None:
    """Check what is searched for before the message itself is checked. Raises InvalidMessage."""
    problems = validate_request(extra_id=extra_id)
    for field, value in (("code", code), ("language", language)):
        problem = None if value is None else check_text(value)
        problems += [replace(problem, field=field)] if problem else []
    errors = [problem for problem in problems if problem.is_error]
    if errors:
        raise InvalidMessage(errors)


def _find_sent(code: str, extra_id: str | None) -> Message | None:
    """Return the message that this template was sent as with the extra id."""
    found = Message.objects.filter(extra_id=extra_id).first() if extra_id else None
    if found is None or not found.template_version:
        return None
    return found if found.template_version.rsplit(" ", 2)[0] == code else None


def _repeat(
    sent: Message, phone_number: GivenPhone, given: Mapping[str, Any], language: str | None, options: SendOptions
) -> Message:
    """Return the message of the first call, unless this one asks for another. The text is that of the first one."""
    if sent.phone_number is None:
        # Purged: what was sent cannot be read any more.
        require_equal(sent, Message(account=options.get("account", DEFAULT_ACCOUNT)))
        return sent
    content = sent.content or {}
    channels = channels_from_wire(content.get("channels", ()), content.get("channel_options", {}))
    message = _new_message(phone_number, channels, language, options)
    message.template_version = sent.template_version
    message.variables = dict.fromkeys(sent.variables, "") | _texts(sent.variables, given)
    require_equal(sent, message)
    return sent


def _new_message(
    phone_number: GivenPhone, channels: Sequence[Channel], language: str | None, options: SendOptions
) -> Message:
    message = new_message(phone_number, channels, **options)
    if language:
        message.content = {**(message.content or {}), LANGUAGE: language_key(language)}
    return message


def _compare_with_approved(message: Message, text: TemplateText) -> None:
    if text.variant.departs_from_approved(text.channels):
        logger.warning(
            "Message %s: the Viber text of %s departs from the approved one",
            message.extra_id,
            message.template_version,
            extra={"event": LogEvent.TEMPLATE_DIFFERS, "extra_id": message.extra_id},
        )


def _values(channels: Sequence[Channel], given: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of the variables in use, as texts. Raises InvalidMessage if one is missing or empty."""
    used = sorted(find_variables(channels))
    values = _texts(used, given)
    missing = list(_missing(used, values))
    if missing:
        raise InvalidMessage(missing)
    return values


def _texts(names: Iterable[str], given: Mapping[str, Any]) -> dict[str, str]:
    return {name: clean_text(value_text(given[name])) for name in names if given.get(name) is not None}


def _missing(used: Sequence[str], values: Mapping[str, str]) -> Iterator[Problem]:
    template = gettext_noop("The text needs a value for “%(name)s”.")
    for name in used:
        if not values.get(name, "").strip():
            yield error("missing-variable", template, name=name)
