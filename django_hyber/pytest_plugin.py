"""The pytest plugin: the fixture ``hyber_outbox``, and an empty outbox at the start of each test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from django_hyber.outbox import SentMessage


def pytest_runtest_setup() -> None:
    """Empty the outbox, if anything of this process has used it."""
    module = sys.modules.get("django_hyber.outbox")
    if module is not None:
        module.outbox.clear()


@pytest.fixture
def hyber_outbox(settings: object) -> Iterator[list[SentMessage]]:
    """The messages that the test would have sent."""
    # Imported late: plugins are loaded before Django is set up.
    from django_hyber.testing import clear_outbox, outbox  # noqa: PLC0415

    settings.HYBER_TESTING = ""  # type: ignore[attr-defined]
    yield outbox
    clear_outbox()
