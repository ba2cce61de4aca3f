from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_hyber.campaigns.fingerprint import fingerprint
from django_hyber.conf import find_account, get_account
from django_hyber.db.transactions import after_commit, database, write_transaction
from django_hyber.errors import CampaignError
from django_hyber.models import BackgroundJob, Batch, Campaign
from django_hyber.reports.ranks import BEFORE_ACCEPTANCE, FAILURES
from django_hyber.sending import lanes, runs
from django_hyber.sending.pace import schedule
from django_hyber.texts.check import check_texts

Status = Campaign.Status
#: Why a message failed: a status and a code, or None without one.
Reason = tuple[str, int | None]


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
    if _is_being_filled(campaign):
        problems.append(ValidationError(_("An import of recipients is still under way."), code="importing"))
    return problems


def _is_being_filled(campaign: Campaign) -> bool:
    states = (BackgroundJob.State.WAITING, BackgroundJob.State.RUNNING)
    return campaign.jobs.filter(kind=BackgroundJob.Kind.IMPORT, state__in=states).exists()


def start_campaign(campaign: Campaign, *, user: AbstractBaseUser | None = None) -> Campaign:
    """Launch a campaign: its recipients are cut into batches, and each batch is sent by a task after commit.

    A campaign that starts later is ``scheduled`` and held here until shortly before. ``user`` is who launches it; with
    FOUR_EYES it must be somebody else than its author.

    Raises CampaignError, and changes nothing, when it has been launched already or something is wrong with it.
    """
    checked = fingerprint(campaign)
    problems = [*check_campaign(campaign), *_check_launcher(campaign, user)]
    if problems:
        raise CampaignError(problems)
    return _launch(campaign, checked, user)


def launch_checked(campaign: Campaign, checked: str, *, user: AbstractBaseUser | None = None) -> Campaign:
    """Launch a campaign whose texts have been found to be right; ``checked`` is its fingerprint of that moment.

    Raises CampaignError, and changes nothing, when the campaign is another one by now or may not be launched.
    """
    problems = [*check_state(campaign), *_check_launcher(campaign, user)]
    if problems:
        raise CampaignError(problems)
    return _launch(campaign, checked, user)


def _launch(campaign: Campaign, checked: str, user: AbstractBaseUser | None) -> Campaign:
    using = database()
    with write_transaction(using):
        drafts = Campaign.objects.using(using).filter(pk=campaign.pk, status=Status.DRAFT)
        # Of two starts in the same second only one finds the draft; the unique ranges of the batches stand behind it.
        now = timezone.now()
        status = Status.SCHEDULED if schedule.is_early(campaign, now) else Status.SENDING
        launcher = user.pk if user else None
        if not drafts.update(status=status, run=1, launched_at=now, launched_by=launcher, next_send_at=None):
            campaign.refresh_from_db(using=using)
            raise CampaignError([_already_launched(campaign)])
        campaign.refresh_from_db(using=using)
        if fingerprint(campaign) != checked:
            text = _("The campaign was changed while it was being checked. Start it again.")
            raise CampaignError([ValidationError(text, code="changed")])
        runs.give_account(campaign, using)
        runs.cut_batches(campaign, using)
        _begin(campaign, using)
    campaign.refresh_from_db(using=using)
    return campaign


def _check_launcher(campaign: Campaign, user: AbstractBaseUser | None) -> list[ValidationError]:
    if user is None or campaign.author_id != user.pk or not is_four_eyes(campaign):
        return []
    return [ValidationError(_("You wrote this campaign: somebody else has to launch it."), code="four-eyes")]


def is_four_eyes(campaign: Campaign) -> bool:
    """Say whether the author of a campaign may not launch it."""
    account = find_account(campaign.account)
    return account is not None and account.four_eyes


def count_waiting(campaign: Campaign) -> int:
    """Count the messages of which it is still open whether the platform takes them."""
    return campaign.messages.filter(status__in=BEFORE_ACCEPTANCE).count()


def pause_campaign(campaign: Campaign) -> Campaign:
    """Stop before the next request; what is on the wire is still recorded. A paused campaign stays paused."""
    return _change(campaign, (Status.SCHEDULED, Status.SENDING, Status.PAUSED), Status.PAUSED)


