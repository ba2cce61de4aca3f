"""The request that sends one message, rebuilt for the vendor's support, who ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django_hyber.conf import find_account
from django_hyber.models import Message
from django_hyber.protocol import Recipient
from django_hyber.sending import batch_messages, single
from django_hyber.texts.check import complete_variables


def request_of(message_pk: int) -> Mapping[str, Any] | None:
    """Return the request body for this message, without other recipients of its batch.

    It is rebuilt from the current data, so it contains a text that was changed after sending. Returns None if the
    account or the message no longer exists, the number was purged, or a value is missing.
    """
    message = Message.objects.select_related("campaign").filter(pk=message_pk).first()
    if message is None:
        return None
    campaign, phone_number, content = message.campaign, message.phone_number, message.content
    account = find_account(campaign.account if campaign else message.account)
    if account is None or not phone_number:
        return None
    if campaign is None:
        return single.build_body(account, phone_number, message.extra_id, content) if content else None
    needed = batch_messages.used_values(campaign)
    values = complete_variables(campaign, needed, message.variables)
    if values is None or not values.keys() >= set(needed) or not campaign.get_channels():
        return None
    return batch_messages.build_body(campaign, account, [Recipient(phone_number, message.extra_id, values)])
