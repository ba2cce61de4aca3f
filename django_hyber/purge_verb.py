from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from django_hyber import purge
from django_hyber.db.transactions import database

Purged = purge.Purged


def purge_personal_data(older_than: timedelta, *, dry_run: bool = False) -> Purged:
    """Make anonymous what ended longer ago than this, and delete what was never understood or matched since then.

    Numbers, variables and texts go; ids, statuses, codes and times stay, so every total stays as it is. Messages on
    their way and opted-out numbers are left alone. May be stopped and started again; ``dry_run`` only counts.
    """
    return purge.purge(timezone.now() - older_than, database(), dry_run=dry_run)
