"""What support needs on the page of a message: what the person got, what happens next, and what else they got."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from django_hyber.admin.campaigns.wait_texts import with_reason
from django_hyber.admin.common.personal_data import sees_personal_data
from django_hyber.admin.common.times import short_time
from django_hyber.conf import find_account
from django_hyber.models import Campaign, Message, Reply
from django_hyber.policies.allowed_numbers import reason_to_skip
from django_hyber.statistics.journey import Journey, Stage
from django_hyber.texts.composition import sent_previews
from django_hyber.texts.preview import Preview
from django_hyber.words import name_of_channel

Status = Message.Status
#: How many other messages, and how many replies, of a person are linked.
SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class PersonLine:
    """A link to another message, or to a reply, of the same number."""

    time: str
    label: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Support:
    """``previews`` are the texts of each channel; ``messages`` and ``replies`` are the newest others."""

    is_purged: bool
    previews: Sequence[Preview]
    next_step: str
    messages: Sequence[PersonLine] = field(default_factory=list)
    replies: Sequence[PersonLine] = field(default_factory=list)


def support_of(request: HttpRequest, message: Message, journey: Journey, obstacle: str) -> Support:
    """Collect what this user may see. ``message`` is masked for users who may not see personal data.

    ``obstacle`` is why the recipient would not get it now, as ``obstacle_of`` tells by the number itself.
    """
    is_known = message.phone_number is not None and sees_personal_data(request)
    return Support(
        is_purged=message.phone_number is None,
        previews=sent_previews(message),
        next_step=next_step(message, journey, obstacle),
        messages=_other_messages(message) if is_known else [],
        replies=_replies(message) if is_known and request.user.has_perm("django_hyber.view_reply") else [],
    )


def obstacle_of(message: Message) -> str:
    """Return why a queued message will be skipped when its turn comes, or ""."""
    account = find_account(message.account)
    if message.status != Status.QUEUED or message.phone_number is None or account is None:
        return ""
    return reason_to_skip(account, message)


def next_step(message: Message, journey: Journey, obstacle: str) -> str:
    """Say what happens to the message next, and what does not happen by itself."""
    campaign = message.campaign
    if obstacle:
        return with_reason(_("It will not be sent."), obstacle)
    if message.status == Status.QUEUED:
        if campaign and campaign.status != Campaign.Status.SENDING:
            text = _("It waits for its campaign. Status of the campaign: %(status)s.")
            return text % {"status": campaign.get_status_display()}
        if message.due_at:
            return _("The next attempt to send it comes later (%(time)s).") % {"time": short_time(message.due_at)}
        return _("It is sent next.")
    if message.status == Status.ACCEPTED:
        return _with_platform(message, journey)
    texts = {
        Status.SENDING: _("It is being handed over to the platform."),
        Status.UNCONFIRMED: _(
            "It is unknown whether the platform accepted it. The platform is being queried. Nothing is sent again "
            "without proof."
        ),
        Status.DELIVERED: _("Nothing more is sent. The platform may still report that it was seen.")
        if journey.may_be_seen
        else _("Nothing more will happen."),
        Status.SEEN: _("Nothing more will happen."),
        Status.CANCELLED: _("It was not sent and will not be sent."),
        Status.SUPPRESSED: _("It was not sent and will not be sent."),
    }
    return texts.get(Status(message.status), _("It is not sent again automatically."))


def _with_platform(message: Message, journey: Journey) -> str:
    if message.given_up_at:
        return _("The platform has not reported the result and is no longer queried.")
    trying = [name_of_channel(step.channel) for step in journey.steps if step.stage == Stage.TRYING]
    waiting = [name_of_channel(step.channel) for step in journey.steps if step.stage == Stage.NEXT]
    if trying and waiting:
        text = _("The platform is trying %(channel)s. If it is not delivered in time, %(next)s is next.")
        return text % {"channel": trying[-1], "next": waiting[0]}
    if trying:
        return _("The platform is trying %(channel)s, the last channel.") % {"channel": trying[-1]}
    return _("The platform has it and will report the result.")


def _other_messages(message: Message) -> list[PersonLine]:
    others = Message.objects.filter(phone_number=message.phone_number).exclude(pk=message.pk)
    newest = others.select_related("campaign").order_by("-created_at", "-pk")[:SHOWN]
    return [
        PersonLine(
            time=short_time(other.created_at),
            label=": ".join([str(other.campaign or _("single message")), other.get_status_display()]),
            url=reverse("admin:django_hyber_message_change", args=[other.pk]),
        )
        for other in newest
    ]


def _replies(message: Message) -> list[PersonLine]:
    newest = Reply.objects.filter(phone_number=message.phone_number).order_by("-received_at", "-pk")[:SHOWN]
    return [
        PersonLine(
            time=short_time(reply.received_at),
            label=f"{name_of_channel(reply.channel)}: {reply.text[:80]}".strip(": "),
            url=reverse("admin:django_hyber_reply_change", args=[reply.pk]),
        )
        for reply in newest
    ]
