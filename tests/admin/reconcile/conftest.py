from __future__ import annotations

import pytest

from django_hyber.services import send_message, start_campaign
from tests.builders import CHANNELS, make_campaign
from tests.samples import phone


@pytest.fixture
def message(platform):
    """A single message in doubt, which the platform does not have."""
    message = send_message(phone(1, "87"), CHANNELS)
    message.refresh_from_db()
    return message


@pytest.fixture
def campaign(platform):
    """A campaign of three, whose only batch is in doubt."""
    return start_campaign(make_campaign([phone(2, "87"), phone(3), phone(4)]))


@pytest.fixture
def batch(campaign):
    return campaign.batches.get()


@pytest.fixture(params=["message", "batch"])
def row(request):
    """Each of what can be in doubt."""
    return request.getfixturevalue(request.param)
