"""What a recipient's text is filled with: their own values, or what the campaign puts in place of missing ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django_hyber.models import Campaign

#: The variable that holds a recipient's own text.
OWN_TEXT = "text"
# As plain texts: looking up the members of an enum takes time, and this runs for every recipient.
SKIP = Campaign.MissingVariables.SKIP.value
DEFAULT = Campaign.MissingVariables.DEFAULT.value


def complete_variables(campaign: Campaign, used: Collection[str], values: Mapping[str, str]) -> dict[str, str] | None:
    """Return the values of the variables that the texts use, or None for a recipient who must be left out.

    A missing or empty value is replaced by the campaign's default text for it. Without one, the recipient is left out
    under SKIP; otherwise an empty value stays empty, and a missing one is not sent: the launch check refuses it.
    """
    complete = {name: values[name] for name in used if values.get(name)}
    if len(complete) == len(used):
        return complete
    policy = campaign.missing_variables
    defaults = campaign.variable_defaults if policy == DEFAULT else {}
    for name in used:
        value = values.get(name)
        if not value:
            value = defaults.get(name) or value
        if not value and policy == SKIP:
            return None
        if value is not None:
            complete[name] = value
    return complete
