"""The launch of a campaign: by code, by the command, and by a person who has confirmed it."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from django_hyber.campaigns.approval import answer_by_launch
from django_hyber.campaigns.lifecycle import Verb, begin, is_possible, locked, move, read_again
from django_hyber.campaigns.preflight import (
    Preflight,
    already_started,
    check_state,
    count_opted_out,
    digest,
    fingerprint,
)
from django_hyber.campaigns.preflight_jobs import kept_preflight
from django_hyber.db.clock import database_time
from django_hyber.db.transactions import existing, insisting
from django_hyber.errors import CampaignError
from django_hyber.jobs.background import is_large
from django_hyber.models import Campaign
from django_hyber.models.people import User
from django_hyber.policies.four_eyes import approval_problem
from django_hyber.sending import runs
from django_hyber.texts.check import check_texts

MAX_DIGITS = 9


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """What a person has seen and confirmed. The form carries it as text."""

    fingerprint: str
    opted_out: int

    def __str__(self) -> str:
        return f"{self.fingerprint}-{self.opted_out}"


def confirmation_of(campaign: Campaign, found: Preflight) -> Confirmation:
    """Return the confirmation for this pre-flight, and for the request for approval that the page shows with it."""
    return Confirmation(fingerprint=_seen(campaign, found.fingerprint), opted_out=found.opted_out)


def _seen(campaign: Campaign, checked: str) -> str:
    # Apart from the check, which would otherwise have to be repeated after each request for approval.
    return digest(checked, campaign.approval, campaign.approval_at)


def parse_confirmation(text: str) -> Confirmation:
    """Parse a confirmation; for an invalid text, return one that matches no campaign."""
    seen, _separator, opted_out = text.partition("-")
    if not (opted_out.isascii() and opted_out.isdecimal() and len(opted_out) <= MAX_DIGITS):
        return Confirmation(fingerprint="", opted_out=0)
    return Confirmation(fingerprint=seen, opted_out=int(opted_out))


def start_campaign(campaign: Campaign, *, user: AbstractBaseUser | None = None) -> Campaign:
    """Launch a campaign: its recipients are divided into batches, and each batch is sent by a task after commit.

    A campaign that starts later is ``scheduled`` and kept here until shortly before its start. With FOUR_EYES, a
    ``user`` who has contributed to the campaign cannot launch it; without ``user``, there is no such restriction.

    Raises CampaignError, and changes nothing, if it was launched or deleted before, or has a problem.
    """
    with existing(campaign):
        launch(campaign, user=user)
    return campaign


@insisting
def launch(campaign: Campaign, *, user: User | None, confirmed: Confirmation | None = None, note: str = "") -> int:
    """Check the campaign, start it, and return how many people get it.

    If approval was asked for, a launch by a user gives it, with this note.
    ``confirmed`` is what a person has seen; opt-outs since then are allowed. Raises CampaignError, and changes nothing,
    if anything else has changed since ("changed"), and for everything that forbids a launch.

    The texts are checked before the campaign is locked, which may take minutes; its fingerprint shows afterwards
    whether it is still the same.
    """
    problems = [*check_state(campaign), *_check_launcher(campaign, user)]
    if problems:
        raise CampaignError(problems)
    checked = fingerprint(campaign)
    if confirmed and not _is_as_confirmed(campaign, checked, confirmed):
        raise CampaignError([_changed()])
    people = _check_texts(campaign, checked, is_confirmed=confirmed is not None)
    with locked(campaign):
        if problems := _check_again(campaign, user, checked, confirmed):
            raise CampaignError(problems)
        launcher = user.pk if user else None
        now = database_time()
        launched = {"run": 1, "launched_at": now, "launched_by": launcher, "next_send_at": None}
        move(campaign, Verb.START, **launched, **answer_by_launch(campaign, user, note))
        runs.give_account(campaign)
        # Should two launches ever get this far, the unique ranges of the batches stop the second.
        runs.cut_batches(campaign)
        begin(campaign)
    read_again(campaign)
    return people


def _check_launcher(campaign: Campaign, user: User | None) -> list[ValidationError]:
    problem = approval_problem(campaign, user)
    return [problem] if problem else []


def _check_again(
    campaign: Campaign, user: User | None, checked: str, confirmed: Confirmation | None
) -> list[ValidationError]:
    """Return what has happened to a campaign, now locked, while it was being checked."""
    if not is_possible(campaign, Verb.START):
        return [already_started(campaign)]
    if problems := _check_launcher(campaign, user):
        return problems
    if fingerprint(campaign) != checked:
        text = _("The campaign was changed while it was being checked. Start it again.")
        return [ValidationError(text, code="changed")]
    if confirmed and _seen(campaign, checked) != confirmed.fingerprint:
        return [_changed()]
    return []


def _is_as_confirmed(campaign: Campaign, checked: str, confirmed: Confirmation) -> bool:
    # A shorter opt-out list would add recipients whom nobody has confirmed.
    return _seen(campaign, checked) == confirmed.fingerprint and count_opted_out(campaign) >= confirmed.opted_out


def _check_texts(campaign: Campaign, checked: str, *, is_confirmed: bool) -> int:
    """Return how many people get the campaign; a person does not wait for what was checked in the background."""
    if is_confirmed and is_large(campaign.messages.all()):
        found = kept_preflight(campaign, checked)
        if found is None:
            raise CampaignError([_changed()])
        problems, people = found.problems, found.will_receive
    else:
        texts = check_texts(campaign)
        problems, people = texts.errors, texts.will_receive
    if problems:
        raise CampaignError(problems)
    return people


def _changed() -> ValidationError:
    text = _(
        "The campaign, its recipients or the settings of its account have changed since you opened the page. Nothing "
        "was sent: check it again."
    )
    return ValidationError(text, code="changed")
