"""The formats of delivery reports (guide, chapters 3 to 5)."""

from typing import Any, Final

from django_hyber.sandbox.number_outcomes import STATUS_DELIVERED, Fact
from django_hyber.sandbox.store import MessageGroup, StoredMessage

TEMPLATE_ID: Final = 1000001
NO_FINAL_STATUS: Final = -1
# The last partner in the guide's samples while no channel has a final status.
NO_CHANNEL: Final = "hyber"


def callback_report(message: StoredMessage, fact: Fact) -> dict[str, Any]:
    """Return the delivery report of a callback (chapter 4).

    As in the guide's samples, the phone number is a JSON number only in the report of a single SMS.
    """
    alone = message.group.order.kind == "single" and fact.channel.name == "sms"
    return {
        "number": int(message.phone) if alone else message.phone,
        "time": message.group.times[fact],
        **_codes(fact),
        **_ids(message),
        "sent_via": fact.channel.name,
        **_details(message, fact),
        **_clicks(message.group, fact),
    }


def simple_report(message: StoredMessage) -> dict[str, Any]:
    """Return the answer to a GET of /simple (chapter 5)."""
    group, fact = message.group, message.group.result
    if fact is None:
        return _unfinished(message, NO_CHANNEL)
    return {**_channel_report(message, fact), **_clicks(group, fact)}


def advanced_report(message: StoredMessage, now: float) -> dict[str, Any]:
    """Return the answer to a GET of /advanced (chapter 5)."""
    group, result = message.group, message.group.result
    started = group.begins_at <= now or bool(group.times)
    return {
        "reports": _tried_channels(message) if started else [],
        "started": started,
        "processing": started and result is None,
        "delivered_via": result.channel.name if result else NO_CHANNEL,
        **_clicks(group, result),
        "channels": [{"channel": channel.name, "ttl": channel.ttl} for channel in group.order.channels],
    }


def status_entry(message: StoredMessage) -> dict[str, Any]:
    """Return an entry of a campaign status (chapter 3). While unfinished, it is the same as in a sync answer."""
    group, fact = message.group, message.group.result
    if fact is None:
        return accepted_entry(message)
    return {
        "time": group.times[fact],
        "phone_number": message.phone,
        **_ids(message),
        "processed": False,
        "accepted": True,
        **_parts(message, fact),
        **_outcome(fact),
        **_clicks(group, fact),
    }


def accepted_entry(message: StoredMessage) -> dict[str, Any]:
    """Return an entry of the answer to a /sync request (chapter 3)."""
    return {"processed": True, "phone_number": message.phone, **_ids(message), "accepted": True}


def _tried_channels(message: StoredMessage) -> list[dict[str, Any]]:
    group = message.group
    # Facts are in the order of their times, so the latest one of each channel is kept.
    ended = {fact.channel: fact for fact in group.times if fact.status >= STATUS_DELIVERED}
    reports = [_channel_report(message, fact) for fact in ended.values()]
    if group.result is None:
        current = next(channel for channel in group.order.channels if channel not in ended)
        reports.append(_unfinished(message, current.name))
    return reports


def _channel_report(message: StoredMessage, fact: Fact) -> dict[str, Any]:
    return {
        "phone_number": message.phone,
        "last_partner": fact.channel.name,
        **_ids(message),
        "time": message.group.times[fact],
        **_codes(fact),
        **_details(message, fact),
    }


def _unfinished(message: StoredMessage, partner: str) -> dict[str, Any]:
    return {
        "phone_number": message.phone,
        "last_partner": partner,
        **_ids(message),
        "time": int(message.group.begins_at * 1000),
        "status": NO_FINAL_STATUS,
    }


def _ids(message: StoredMessage) -> dict[str, Any]:
    if message.extra_id is None:
        return {"message_id": message.message_id}
    return {"message_id": message.message_id, "extra_id": message.extra_id}


def _codes(fact: Fact) -> dict[str, Any]:
    return {"status": fact.status, "substatus": fact.substatus, "hyber_status": fact.hyber_status}


def _outcome(fact: Fact) -> dict[str, Any]:
    if fact.status == STATUS_DELIVERED:
        return {"status_text": fact.text, **_codes(fact)}
    return {"error_text": fact.text, "error_code": fact.hyber_status}


def _details(message: StoredMessage, fact: Fact) -> dict[str, Any]:
    if fact.channel.template and fact.status == STATUS_DELIVERED:
        return {"matching_template_id": 0 if message.group.outcome.name == "unmatched-template" else TEMPLATE_ID}
    return _parts(message, fact)


def _parts(message: StoredMessage, fact: Fact) -> dict[str, Any]:
    if fact.channel.name != "sms":
        return {}
    # An SMS can lose a part only if it has at least two.
    total = max(message.sms_parts, 2) if fact.cut else message.sms_parts
    if fact.status != STATUS_DELIVERED:
        return {"total_sms_parts": total}
    return {"total_sms_parts": total, "delivered_sms_parts": total - fact.cut}


def _clicks(group: MessageGroup, fact: Fact | None) -> dict[str, Any]:
    if not any(channel.ctr for channel in ([fact.channel] if fact else group.order.channels)):
        return {}
    delivered = fact is not None and fact.status == STATUS_DELIVERED
    return {"clicks": 2 if delivered and group.outcome.name == "clicked" else 0}
