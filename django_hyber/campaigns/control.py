"""The buttons of a campaign: a second press of the same one changes nothing, and can be told from the first."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from django_hyber.campaigns.lifecycle import (
    cancel_campaign,
    pause_campaign,
    resume_campaign,
    withdraw_campaign,
    wrong_status,
)
from django_hyber.db.transactions import database, write_transaction
from django_hyber.errors import CampaignError
from django_hyber.models import Campaign

Status = Campaign.Status


class Verb(StrEnum):
    """What a person can tell a campaign to do."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    WITHDRAW = "withdraw"


ALLOWED: dict[Verb, tuple[str, ...]] = {
    Verb.PAUSE: (Status.SCHEDULED, Status.SENDING),
    Verb.RESUME: (Status.PAUSED,),
    Verb.CANCEL: (Status.SCHEDULED, Status.SENDING, Status.PAUSED),
    Verb.WITHDRAW: (Status.SCHEDULED,),
}
_RESULTS: dict[Verb, tuple[str, ...]] = {
    Verb.PAUSE: (Status.PAUSED,),
    Verb.RESUME: (Status.SENDING, Status.SCHEDULED),
    Verb.CANCEL: (Status.CANCELLED,),
    Verb.WITHDRAW: (Status.DRAFT,),
}
_ACTIONS: dict[Verb, Callable[[Campaign], Campaign]] = {
    Verb.PAUSE: pause_campaign,
    Verb.RESUME: resume_campaign,
    Verb.CANCEL: cancel_campaign,
    Verb.WITHDRAW: withdraw_campaign,
}


def is_allowed(campaign: Campaign, verb: Verb) -> bool:
    """Say whether the campaign can be told this now."""
    return campaign.status in ALLOWED[verb]


def steer(campaign: Campaign, verb: Verb) -> bool:
    """Do it, and say whether this call did: False means that the campaign is already as it was wanted.

    Raises CampaignError when it is neither that nor in a state in which it can be told so.
    """
    using = database()
    with write_transaction(using):
        # Of two presses in the same second, the second waits here and finds what the first has done.
        campaign.refresh_from_db(using=using, from_queryset=Campaign.objects.using(using).select_for_update())
        if campaign.status in _RESULTS[verb]:
            return False
        if not is_allowed(campaign, verb):
            raise CampaignError([wrong_status(campaign)])
        _ACTIONS[verb](campaign)
    campaign.refresh_from_db(using=using)
    return True
