"""The audiences of the project that may be chosen in the admin, by name: the setting AUDIENCES."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from django_hyber.conf import Account

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise  # a name of the stubs only


@dataclass(frozen=True, kw_only=True)
class Audience:
    """Objects of the project that can become recipients. The fields are named as in ``import_recipients``."""

    queryset: QuerySet[Any]
    label: str | StrPromise = ""
    phone: str = "phone"
    variables: Mapping[str, str] = field(default_factory=dict)


def find_audience(account: Account, name: str) -> Audience:
    """Call the function of this name and return its audience. A queryset is one with the usual field "phone".

    Raises ImproperlyConfigured for an unknown name, a wrong path, and a function that returns something else.
    """
    path = account.audiences.get(name)
    place = f"HYBER[{account.name!r}]['AUDIENCES'][{name!r}]"
    if path is None:
        raise ImproperlyConfigured(f"{place} does not exist.")
    try:
        found = import_string(path)()
    except ImportError as error:
        raise ImproperlyConfigured(f"{place} cannot be imported: {error}") from error
    if isinstance(found, QuerySet):
        found = Audience(queryset=found)
    if not isinstance(found, Audience):
        raise ImproperlyConfigured(f"{place} must return a queryset or an Audience, not {type(found).__name__}.")
    return found


def count_people(audience: Audience) -> int:
    """Count the objects of an audience as it is now."""
    return audience.queryset.count()
