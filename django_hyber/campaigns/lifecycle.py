"""The verbs that each status of a campaign allows, the status that follows, and the lock for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_hyber.db.clock import NOW, database_time
from django_hyber.db.transactions import after_commit, existing, insisting, write_transaction
from django_hyber.errors import CampaignError
from django_hyber.models import Batch, Campaign
from django_hyber.reports.ranks import BEFORE_ACCEPTANCE
from django_hyber.sending import runs
from django_hyber.sending.cancelling import cancel_waiting
from django_hyber.sending.pace import schedule

Status = Campaign.Status


class Verb(StrEnum):
    """An action on a campaign."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    WITHDRAW = "withdraw"
    CANCEL = "cancel"
    RETRY = "retry"


#: The status that follows each verb. If there are two, the second is for a campaign whose start time is still far off.
#: A verb that is missing from a status is refused there. Without a verb, a campaign starts when it is due and is paused
#: when its start cannot be kept (sending/pace/schedule.py), is paused by a failure that a user has to fix
#: (sending/batch_claim.py), and finishes with its last message (sending/runs.py).
TRANSITIONS: Mapping[Status, Mapping[Verb, tuple[Status, ...]]] = {
    Status.DRAFT: {Verb.START: (Status.SENDING, Status.SCHEDULED), Verb.CANCEL: (Status.CANCELLED,)},
    Status.SCHEDULED: {
        Verb.PAUSE: (Status.PAUSED,),
        Verb.WITHDRAW: (Status.DRAFT,),
        Verb.CANCEL: (Status.CANCELLED,),
    },
    Status.SENDING: {Verb.PAUSE: (Status.PAUSED,), Verb.CANCEL: (Status.CANCELLED,)},
    Status.PAUSED: {Verb.RESUME: (Status.SENDING, Status.SCHEDULED), Verb.CANCEL: (Status.CANCELLED,)},
    Status.FINISHED: {Verb.RETRY: (Status.SENDING,)},
    Status.CANCELLED: {},
}

#: The columns of a campaign for which approval was not asked.
NO_REQUEST: Mapping[str, str | None] = {
    "approval": "",
    "approval_note": "",
    "approval_by": "",
    "approval_at": None,
    "approval_asker": None,
    "approval_content": "",
}


def is_possible(campaign: Campaign, verb: Verb) -> bool:
    """Return whether the campaign's status allows the verb."""
    return verb in TRANSITIONS[Status(campaign.status)]


def is_done(campaign: Campaign, verb: Verb) -> bool:
    """Return whether the campaign already has a status that this verb leads to."""
    return any(campaign.status in verbs.get(verb, ()) for verbs in TRANSITIONS.values())


@contextmanager
def locked(campaign: Campaign) -> Iterator[None]:
    """Open a transaction with the campaign locked and read again.

    The second of two clicks waits here and sees the result of the first. Raises Campaign.DoesNotExist if the campaign
    has been deleted.
    """
    with write_transaction():
        campaign.refresh_from_db(from_queryset=Campaign.objects.select_for_update())
        yield


def read_again(campaign: Campaign) -> None:
    """Read the campaign after a change: with an immediate task backend, requests have been sent by now."""
    # What was done is done, even if the campaign was deleted since.
    with suppress(Campaign.DoesNotExist):
        campaign.refresh_from_db()


def move(campaign: Campaign, verb: Verb, **values: object) -> None:
    """Give a locked campaign the status that follows, and these values. Raises CampaignError if none follows."""
    if not is_possible(campaign, verb):
        raise CampaignError([wrong_status(campaign)])
    status, *later = TRANSITIONS[Status(campaign.status)][verb]
    now = database_time()
    if later and schedule.is_early(campaign, now):
        (status,) = later
    if status == Status.SENDING:
        values |= {"sending_since": now, "begun_at": campaign.begun_at or now}
    Campaign.objects.filter(pk=campaign.pk).update(status=status, status_reason="", **values)
    campaign.refresh_from_db()


@insisting
def perform(campaign: Campaign, verb: Verb) -> bool:
    """Pause, resume, withdraw or cancel, and return whether this call did: False if it was done already.

    Raises CampaignError when that is not possible in the campaign's status.
    """
    with locked(campaign):
        is_change = not is_done(campaign, verb)
        if is_change:
            _EFFECTS[verb](campaign)
        campaign.on_the_wire = runs.count_on_the_wire(campaign.pk)
    read_again(campaign)
    return is_change


