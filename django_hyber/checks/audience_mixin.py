"""The attributes of CampaignAudienceMixin in the admin of the project."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from django_hyber.conf import account_names
from django_hyber.conf.audiences import Audience


def check_audience(place: str, account: str, selected: Audience | None) -> Iterator[CheckMessage]:
    """Check the account of the campaigns that a model admin makes, and the fields of ``selected`` if they are known."""
    if not _exists(account):
        yield Error(
            f"{place} makes campaigns of the account {account!r}, which HYBER does not have.",
            hint="Set audience_account to one of its accounts.",
            id="django_hyber.E036",
        )
    if selected is None:
        return
    try:
        selected.check()
    except ImproperlyConfigured as error:
        yield Error(
            f"{place} cannot make recipients of its objects: {error}",
            hint="Correct audience_phone and audience_variables.",
            id="django_hyber.E037",
        )


def _exists(account: str) -> bool:
    try:
        return account in account_names()
    except ImproperlyConfigured:
        # Another check reports it.
        return True
