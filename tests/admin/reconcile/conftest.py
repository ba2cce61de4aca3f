from __future__ import annotations

import pytest

from django_hyber.models import Campaign, Message
from tests.builders import make_doubted_campaign, make_doubted_message


@pytest.fixture
def message(platform):
    return make_doubted_message()


@pytest.fixture
def campaign(platform):
    return make_doubted_campaign()


@pytest.fixture
def batch(campaign):
    return campaign.batches.get()


@pytest.fixture(params=["message", "batch"])
def row(request):
    """Each of what can be in doubt."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def orphan(row):
    """Such a row, whose account was removed from the settings."""
    Message.objects.update(account="gone")
    Campaign.objects.update(account="gone")
    return type(row).objects.get(pk=row.pk)
