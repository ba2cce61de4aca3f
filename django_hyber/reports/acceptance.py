"""Reports about messages whose request is or was unconfirmed: they prove that it was accepted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.db.models import F

from django_hyber.db.clock import database_time
from django_hyber.models import Batch


class Doubted(NamedTuple):
    """A message of a campaign whose request is or was unconfirmed, by which it is known: ``doubted_at``."""

    campaign_id: int
    pk: int
    phone_number: str | None
    doubted_at: datetime | None

    def was_in(self, batch: Batch) -> bool:
        """Whether it was in the unconfirmed request of the batch.

        Those of an earlier run, which were not retried, are between the messages of a batch, and not in its request.
        """
        return batch.doubted_at == self.doubted_at and batch.holds(self.pk, self.phone_number)


def note_proof(doubted: Iterable[Doubted]) -> None:
    """Note that reports have come about these messages. The caller has locked them.

    It is noted on the batches that held them, and on those from which these were cut: before any part of the request is
    sent again, its worker looks there.
    """
    by_campaign: dict[int, list[Doubted]] = {}
    for message in doubted:
        by_campaign.setdefault(message.campaign_id, []).append(message)
    held: set[int] = set()
    for campaign_id, messages in by_campaign.items():
        pks = [message.pk for message in messages]
        batches = Batch.objects.filter(campaign=campaign_id)
        alone = batches.filter(run=0, first_id__in=pks)
        together = batches.filter(run__gt=0, first_id__lte=max(pks), last_id__gte=min(pks), doubted_at__isnull=False)
        for batch in (*alone, *together):
            if any(message.was_in(batch) for message in messages):
                held |= {batch.pk, batch.cut_from or batch.pk}
    Batch.objects.filter(pk__in=held).update(proofs=F("proofs") + 1, proved_at=database_time())
