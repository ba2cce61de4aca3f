"""The app's index page: today's numbers and what needs attention, each with a link to its list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlencode

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.admin.campaigns.wait_texts import distance, with_reason
from django_hyber.admin.common import charts
from django_hyber.admin.common.charts import Piece, Share
from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.common.times import short_time
from django_hyber.admin.statistics.table import channel_label
from django_hyber.codes import count_unknown_codes
from django_hyber.models import AccountState, Batch, Campaign, CampaignChannel, Message
from django_hyber.statistics import dashboard
from django_hyber.statistics.dashboard import (
    MOST_COUNTED,
    SHOWN,
    STILL_TO_COME,
    TOO_LONG,
    UNREPORTED_AFTER,
    AccountHealth,
    Stale,
    Today,
    Waiting,
    midnight,
)
from django_hyber.statistics.progress import count_by_status

Status = Message.Status
UNCONFIRMED = {"status__exact": Status.UNCONFIRMED.value}


class Figure(NamedTuple):
    """A number with its label and the URL of its list; ``name`` is for tests and style sheets."""

    name: str
    label: str
    text: str
    url: str


class CampaignLine(NamedTuple):
    """One of the last campaigns."""

    campaign: Campaign
    url: str
    bar: list[Piece]
    total: int
    delivered: str
    sent: str


class AccountLine(NamedTuple):
    """The state of an account, in words."""

    name: str
    problems: list[str]
    last_report: str


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """What the index page shows; fields that the user may not see are empty."""

    today: list[Figure] = field(default_factory=list)
    today_bar: list[Piece] = field(default_factory=list)
    channels: list[Share] = field(default_factory=list)
    donut: list[Piece] = field(default_factory=list)
    campaigns: list[CampaignLine] = field(default_factory=list)
    accounts: list[AccountLine] = field(default_factory=list)
    account_error: str = ""
    waiting: list[Figure] = field(default_factory=list)
    attention: list[Figure] = field(default_factory=list)
    people: list[Figure] = field(default_factory=list)


def dashboard_of(request: HttpRequest) -> Dashboard:
    """Collect what this user may see."""
    now = timezone.now()
    sees_messages, sees_campaigns = may_see(request, "message"), may_see(request, "campaign")
    today = dashboard.today(now) if sees_messages else None
    channels = _channels(today) if today else []
    accounts, error = _accounts(now) if sees_messages or sees_campaigns else ([], "")
    return Dashboard(
        today=list(_today(request, today)) if today else [],
        today_bar=charts.stacked_bar(_ends(today)) if today else [],
        channels=channels,
        donut=charts.donut(channels),
        campaigns=_campaigns() if sees_campaigns else [],
        accounts=accounts,
        account_error=error,
        waiting=list(_waiting(request, dashboard.waiting())) if sees_messages else [],
        attention=[
            *_approvals(request),
            *(_stale(request, dashboard.stale(now), now) if sees_messages else ()),
            *(_without_template(request, today) if today else ()),
            *_unknown_codes(request),
            *(_campaigns_in_trouble(request, now) if sees_campaigns else ()),
        ],
        people=list(_people(request, now)),
    )


def may_see(request: HttpRequest, model: str) -> bool:
    """Return whether the user may see the lists and pages of this model."""
    return request.user.has_perm(f"django_hyber.view_{model}")


def list_url(request: HttpRequest, model: str, **conditions: object) -> str:
    """Return the address of a list, filtered by these conditions, or "" if the user may not see it."""
    if not may_see(request, model):
        return ""
    address = reverse(f"admin:django_hyber_{model}_changelist")
    return f"{address}?{urlencode(conditions)}" if conditions else address


def number(count: int) -> str:
    """Return a number that was counted up to MOST_COUNTED."""
    return _("more than %(count)s") % {"count": grouped(MOST_COUNTED)} if count > MOST_COUNTED else grouped(count)


def _today(request: HttpRequest, today: Today) -> Iterator[Figure]:
    url = list_url(request, "message", ended="today", status__in=f"{Status.DELIVERED},{Status.SEEN}")
    yield Figure("delivered", _("delivered"), grouped(today.delivered), url if today.delivered else "")
    for status in (Status.SEEN, Status.EXPIRED, Status.UNDELIVERED, Status.REJECTED):
        count = today.statuses.get(status, 0)
        url = list_url(request, "message", ended="today", status__exact=status.value)
        yield Figure(status.value, str(status.label), grouped(count), url if count else "")


def _without_template(request: HttpRequest, today: Today) -> Iterator[Figure]:
    if today.unmatched:
        label = ngettext(
            "message today whose Viber text matches no approved template",
            "messages today whose Viber text matches no approved template",
            today.unmatched,
        )
        url = list_url(request, "message", ended="today", template="none")
        yield Figure("unmatched-template", label, grouped(today.unmatched), url)


def _unknown_codes(request: HttpRequest) -> Iterator[Figure]:
    count = count_unknown_codes() if may_see(request, "deliveryreport") else 0
    if count:
        label = ngettext(
            "status code in the newest reports whose meaning is unknown",
            "status codes in the newest reports whose meaning is unknown",
            count,
        )
        yield Figure("unknown-codes", label, grouped(count), reverse("admin:django_hyber_deliveryreport_codes"))


def _ends(today: Today) -> list[Share]:
    return charts.shares(charts.by_status(today.statuses), sum(today.statuses.values()))


def _channels(today: Today) -> list[Share]:
    names = (*CampaignChannel.Name.values, "")
    items = [(name, channel_label(name), today.channels.get(name, 0)) for name in names]
    return charts.shares(items, today.delivered)


def _campaigns() -> list[CampaignLine]:
    campaigns = dashboard.last_campaigns()
    counts = count_by_status(campaign.pk for campaign in campaigns)
    lines = []
    for campaign in campaigns:
        counted = counts[campaign.pk]
        items = charts.by_status(counted.statuses)
        lines.append(
            CampaignLine(
                campaign=campaign,
                url=_campaign_url(campaign),
                bar=charts.stacked_bar(charts.shares(items, counted.total)),
                total=counted.total,
                delivered=charts.percent(counted.delivered, counted.total),
                sent=charts.percent(counted.sent, counted.total),
            )
        )
    return lines


def _campaign_url(campaign: Campaign) -> str:
    return reverse("admin:django_hyber_campaign_change", args=[campaign.pk])


def _accounts(now: datetime) -> tuple[list[AccountLine], str]:
    try:
        found = dashboard.account_health()
    except ImproperlyConfigured as error:
        return [], str(error)
    return [
        AccountLine(health.name, list(_problems(health, now)), short_time(health.last_report)) for health in found
    ], ""


def _problems(health: AccountHealth, now: datetime) -> Iterator[str]:
    if not health.can_log_in:
        yield _("CLIENT_ID, LOGIN or PASSWORD is not set: nothing can be sent.")
    if not health.can_be_called:
        yield _("The platform cannot report back: CALLBACK_BASE_URL or CALLBACK_TOKENS is not set.")
    for state in health.troubles:
        yield with_reason(_trouble(state, now), state.reason)


def _trouble(state: AccountState, now: datetime) -> str:
    next_try = distance(max(state.blocked_until or now, now), now)
    if state.held_since:
        return _("The platform refuses the login: nothing is sent. Next try in %(distance)s.") % {"distance": next_try}
    host = {"host": state.get_host_display()}
    if state.blocked_until and state.blocked_until > now:
        text = _("The platform does not accept requests (%(host)s). Next try in %(distance)s.")
        return text % {**host, "distance": next_try}
    return _("Failed requests in a row (%(host)s): %(count)s.") % {**host, "count": grouped(state.failures)}


def _waiting(request: HttpRequest, waiting: Waiting) -> Iterator[Figure]:
    singles, messages = waiting.singles, waiting.with_platform
    queued = list_url(request, "message", campaign="none", status__exact=Status.QUEUED.value)
    accepted = list_url(request, "message", status__exact=Status.ACCEPTED.value)
    for status in [status for status in STILL_TO_COME if status in waiting.recipients] or STILL_TO_COME[:1]:
        people = waiting.recipients.get(status, 0)
        url = list_url(request, "campaign", status__exact=status.value)
        yield Figure(f"waiting-{status}", _in_campaigns(status, people), grouped(people), url)
    yield Figure("queued", ngettext("single message", "single messages", singles), number(singles), queued)
    text = ngettext("message with the platform", "messages with the platform", messages)
    yield Figure("accepted", text, number(messages), accepted)


def _in_campaigns(status: Campaign.Status, people: int) -> str:
    texts = {
        Campaign.Status.SENDING: ngettext("recipient in running campaigns", "recipients in running campaigns", people),
        Campaign.Status.SCHEDULED: ngettext(
            "recipient in scheduled campaigns", "recipients in scheduled campaigns", people
        ),
        Campaign.Status.PAUSED: ngettext("recipient in paused campaigns", "recipients in paused campaigns", people),
    }
    return texts[status]


def _stale(request: HttpRequest, stale: Stale, now: datetime) -> Iterator[Figure]:
    queued = {"status__exact": Status.QUEUED.value, "created_at__lt": (now - TOO_LONG).isoformat()}
    silent = {"status__exact": Status.ACCEPTED.value, "accepted_at__lt": (now - UNREPORTED_AFTER).isoformat()}
    late = {"not_found_after__lte": stale.decide_before.isoformat()}
    batches = {"state__exact": Batch.State.UNCONFIRMED.value, **late}
    figures: tuple[tuple[str, int, str, dict[str, str]], ...] = (
        ("batches-to-decide", stale.batches_to_decide, "batch", batches),
        ("messages-to-decide", stale.messages_to_decide, "message", {**UNCONFIRMED, **late}),
        ("old", stale.old_singles, "message", {"campaign": "none", **queued}),
        ("unconfirmed", stale.unconfirmed, "message", UNCONFIRMED),
        ("unreported", stale.unreported, "message", {"campaign": "none", **silent}),
        ("unmatched", stale.unmatched, "deliveryreport", {"waiting": "yes"}),
        ("unreadable", stale.unreadable, "unreadablecallback", {}),
    )
    for name, count, model, conditions in figures:
        if count:
            yield Figure(name, _stale_text(name, count), number(count), list_url(request, model, **conditions))


def _stale_text(name: str, count: int) -> str:
    """Return the label for a number of stale rows."""
    texts = {
        "batches-to-decide": ngettext(
            "batch whose outcome a person has to decide",
            "batches whose outcome a person has to decide",
            count,
        ),
        "messages-to-decide": ngettext(
            "message whose outcome a person has to decide",
            "messages whose outcome a person has to decide",
            count,
        ),
        "old": ngettext(
            "single message queued for over ten minutes", "single messages queued for over ten minutes", count
        ),
        "unconfirmed": ngettext("message with unknown outcome", "messages with unknown outcome", count),
        "unreported": ngettext(
            "single message without a report for over a day", "single messages without a report for over a day", count
        ),
        "unmatched": ngettext("report waiting for its message", "reports waiting for their message", count),
        "unreadable": ngettext("unreadable report to inspect", "unreadable reports to inspect", count),
    }
    return texts[name]


def _campaigns_in_trouble(request: HttpRequest, now: datetime) -> Iterator[Figure]:
    idle = list(dashboard.all_idle(now))
    for campaign in idle[:SHOWN]:
        label = _("is due, but is not being sent. Is hyber_dispatch running?")
        yield Figure("idle", label, str(campaign), _campaign_url(campaign))
    label = ngettext("campaign is due, but is not being sent", "campaigns are due, but are not being sent", len(idle))
    yield from _whole(request, "idle", label, len(idle))
    unreported = dashboard.unreported_messages(now)
    for campaign, count in unreported[:SHOWN]:
        label = ngettext(
            "message of “%(name)s” without a report for over a day",
            "messages of “%(name)s” without a report for over a day",
            count,
        )
        url = list_url(request, "message", campaign=campaign.pk, status__exact=Status.ACCEPTED.value)
        yield Figure("unreported-campaign", label % {"name": campaign}, grouped(count), url)
    label = ngettext(
        "campaign has messages without a report for over a day",
        "campaigns have messages without a report for over a day",
        len(unreported),
    )
    yield from _whole(request, "unreported", label, len(unreported))


def _approvals(request: HttpRequest) -> Iterator[Figure]:
    if may_see(request, "campaign") and request.user.has_perm("django_hyber.send_campaign"):
        campaigns = list(dashboard.all_awaiting_approval(request.user))
        for campaign in campaigns[:SHOWN]:
            url = reverse("admin:django_hyber_campaign_preflight", args=[campaign.pk])
            yield Figure("approval", _("waits for your approval"), str(campaign), url)
        label = ngettext("campaign waits for your approval", "campaigns wait for your approval", len(campaigns))
        yield from _whole(request, "approval", label, len(campaigns))


def _whole(request: HttpRequest, name: str, label: str, count: int) -> Iterator[Figure]:
    """If only the first campaigns of a kind are shown, link to the list of all."""
    if count > SHOWN:
        yield Figure(f"{name}-all", label, grouped(count), list_url(request, "campaign", attention=name))


def _people(request: HttpRequest, now: datetime) -> Iterator[Figure]:
    if may_see(request, "reply"):
        count = dashboard.unread_replies()
        label = ngettext("unread reply", "unread replies", count)
        yield Figure("unread", label, number(count), list_url(request, "reply", read="no"))
    if may_see(request, "suppression"):
        since = midnight(now)
        count = dashboard.opted_out_since(since)
        label = ngettext("number opted out today", "numbers opted out today", count)
        url = list_url(request, "suppression", created_at__gte=since.isoformat())
        yield Figure("opted-out", label, number(count), url)
