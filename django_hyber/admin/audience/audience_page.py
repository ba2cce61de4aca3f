"""The page on which an audience of the project is chosen for a campaign."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.admin.common.desk import CampaignDesk
from django_hyber.admin.common.paginators import grouped
from django_hyber.audience.objects import request_audience
from django_hyber.campaigns.lifecycle import locked
from django_hyber.conf import Account, find_account
from django_hyber.conf.audiences import count_people, find_audience
from django_hyber.jobs.background import are_many
from django_hyber.policies.four_eyes import record_author
from django_hyber.services import CampaignError, ImportReport, add_audience


class AudienceLine(NamedTuple):
    """An audience on the page. ``people`` is empty and ``problem`` set if it cannot be used."""

    name: str
    label: str
    people: str = ""
    problem: str = ""
    is_large: bool = False


def has_audiences(desk: CampaignDesk) -> bool:
    """Return whether the campaign's account has audiences."""
    account = find_account(desk.campaign.account)
    return bool(account and account.audiences)


def audience_view(desk: CampaignDesk) -> HttpResponseBase:
    """Show the audiences with their numbers of people; on POST, add one of them."""
    lines = list(_lines(desk))
    if desk.is_post:
        chosen = desk.request.POST.get("audience", "")
        for line in lines:
            if line.name == chosen and not line.problem:
                return _add_later(desk, line) if line.is_large else _add(desk, line)
        desk.message_user(_("Choose an audience."), messages.ERROR)
    return desk.render("campaign/audience", _("Add an audience"), lines=lines)


def _lines(desk: CampaignDesk) -> Iterator[AudienceLine]:
    account = find_account(desk.campaign.account)
    if account is None:
        return
    for name in account.audiences:
        try:
            yield _line(account, name)
        except ImproperlyConfigured as error:
            yield AudienceLine(name=name, label=name, problem=str(error))


def _line(account: Account, name: str) -> AudienceLine:
    audience = find_audience(account, name)
    count = count_people(audience)
    people = ngettext("%(count)s object", "%(count)s objects", count) % {"count": grouped(count)}
    return AudienceLine(name=name, label=str(audience.label or name), people=people, is_large=are_many(count))


def _add_later(desk: CampaignDesk, line: AudienceLine) -> HttpResponseBase:
    with locked(desk.campaign):
        record_author(desk.campaign, desk.request.user)
        job = request_audience(desk.campaign, line.name, desk.request.user)
    desk.log_change(_("Import confirmed: %(file)s.") % {"file": line.label})
    return desk.redirect("import_job", job.pk)


def _add(desk: CampaignDesk, line: AudienceLine) -> HttpResponseBase:
    with locked(desk.campaign):
        record_author(desk.campaign, desk.request.user)
    try:
        report = add_audience(desk.campaign, line.name)
    except CampaignError as error:
        # If it was deleted, there is no page to lead to.
        desk.campaign.refresh_from_db()
        desk.message_user(" ".join(error.messages), messages.ERROR)
        return desk.redirect()
    for text, level in added_texts(report):
        desk.message_user(text, level)
    if report.accepted:
        desk.log_change(_("Audience added: %(name)s.") % {"name": line.name})
    return desk.redirect()


def added_texts(report: ImportReport) -> Iterator[tuple[str, int]]:
    """Yield how many recipients were added, and how many were not, each with the level of its message."""
    text = ngettext("%(count)s recipient was added.", "%(count)s recipients were added.", report.accepted)
    yield text % {"count": grouped(report.accepted)}, messages.SUCCESS
    left_out = report.total - report.accepted - report.existing
    if left_out:
        text = ngettext(
            "%(count)s object was skipped: its number is invalid or repeated.",
            "%(count)s objects were skipped: their numbers are invalid or repeated.",
            left_out,
        )
        yield text % {"count": grouped(left_out)}, messages.WARNING
