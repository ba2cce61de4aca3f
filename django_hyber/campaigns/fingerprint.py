"""What tells whether a campaign is still the one that was looked at."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from django.db.models import Count, Max

from django_hyber.models import Campaign

#: What a campaign is checked with, and must be sent with.
CHECKED_FIELDS = ("name", "start_time", *Campaign.SETTINGS)


def fingerprint(campaign: Campaign) -> str:
    """Return a text that is another one as soon as recipients, channels or settings have changed.

    Opting out changes nothing of a campaign: it is looked at again when each message goes out.
    """
    recipients = campaign.messages.aggregate(number=Count("pk"), newest=Max("pk"))
    channels = list(campaign.channels.values_list("position", "channel", "options"))
    values = {name: getattr(campaign, name) for name in CHECKED_FIELDS}
    content = json.dumps([recipients, channels, values], default=_as_text, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _as_text(value: Any) -> str:
    # The same moment, whichever time zone it is told in: what has been saved comes back in UTC.
    is_moment = isinstance(value, datetime) and value.tzinfo is not None
    return str(value.astimezone(UTC) if is_moment else value)
