"""Which messages a batch speaks for."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q


def members(first_id: int, last_id: int, phone_prefixes: Sequence[str] = ()) -> Q:
    """Select the messages of a batch among those of its campaign: all of its range, or those that begin so."""
    condition = Q(pk__gte=first_id, pk__lte=last_id)
    if not phone_prefixes:
        return condition
    numbers = Q()
    for prefix in phone_prefixes:
        numbers |= Q(phone_number__startswith=prefix)
    return condition & numbers
