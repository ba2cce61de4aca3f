from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db.models import Count, F, Max
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_hyber import tasks
from django_hyber.conf import get_account
from django_hyber.engine import campaigns
from django_hyber.engine.ranks import FAILURES
from django_hyber.engine.transactions import after_commit, database, write_transaction
from django_hyber.models import Campaign
from django_hyber.services.launch_check import check_texts

Status = Campaign.Status


class CampaignError(ValidationError):
    """A campaign cannot do what was asked; ``messages`` says why, in the reader's language."""


def check_campaign(campaign: Campaign) -> list[ValidationError]:
    """Return all that stands in the way of launching the campaign; an empty list means that it may go."""
    return [*check_state(campaign), *check_texts(campaign)]


def check_state(campaign: Campaign) -> list[ValidationError]:
    """Return what stands in the way of launching the campaign apart from its texts."""
    problems = []
    if campaign.status != Status.DRAFT:
        problems.append(_already_launched(campaign))
    try:
        get_account(campaign.account)
    except ImproperlyConfigured as error:
        problems.append(ValidationError(str(error), code="account"))
    if not campaign.messages.exists():
        problems.append(ValidationError(_("The campaign has no recipients: import some first."), code="no-recipients"))
    return problems


def start_campaign(campaign: Campaign) -> Campaign:
    """Launch a campaign: its recipients are cut into batches, and each batch is sent by a task after commit.

    Raises CampaignError, and changes nothing, when it has been launched already or something is wrong with it.
    """
    using = database()
    checked = _fingerprint(campaign)
    problems = check_campaign(campaign)
    if problems:
        raise CampaignError(problems)
    with write_transaction(using):
        drafts = Campaign.objects.using(using).filter(pk=campaign.pk, status=Status.DRAFT)
        # Of two starts in the same second only one finds the draft; the unique ranges of the batches stand behind it.
        if not drafts.update(status=Status.SENDING, run=1, launched_at=timezone.now()):
            campaign.refresh_from_db(using=using)
            raise CampaignError([_already_launched(campaign)])
        campaign.refresh_from_db(using=using)
        if _fingerprint(campaign) != checked:
            text = _("The campaign was changed while it was being checked. Start it again.")
            raise CampaignError([ValidationError(text, code="changed")])
        _enqueue_batches(campaigns.cut_batches(campaign, using), using)
    campaign.refresh_from_db(using=using)
    return campaign


def _fingerprint(campaign: Campaign) -> tuple[object, ...]:
    """Return what tells whether recipients or channels have changed since."""
    recipients = campaign.messages.aggregate(number=Count("pk"), newest=Max("pk"))
    return (recipients, campaign.account, list(campaign.channels.values_list("position", "channel", "options")))


def pause_campaign(campaign: Campaign) -> Campaign:
    """Stop before the next request; what is on the wire is still recorded. A paused campaign stays paused."""
    return _change(campaign, (Status.SENDING, Status.PAUSED), Status.PAUSED)


def resume_campaign(campaign: Campaign) -> Campaign:
    """Go on with the batches that have not gone out; nobody is repeated and nobody is left out."""
    using = database()
    with write_transaction(using):
        _change(campaign, (Status.PAUSED, Status.SENDING), Status.SENDING)
        _enqueue_batches(campaigns.pending_batches(campaign, using), using)
        campaigns.finish_if_done(campaign.pk, using)
    campaign.refresh_from_db(using=using)
    return campaign


def cancel_campaign(campaign: Campaign) -> Campaign:
    """Stop for good: whoever has not been sent to is ``cancelled``; requests on the wire are still recorded."""
    using = database()
    open_statuses = (Status.DRAFT, Status.SCHEDULED, Status.SENDING, Status.PAUSED, Status.CANCELLED)
    with write_transaction(using):
        _change(campaign, open_statuses, Status.CANCELLED, finished_at=timezone.now())
        campaigns.cancel_waiting(campaign.pk, using)
    return campaign


def retry_failed(campaign: Campaign, statuses: Iterable[str] = FAILURES) -> Campaign:
    """Send again to the recipients whose messages ended in one of these failures, each under a new id.

    Raises CampaignError while the campaign is still on its way, or when nothing has failed.
    """
    using = database()
    wanted = _only_failures(statuses)
    with write_transaction(using):
        if not campaigns.retryable(campaign, wanted, using).exists():
            raise CampaignError(
                [ValidationError(_("No message of this campaign has failed that way."), code="nothing")]
            )
        _change(campaign, (Status.FINISHED,), Status.SENDING, run=F("run") + 1, finished_at=None)
        campaigns.requeue(campaign, wanted, using)
        _enqueue_batches(campaigns.cut_batches(campaign, using), using)
    campaign.refresh_from_db(using=using)
    return campaign


def _only_failures(statuses: Iterable[str]) -> list[str]:
    wanted = [str(status) for status in statuses]
    others = sorted(set(wanted) - {str(status) for status in FAILURES})
    if others:
        raise ValueError(f"Only failures can be retried, not {', '.join(others)}.")
    return wanted


def _already_launched(campaign: Campaign) -> ValidationError:
    return ValidationError(
        _("This campaign has already been started: it is %(status)s."),
        code="already-started",
        params={"status": campaign.get_status_display()},
    )


def _change(campaign: Campaign, allowed: Sequence[str], status: str, **values: object) -> Campaign:
    using = database()
    rows = Campaign.objects.using(using).filter(pk=campaign.pk, status__in=allowed)
    changed = rows.update(status=status, status_reason="", **values)
    campaign.refresh_from_db(using=using)
    if not changed:
        problem = ValidationError(
            _("Not possible now: the campaign is %(status)s."),
            code="wrong-status",
            params={"status": campaign.get_status_display()},
        )
        raise CampaignError([problem])
    return campaign


def _enqueue_batches(pks: Iterable[int], using: str) -> None:
    for pk in pks:
        after_commit(using, tasks.submit_batch.enqueue, pk)
