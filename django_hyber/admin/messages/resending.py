"""Retry the selected messages of the list, or all of them: once, after a confirmation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.admin.campaigns.retry_page import (
    CONFIRMED,
    already_text,
    retried_text,
    retry_button,
    skipped_texts,
)
from django_hyber.admin.common.desk import CampaignDesk, Desk
from django_hyber.admin.common.paginators import grouped
from django_hyber.campaigns.lifecycle import Verb, is_possible, wrong_status
from django_hyber.campaigns.retry import Retried, Selected, retry_selected_once, select_failed
from django_hyber.errors import was_deleted
from django_hyber.models import Campaign, MessageQuerySet
from django_hyber.services import CampaignError

ACTION = "retry_selected"
RUN = re.compile(r"([0-9]{1,18}):([0-9]{1,9})")
#: Messages of no more campaigns than this are retried at once: more is rarely intended.
MOST_CAMPAIGNS = 20


class RetryLine(NamedTuple):
    """A campaign on the confirmation page; ``run`` is posted with it, so that a second click changes nothing."""

    campaign: Campaign
    people: str
    skipped: Sequence[str]
    refusal: str
    run: str

    @property
    def is_ready(self) -> bool:
        """Its messages can be retried now."""
        return not self.refusal


def retry_selected(desk: Desk, chosen: MessageQuerySet) -> TemplateResponse | None:
    """Ask for confirmation, then retry those of the selected messages that have failed."""
    if CONFIRMED in desk.request.POST:
        for campaign, run in _runs(desk.request):
            _retry(desk.of(campaign), run, chosen)
        return None
    selected = select_failed(chosen, MOST_CAMPAIGNS + 1)
    if not selected:
        desk.message_user(_("None of these messages can be sent again."), messages.WARNING)
        return None
    if len(selected) > MOST_CAMPAIGNS:
        text = _("These are messages of more than %(most)s campaigns: narrow the list with a filter.")
        desk.message_user(text % {"most": grouped(MOST_CAMPAIGNS)}, messages.ERROR)
        return None
    return _confirmation(desk, selected)


def _confirmation(desk: Desk, selected: list[Selected]) -> TemplateResponse:
    lines = [_line(each) for each in selected]
    ready = [each for each, line in zip(selected, lines, strict=True) if line.is_ready]
    return desk.render(
        "message/retry_confirm",
        _("Retry failed messages"),
        action=ACTION,
        chosen=list(_chosen(desk.request)),
        lines=lines,
        button=retry_button(ready),
        back=desk.request.get_full_path(),
    )


def _line(selected: Selected) -> RetryLine:
    campaign = selected.campaign
    people = ngettext("%(count)s recipient", "%(count)s recipients", selected.failed)
    refusal = ""
    if not is_possible(campaign, Verb.RETRY):
        refusal = " ".join(wrong_status(campaign).messages)
    return RetryLine(
        campaign=campaign,
        people=people % {"count": grouped(selected.failed)},
        skipped=skipped_texts([selected]),
        refusal=refusal,
        run=f"{campaign.pk}:{campaign.run}",
    )


def _chosen(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """Return the fields that repeat the selection of the list."""
    for name in (ACTION_CHECKBOX_NAME, "select_across"):
        for value in request.POST.getlist(name):
            yield name, value


def _runs(request: HttpRequest) -> Iterator[tuple[Campaign, int]]:
    """Return the confirmed campaigns, each with the run that the user has seen."""
    found = filter(None, map(RUN.fullmatch, request.POST.getlist("run")))
    given = {int(pk): int(run) for pk, run in (match.groups() for match in found)}
    for campaign in Campaign.objects.filter(pk__in=list(given)[:MOST_CAMPAIGNS]).order_by("pk"):
        yield campaign, given[campaign.pk]


def _retry(desk: CampaignDesk, run: int, chosen: MessageQuerySet) -> None:
    campaign = desk.campaign
    own = chosen.filter(campaign=campaign)
    people = sum(selected.people for selected in select_failed(own, 1))
    try:
        retried = retry_selected_once(campaign, own, run=run, user=desk.request.user)
    except CampaignError as error:
        desk.message_user(f"{campaign}: {' '.join(error.messages)}", messages.ERROR)
        return
    except Campaign.DoesNotExist:
        desk.message_user(" ".join(was_deleted(campaign.name).messages), messages.ERROR)
        return
    if retried is Retried.ALREADY:
        desk.message_user(already_text(campaign), messages.INFO)
        return
    text = retried_text(people)
    desk.log_change(text)
    desk.message_user(f"{campaign}: {text}", messages.SUCCESS)