def pause_campaign(campaign: Campaign) -> Campaign:
    """Stop before the next request. A paused campaign stays paused.

    ``on_the_wire`` of the campaign is how many recipients are in requests under way: the answers to them are still
    recorded. No other request is written once this has returned. Inside a transaction, workers wait for its end before
    they write, and continue if it is rolled back.
    """
    return _steer(campaign, Verb.PAUSE)


def resume_campaign(campaign: Campaign) -> Campaign:
    """Continue with the batches that have not been sent; nobody gets a message twice, and nobody is skipped.

    A campaign whose start time is still far off is scheduled again.
    """
    return _steer(campaign, Verb.RESUME)


def withdraw_campaign(campaign: Campaign) -> Campaign:
    """Make a scheduled campaign a draft again, which can be changed and launched.

    Raises CampaignError if a part of it has been handed over before it was scheduled again.
    """
    return _steer(campaign, Verb.WITHDRAW)


def cancel_campaign(campaign: Campaign) -> Campaign:
    """Stop for good: messages that were not sent become ``cancelled``, in the background if there are many.

    See ``pause_campaign`` for ``on_the_wire``.
    """
    return _steer(campaign, Verb.CANCEL)


def _steer(campaign: Campaign, verb: Verb) -> Campaign:
    with existing(campaign):
        perform(campaign, verb)
    return campaign


def begin(campaign: Campaign) -> None:
    """Enqueue, after the commit, as many batches as may be under way at once; each enqueues the one that follows it."""
    after_commit(runs.fill_lanes, campaign.pk)


def forget_credit(campaign: Campaign) -> None:
    """Discard the throttle credit that accumulated while the campaign was not sending."""
    rows = Campaign.objects.filter(pk=campaign.pk, next_send_at__lt=NOW)
    rows.update(next_send_at=None)


def count_waiting(campaign: Campaign) -> int:
    """Count the messages that the platform has neither accepted nor rejected yet."""
    return campaign.messages.filter(status__in=BEFORE_ACCEPTANCE).count()


def wrong_status(campaign: Campaign) -> ValidationError:
    """Return the error for a verb that the campaign's status does not allow."""
    return ValidationError(
        _("Not possible now: the campaign is %(status)s."),
        code="wrong-status",
        params={"status": campaign.get_status_display()},
    )


def _pause(campaign: Campaign) -> None:
    move(campaign, Verb.PAUSE)


def _resume(campaign: Campaign) -> None:
    move(campaign, Verb.RESUME)
    if campaign.status == Status.SCHEDULED:
        return
    forget_credit(campaign)
    pending = campaign.batches.filter(state=Batch.State.PENDING)
    # Tasks that ran during the pause did nothing.
    pending.update(enqueued_at=None)
    # The person who resumes it expects it to continue. If the platform still fails, they wait again.
    pending.filter(waits_for__in=(Batch.WaitsFor.RETRY, Batch.WaitsFor.PLATFORM)).update(due_at=None, waits_for="")
    begin(campaign)
    runs.finish_if_done(campaign.pk)


def _withdraw(campaign: Campaign) -> None:
    # Without its batches, nobody would query the outcome of those with a request under way.
    if is_possible(campaign, Verb.WITHDRAW) and runs.has_begun(campaign.pk):
        text = _("Not possible: a part of the campaign has been handed over. It can be cancelled.")
        raise CampaignError([ValidationError(text, code="begun")])
    move(campaign, Verb.WITHDRAW, run=0, launched_at=None, launched_by=None, begun_at=None, **NO_REQUEST)
    campaign.batches.all().delete()


def _cancel(campaign: Campaign) -> None:
    move(campaign, Verb.CANCEL, finished_at=timezone.now())
    cancel_waiting(campaign)


_EFFECTS: Mapping[Verb, Callable[[Campaign], None]] = {
    Verb.PAUSE: _pause,
    Verb.RESUME: _resume,
    Verb.WITHDRAW: _withdraw,
    Verb.CANCEL: _cancel,
}
