"""Two-person approval: an author asks for it, another person answers by launching the campaign or sending it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from django_hyber.announce import announce_notice
from django_hyber.campaigns.lifecycle import NO_REQUEST, locked, wrong_status
from django_hyber.campaigns.preflight import content_fingerprint
from django_hyber.errors import CampaignError
from django_hyber.models import Announcement, Campaign
from django_hyber.models.people import User
from django_hyber.policies.four_eyes import CONTRIBUTED, approval_problem, is_four_eyes

Approval = Campaign.Approval
Notice = Announcement.Notice


def may_ask(campaign: Campaign, user: User) -> bool:
    """Return whether the user has worked on the draft, and another person has to launch it."""
    if not campaign.is_editable or not is_four_eyes(campaign):
        return False
    problem = approval_problem(campaign, user)
    return problem is not None and problem.code == CONTRIBUTED


def may_answer(campaign: Campaign, user: User) -> bool:
    """Return whether somebody has asked for approval, and the user could give it."""
    is_asked = campaign.is_editable and campaign.approval == Approval.ASKED
    return is_asked and is_four_eyes(campaign) and approval_problem(campaign, user) is None


def is_changed_since_request(campaign: Campaign) -> bool:
    """Return whether the campaign is no longer as it was when approval was asked for."""
    is_asked = campaign.is_editable and campaign.approval == Approval.ASKED
    return is_asked and content_fingerprint(campaign) != campaign.approval_content


def ask_for_approval(campaign: Campaign, user: User, note: str) -> bool:
    """Ask another person to launch the campaign, and return whether this call did.

    It did not if the same person has asked with this note, and nothing was changed since: this is a second click.

    Raises CampaignError if the user has not worked on it, or no approval is needed.
    """
    with locked(campaign):
        if not may_ask(campaign, user):
            raise CampaignError([refusal(campaign)])
        columns = _step(Approval.ASKED, user, note) | {"approval_content": content_fingerprint(campaign)}
        if all(getattr(campaign, name) == value for name, value in columns.items() if name != "approval_at"):
            return False
        _record(campaign, columns | {"approval_asker": user})
        announce_notice(campaign.pk, Notice.APPROVAL)
    return True


def answer_by_launch(campaign: Campaign, user: User | None, note: str) -> Mapping[str, Any]:
    """Return the columns of a locked draft that the user launches: this gives the approval that was asked for."""
    if user is None or not may_answer(campaign, user):
        return NO_REQUEST
    announce_notice(campaign.pk, Notice.APPROVED)
    return _step(Approval.GIVEN, user, note)


def send_back(campaign: Campaign, user: User, note: str) -> None:
    """Answer a request for approval: the campaign has to be changed first, as the note says.

    Raises CampaignError if nobody has asked, or the user has worked on the campaign.
    """
    with locked(campaign):
        if not may_answer(campaign, user):
            raise CampaignError([refusal(campaign)])
        _record(campaign, _step(Approval.SENT_BACK, user, note))
        announce_notice(campaign.pk, Notice.SENT_BACK)


def _step(approval: Approval, user: User, note: str) -> dict[str, Any]:
    name = user.get_username()[:150]
    return {"approval": approval, "approval_note": note, "approval_by": name, "approval_at": timezone.now()}


def _record(campaign: Campaign, columns: Mapping[str, Any]) -> None:
    for name, value in columns.items():
        setattr(campaign, name, value)
    campaign.save(update_fields=list(columns))


def refusal(campaign: Campaign) -> ValidationError:
    """Return the error for a user who cannot ask for approval or give it now."""
    if not campaign.is_editable:
        return wrong_status(campaign)
    text = _("This is not possible: somebody else has already answered, or your approval is not needed.")
    return ValidationError(text, code="approval")
