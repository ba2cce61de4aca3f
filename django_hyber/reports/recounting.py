from __future__ import annotations

from django_hyber.db.transactions import database
from django_hyber.models import Campaign
from django_hyber.reports import recount as recounting

Recount = recounting.Recount


def recount(campaign: Campaign | None = None, *, reclassify: bool = False) -> Recount:
    """Work out from the stored reports, by the SEEN_CODES of today, where messages stand, and compare.

    ``reclassify`` moves forward what has come to mean more, with the usual signals; nothing is ever moved back.
    """
    return recounting.recount(campaign.pk if campaign else None, database(), reclassify=reclassify)
