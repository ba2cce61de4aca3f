"""Two-person approval: nobody launches a campaign to which they have contributed."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from django_hyber.conf import find_account
from django_hyber.models import Campaign, Contributor
from django_hyber.models.people import User

#: The code of the error for a campaign without a contributor.
UNKNOWN = "four-eyes-unknown"
#: The code of the error for a user who has worked on the campaign.
CONTRIBUTED = "four-eyes"


def is_four_eyes(campaign: Campaign) -> bool:
    """Return whether the account of a campaign requires that another person launches it."""
    account = find_account(campaign.account)
    return account is not None and account.four_eyes


def add_contributor(campaign: Campaign, user_key: Any) -> None:
    """Record that the user with this key has shaped what the campaign sends or to whom; None stands for nobody."""
    if user_key is not None:
        Contributor.objects.get_or_create(campaign=campaign, user_key=str(user_key))


def record_author(campaign: Campaign, user: User) -> None:
    """Make the user the author, who edited the campaign last. The author before stays a contributor."""
    add_contributor(campaign, campaign.author_id)
    add_contributor(campaign, user.pk)
    campaign.author_id = user.pk
    campaign.save(update_fields=["author"])


def copy_contributors(source: Campaign, copy: Campaign) -> None:
    """Make the contributors of a campaign those of its copy as well."""
    for user_key in _contributors(source):
        Contributor.objects.get_or_create(campaign=copy, user_key=user_key)


def approval_problem(campaign: Campaign, user: User | None) -> ValidationError | None:
    """Return why this user cannot launch the campaign. Code and commands launch without a user and may."""
    if user is None or not is_four_eyes(campaign):
        return None
    contributors = _contributors(campaign)
    if not contributors:
        text = _("It is unknown who wrote this campaign. Save a change to it; then another person can launch it.")
        return ValidationError(text, code=UNKNOWN)
    if str(user.pk) in contributors:
        text = _("You have worked on this campaign, so another person has to launch it.")
        return ValidationError(text, code=CONTRIBUTED)
    return None


def _contributors(campaign: Campaign) -> set[str]:
    keys = set(Contributor.objects.filter(campaign=campaign).values_list("user_key", flat=True))
    # Code may set the author alone.
    return keys | {str(campaign.author_id)} if campaign.author_id is not None else keys
