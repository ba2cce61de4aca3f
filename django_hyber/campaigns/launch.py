"""Launching what a person has seen and confirmed, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from django_hyber.campaigns.fingerprint import fingerprint
from django_hyber.campaigns.kept_checks import check_of
from django_hyber.campaigns.lifecycle import check_state, launch_checked
from django_hyber.campaigns.preflight import Preflight, count_opted_out
from django_hyber.errors import CampaignError
from django_hyber.models import Campaign

MAX_DIGITS = 9


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """What a person has seen before saying yes. As a text it goes into the form, and comes back with the answer."""

    fingerprint: str
    opted_out: int

    def __str__(self) -> str:
        return f"{self.fingerprint}-{self.opted_out}"


def confirmation_of(found: Preflight) -> Confirmation:
    """Return what is confirmed by whoever has seen this."""
    return Confirmation(fingerprint=found.fingerprint, opted_out=found.opted_out)


def parse_confirmation(text: str) -> Confirmation | None:
    """Return the confirmation that was written so, or None for anything else."""
    seen, _separator, opted_out = text.partition("-")
    if not (seen and opted_out.isascii() and opted_out.isdecimal() and len(opted_out) <= MAX_DIGITS):
        return None
    return Confirmation(fingerprint=seen, opted_out=int(opted_out))


def launch(campaign: Campaign, confirmed: Confirmation | None, *, user: AbstractBaseUser) -> int:
    """Launch a campaign for the person who has confirmed it, and return how many people get it.

    Who opts out after the confirmation only makes them fewer. Raises CampaignError, and changes nothing, for anything
    else that has changed since ("changed"), and for whatever forbids a launch.
    """
    problems = check_state(campaign)
    if problems:
        raise CampaignError(problems)
    if confirmed is None or not _is_as_confirmed(campaign, confirmed):
        raise CampaignError([_changed()])
    found = check_of(campaign).found
    if found is None:
        raise CampaignError([_changed()])
    if found.problems:
        raise CampaignError(found.problems)
    launch_checked(campaign, confirmed.fingerprint, user=user)
    return found.will_receive


def _is_as_confirmed(campaign: Campaign, confirmed: Confirmation) -> bool:
    # With fewer opted out, somebody would get it whom nobody has confirmed.
    return fingerprint(campaign) == confirmed.fingerprint and count_opted_out(campaign) >= confirmed.opted_out


def _changed() -> ValidationError:
    text = _("The campaign or its recipients have changed since you looked. Nothing was sent: look at what it is now.")
    return ValidationError(text, code="changed")
