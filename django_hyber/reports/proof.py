"""Reports about messages whose request is or was in doubt: they prove that it was accepted."""

from __future__ import annotations

from collections.abc import Iterable

from django_hyber.db.transactions import database_time
from django_hyber.models import Batch


def note_proof(doubted: Iterable[tuple[int, int]]) -> None:
    """Note that reports have come about these messages in doubt, by campaign and primary key.

    It is noted on the batches that held them, and on those from which these were cut: before any part of the request is
    sent again, its worker looks there.
    """
    members: dict[int, list[int]] = {}
    for campaign_id, pk in doubted:
        members.setdefault(campaign_id, []).append(pk)
    held: set[int] = set()
    for campaign_id, pks in members.items():
        batches = Batch.objects.filter(campaign=campaign_id)
        alone = batches.filter(run=0, first_id__in=pks)
        together = batches.filter(run__gt=0, first_id__lte=max(pks), last_id__gte=min(pks), doubted_at__isnull=False)
        for pk, cut_from in alone.values_list("pk", "cut_from"):
            held |= {pk, cut_from or pk}
        for pk, cut_from, first_id, last_id in together.values_list("pk", "cut_from", "first_id", "last_id"):
            if any(first_id <= member <= last_id for member in pks):
                held |= {pk, cut_from or pk}
    Batch.objects.filter(pk__in=held).update(proved_at=database_time())
