"""The vendor's sample payloads, and small builders on top of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
#: Numbers that are valid in Ukraine; the last two digits choose the sandbox's outcome.
PHONE = "380961111111"


def sample(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text())


def phone(number: int, outcome: str = "00") -> str:
    """The number-th phone that ends in these two digits."""
    return f"38067{number:05d}{outcome}"


def report(message=None, **changes: Any) -> dict[str, Any]:
    """A delivery report as the platform calls it back, about this message unless told otherwise."""
    about = {"number": message.phone_number, "extra_id": message.extra_id} if message else {}
    values = {
        "time": 1_700_000_000_000,
        "status": 2,
        "substatus": 23,
        "hyber_status": 23011,
        "message_id": f"platform-{message.extra_id}" if message else "unknown-id",
        "sent_via": "sms",
        **about,
        **changes,
    }
    return {key: value for key, value in values.items() if value is not None}