def resume_campaign(campaign: Campaign) -> Campaign:
    """Go on with the batches that have not gone out; nobody is repeated and nobody is left out.

    A campaign whose start is still far is scheduled again.
    """
    using = database()
    campaign.refresh_from_db(using=using)
    is_early = campaign.status == Status.PAUSED and schedule.is_early(campaign, timezone.now())
    with write_transaction(using):
        if is_early:
            return _change(campaign, (Status.PAUSED,), Status.SCHEDULED)
        _change(campaign, (Status.PAUSED, Status.SENDING), Status.SENDING)
        _forget_credit(campaign, using)
        # Tasks that came during the pause have gone by without a trace.
        campaign.batches.using(using).filter(state=Batch.State.PENDING).update(enqueued_at=None)
        _begin(campaign, using)
        runs.finish_if_done(campaign.pk, using)
    campaign.refresh_from_db(using=using)
    return campaign


def withdraw_campaign(campaign: Campaign) -> Campaign:
    """Make a scheduled campaign a draft again, to be changed and launched anew."""
    using = database()
    with write_transaction(using):
        _change(campaign, (Status.SCHEDULED,), Status.DRAFT, run=0, launched_at=None, launched_by=None)
        campaign.batches.using(using).delete()
    return campaign


def cancel_campaign(campaign: Campaign) -> Campaign:
    """Stop for good: whoever has not been sent to is ``cancelled``; requests on the wire are still recorded."""
    using = database()
    open_statuses = (Status.DRAFT, Status.SCHEDULED, Status.SENDING, Status.PAUSED, Status.CANCELLED)
    with write_transaction(using):
        _change(campaign, open_statuses, Status.CANCELLED, finished_at=timezone.now())
        runs.cancel_waiting(campaign.pk, using)
    return campaign


def retry_failed(
    campaign: Campaign,
    statuses: Iterable[str] = FAILURES,
    *,
    error_codes: Iterable[int | None] | None = None,
    reasons: Iterable[Reason] | None = None,
) -> Campaign:
    """Send again to the recipients whose messages ended in one of these failures, each under a new id.

    ``error_codes`` narrows that to these codes; None among them stands for failures without a code. ``reasons`` narrows
    it to these pairs of a status and a code.

    Raises CampaignError while the campaign is still on its way, or when nothing has failed that way.
    """
    ended = Q(status__in=_only_failures(statuses))
    if error_codes is not None:
        ended &= _any_of(Q(error_code=code) for code in set(error_codes))
    if reasons is not None:
        ended &= ended_for(reasons)
    return retry_messages(campaign, ended)


def retry_messages(campaign: Campaign, ended: Q, keys: Iterable[int] | None = None) -> Campaign:
    """Send again to those whose messages ended so, or to those of them with these keys. Raises as retry_failed does."""
    using = database()
    failed = runs.retryable(campaign, ended, using)
    with write_transaction(using):
        if not failed.exists():
            raise CampaignError([_nothing_failed()])
        _change(campaign, (Status.FINISHED,), Status.SENDING, run=F("run") + 1, finished_at=None)
        _forget_credit(campaign, using)
        if not runs.requeue(failed, using, keys):
            raise CampaignError([_nothing_failed()])
        runs.cut_batches(campaign, using)
        _begin(campaign, using)
    campaign.refresh_from_db(using=using)
    return campaign


def ended_for(reasons: Iterable[Reason]) -> Q:
    """Return the condition of messages that ended with one of these pairs of a status and a code."""
    return _any_of(Q(status=status, error_code=code) for status, code in reasons)


def _any_of(conditions: Iterable[Q]) -> Q:
    return reduce(or_, conditions, Q(pk__in=[]))


def _nothing_failed() -> ValidationError:
    return ValidationError(_("No message of this campaign has failed that way."), code="nothing")


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
        raise CampaignError([wrong_status(campaign)])
    return campaign


def wrong_status(campaign: Campaign) -> ValidationError:
    """Return what to say when a campaign cannot do this in the state in which it is."""
    return ValidationError(
        _("Not possible now: the campaign is %(status)s."),
        code="wrong-status",
        params={"status": campaign.get_status_display()},
    )


def _forget_credit(campaign: Campaign, using: str) -> None:
    """The throttle gives no credit for the time that the campaign stood still; what it has used up stays used up."""
    rows = Campaign.objects.using(using).filter(pk=campaign.pk, next_send_at__lt=timezone.now())
    rows.update(next_send_at=None)


def _begin(campaign: Campaign, using: str) -> None:
    """Enqueue, after the commit, as many batches as may be under way at once; each sees to the one that follows it."""
    after_commit(using, lanes.fill_lanes, campaign.pk, using)
