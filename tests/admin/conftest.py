from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission

from django_hyber.models import Campaign, Message
from django_hyber.protocol import SMS, Viber


@pytest.fixture
def draft(db):
    """A campaign with texts, ready for its recipients."""
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([Viber(text="Hi", ttl=60), SMS(text="Hi", ttl=300, alpha_name="Shop")])
    return campaign


@pytest.fixture
def add_recipients():
    def add(campaign, count, **values):
        start = campaign.messages.count()
        rows = [
            Message(
                campaign=campaign,
                phone_number=f"38067{campaign.pk:03}{number:04}",
                extra_id=f"{campaign.pk}-{number}",
                **values,
            )
            for number in range(start, start + count)
        ]
        return Message.objects.bulk_create(rows)

    return add


@pytest.fixture
def log_in(client, django_user_model):
    """Log in a member of staff who has exactly these permissions."""

    def log_in(*codenames):
        user = django_user_model.objects.create_user("colleague", password="colleague", is_staff=True)
        permissions = Permission.objects.filter(content_type__app_label="django_hyber", codename__in=codenames)
        assert permissions.count() == len(codenames)
        user.user_permissions.set(permissions)
        client.force_login(user)
        return user

    return log_in


@pytest.fixture
def campaign_form():
    """POST data of the campaign's form: the campaign's own fields and one dict per channel."""

    def build(*channels, initial=0, **fields):
        data = {"name": "Spring sale", "account": "default", "start_time_0": "", "start_time_1": "", **fields}
        data |= {"channels-TOTAL_FORMS": len(channels), "channels-INITIAL_FORMS": initial}
        for number, channel in enumerate(channels):
            data |= {f"channels-{number}-{name}": value for name, value in channel.items()}
        return data

    return build
