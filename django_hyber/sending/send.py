from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypedDict, Unpack

from asgiref.sync import sync_to_async
from django.db.models import Model

from django_hyber.conf import DEFAULT_ACCOUNT, Account, get_account
from django_hyber.db.clock import database_time
from django_hyber.log_events import LogEvent
from django_hyber.models import Message
from django_hyber.models.base import plain_value
from django_hyber.models.message import new_extra_id
from django_hyber.policies.allowed_numbers import policy_of
from django_hyber.protocol import (
    Channel,
    InvalidMessage,
    InvalidPhone,
    Problem,
    parse_phone,
    single_body,
    validate_channels,
    validate_request,
)
from django_hyber.protocol.phones.spellings import GivenPhone
from django_hyber.queueing import enqueue_row_after_commit
from django_hyber.sending.once import store_once

logger = logging.getLogger("django_hyber")


class SendOptions(TypedDict, total=False):
    """The options of ``send_message``."""

    extra_id: str | None
    tag: str
    division_code: str
    start_time: datetime | str | None
    callback_url: str | None
    account: str
    reference: Model | None


def send_message(
    phone_number: GivenPhone,
    channels: Sequence[Channel],
    *,
    extra_id: str | None = None,
    tag: str = "",
    division_code: str = "",
    start_time: datetime | str | None = None,
    callback_url: str | None = None,
    account: str = DEFAULT_ACCOUNT,
    reference: Model | None = None,
) -> Message:
    """Store a message and send it as soon as the surrounding transaction is committed.

    The channels are tried in the given order until one delivers. ``callback_url=None`` means the URL of this project,
    if CALLBACK_BASE_URL is set; a string is sent as it is, and "" omits the field. The returned message is ``queued``:
    call ``refresh_from_db()`` to read its current status.

    A number without ``+`` or ``00`` must be one of the account's DEFAULT_REGION. Stored numbers have no plus: pass
    ``f"+{message.phone_number}"``. Objects of ``phonenumbers`` and django-phonenumber-field are taken as they are.

    A repeated call with the same ``extra_id`` returns the message of the first one and sends nothing.
    ``reference`` is the object that the message is about; ``message.reference`` returns it.

    Raises InvalidPhone or InvalidMessage for a message that the platform would reject or a number that the account does
    not send to (ALLOWED_COUNTRIES, ALLOWED_NUMBER_TYPES), ExtraIdError if the ``extra_id`` belongs to a different
    message (all three are ValueError), ImproperlyConfigured for an unknown account.
    """
    message = new_message(
        phone_number,
        channels,
        extra_id=extra_id,
        tag=tag,
        division_code=division_code,
        start_time=start_time,
        callback_url=callback_url,
        account=account,
        reference=reference,
    )
    return submit_once(message, is_repeatable=bool(extra_id))


async def asend_message(
    phone_number: GivenPhone, channels: Sequence[Channel], **options: Unpack[SendOptions]
) -> Message:
    """Do the same as ``send_message``, from asynchronous code."""
    return await sync_to_async(send_message)(phone_number, channels, **options)


def new_message(
    phone_number: GivenPhone,
    channels: Sequence[Channel],
    *,
    extra_id: str | None = None,
    tag: str = "",
    division_code: str = "",
    start_time: datetime | str | None = None,
    callback_url: str | None = None,
    account: str = DEFAULT_ACCOUNT,
    reference: Model | None = None,
) -> Message:
    """Check the arguments of ``send_message`` and return the message, which is not stored yet."""
    settings = get_account(account)
    phone = _read_phone(phone_number, settings)
    options: dict[str, Any] = plain_value({"tag": tag, "division_code": division_code, "start_time": start_time})
    if callback_url is not None:
        options["callback_url"] = callback_url
    own_id = new_extra_id() if extra_id is None or extra_id == "" else plain_value(extra_id)
    channels = [plain_channel(channel) for channel in channels]
    _validate(phone, channels, own_id, options)
    message = Message(
        account=account,
        phone_number=phone,
        extra_id=own_id,
        content=_content(phone, channels, options),
    )
    message.reference = reference
    return message


def plain_channel(channel: Channel) -> Channel:
    """Return the channel with texts in place of lazily translated ones."""
    lazy = {name: plain for name, value in vars(channel).items() if (plain := plain_value(value)) is not value}
    return replace(channel, **lazy) if lazy else channel


def submit_once(message: Message, *, is_repeatable: bool) -> Message:
    """Store the message and enqueue it, unless it is repeatable and exists already."""
    is_new = True
    # Its TTL counts from then, by the same clock as its end.
    message.created_at = message.enqueued_at = database_time()
    if is_repeatable:
        message, is_new = store_once(message)
    else:
        message.save(force_insert=True)
    if is_new:
        enqueue_row_after_commit("submit_message", Message.objects.all(), message.pk)
    return message


def _read_phone(phone_number: GivenPhone, account: Account) -> str:
    number = parse_phone(phone_number, account.default_region)
    refusal = policy_of(account).refusal(number)
    if refusal:
        raise InvalidPhone(refusal)
    return number.digits


def _validate(phone: str, channels: Sequence[Channel], extra_id: str, options: dict[str, Any]) -> None:
    problems = validate_request(phone_number=phone, extra_id=extra_id, **options)
    problems += validate_channels(channels)
    errors = [problem for problem in problems if problem.is_error]
    if errors:
        raise InvalidMessage(errors)
    for warning in problems:
        _log_warning(extra_id, warning)


def _log_warning(extra_id: str, problem: Problem) -> None:
    logger.warning(
        "Message %s: %s.%s: %s",
        extra_id,
        problem.channel or "request",
        problem.field,
        problem.code,
        extra={"event": LogEvent.MESSAGE_WARNING, "extra_id": extra_id, "code": problem.code},
    )


def _content(phone: str, channels: Sequence[Channel], options: dict[str, Any]) -> dict[str, Any]:
    body = single_body(phone_number=phone, channels=channels, **options)
    del body["phone_number"]
    if "callback_url" in options:
        body["callback_url"] = options["callback_url"]
    return body
