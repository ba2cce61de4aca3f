"""One real message to a phone of one's own, which proves the way there and the way of its report back."""

from __future__ import annotations

import math
import time

from django_hyber.conf import DEFAULT_ACCOUNT, Account, get_account
from django_hyber.conf.addresses import get_callback_url
from django_hyber.models import Campaign, DeliveryReport, Message
from django_hyber.probe import Finding
from django_hyber.protocol import SMS, HyberError, ReportNotFound, ReportState, parse_reports
from django_hyber.sending.exchange import get_client
from django_hyber.sending.send import send_message

Status = Message.Status
SUBJECT = "Round trip"
TEXT = "Test of the delivery reports"
TAG = "TEST hyber_check"
POLL = 0.5
#: Reports are queried after the TTL only. Until then, those that arrive came by callback.
LEAST_TTL, AFTER_TIMEOUT = 300, 60
NOT_SENT = (Status.QUEUED, Status.SENDING)
ENDED_BEFORE = (Status.REJECTED, Status.SUPPRESSED, Status.CANCELLED, Status.UNDELIVERED, Status.EXPIRED)


def find_sender(account: str) -> str:
    """Return the alpha name of the SMS in the newest campaign of the account, or ""."""
    channels = (
        channel
        for campaign in Campaign.objects.filter(account=account, channels__channel="sms").order_by("-id")[:1]
        for channel in campaign.get_channels()
    )
    return next((channel.alpha_name or "" for channel in channels if isinstance(channel, SMS)), "")


def make_round_trip(phone_number: str, sender: str, name: str = DEFAULT_ACCOUNT, timeout: float = 120) -> Finding:
    """Send an SMS to the number and wait for a report by callback, at most ``timeout`` seconds.

    Raises InvalidPhone or InvalidMessage, as ``send_message`` does, before anything is sent.
    """
    account = get_account(name)
    if not get_callback_url(account):
        return _failed("nothing was sent: without CALLBACK_BASE_URL and CALLBACK_TOKENS no report can come back")
    sms = SMS(text=TEXT, alpha_name=sender, ttl=max(LEAST_TTL, math.ceil(timeout) + AFTER_TIMEOUT))
    start = time.monotonic()
    message = send_message(phone_number, [sms], tag=TAG, account=name)
    while True:
        message.refresh_from_db()
        seconds = time.monotonic() - start
        if DeliveryReport.objects.filter(message=message).exists():
            return _arrived(message, seconds)
        if message.status in ENDED_BEFORE:
            return _failed(f"the message is {message.status} and gets no report: {message.error_text}")
        if seconds >= timeout:
            return _failed(f"no report came by callback within {timeout:g} seconds. {_diagnose(account, message)}")
        time.sleep(POLL)


def _failed(text: str) -> Finding:
    return Finding(subject=SUBJECT, is_good=False, text=text)


def _arrived(message: Message, seconds: float) -> Finding:
    text = f"a report came by callback after {seconds:.0f} seconds: the message is {message.status}"
    return Finding(subject=SUBJECT, is_good=True, text=text)


def _diagnose(account: Account, message: Message) -> str:
    """Say what is wrong, and ask the platform if the message was accepted."""
    if message.status in NOT_SENT:
        reason = f" ({message.error_text})" if message.error_text else ""
        return f"The message was not even sent{reason}: check that the workers of TASKS and hyber_dispatch run"
    if message.status == Status.UNCONFIRMED:
        return f"It is unknown whether the message was accepted ({message.error_text}). hyber_dispatch finds it out"
    try:
        payload = get_client(account).fetch_report(extra_id=message.extra_id, advanced=True)
    except ReportNotFound:
        return "The platform has no report of it either: try again later"
    except HyberError as error:
        return f"Nor did the platform answer the query for it: {error.explanation}"
    states = {report.state for report in parse_reports(payload, seen_codes=account.seen_codes).reports}
    if states <= {ReportState.PENDING, ReportState.UNKNOWN}:
        return "The platform has not finished with it: is the phone on? Try again with a longer --timeout"
    return (
        f"The platform has a report and hands it out when queried, so only the way back fails: it cannot reach "
        f"{account.callback_base_url}, or is turned away there. The address must be reachable from the internet; check "
        "the log of the web server, its certificate, firewalls and CALLBACK_NETWORKS"
    )
