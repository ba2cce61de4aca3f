"""The values of a recipient's variables: their own, or the campaign's defaults for missing ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django_hyber.models import Campaign

#: The variable that holds a recipient's own text.
OWN_TEXT = "text"
# As plain strings: enum lookups are slow, and this runs for every recipient.
SKIP = Campaign.MissingVariables.SKIP.value
DEFAULT = Campaign.MissingVariables.DEFAULT.value


def complete_variables(campaign: Campaign, used: Collection[str], values: Mapping[str, str]) -> dict[str, str] | None:
    """Return the values of the variables that the texts use, or None for a recipient who is skipped.

    A missing or empty value is replaced by the campaign's default text for it. Without one, the recipient is
    skipped under SKIP; otherwise an empty value stays empty and a missing one stays missing: the check refuses both.
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
