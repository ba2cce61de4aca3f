"""The project of a campaign's benchmark, at the platform that is named in the environment."""

from __future__ import annotations

import os
from typing import Any

BATCH = 10_000


def start_project() -> None:
    """Set Django up."""
    import django
    from django.conf import settings

    platform = os.environ["BENCH_PLATFORM"]
    changes: dict[str, Any] = {
        **dict.fromkeys(("API_URL", "BULK_URL", "REPORTS_URL"), platform),
        "CALLBACK_BASE_URL": "",
        "BATCH_SIZE": BATCH,
        "SYNC_LIMIT": BATCH,
        "READ_TIMEOUT": 120,
    }
    settings.HYBER["default"] |= changes
    django.setup()
