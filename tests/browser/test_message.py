"""The page of a message, as support opens it."""

from __future__ import annotations

import pytest

from django_hyber.models import Campaign
from django_hyber.protocol import Viber
from django_hyber.services import import_recipients
from tests.samples import phone

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_picture_of_another_host_is_a_link(open_admin, complaints):
    campaign = Campaign.objects.create(name="Spring sale")
    picture = "https://pictures.example/cat.png"
    campaign.set_channels([Viber(text="Hi", ttl=60, img=picture, caption="Buy", action="https://shop.example")])
    import_recipients(campaign, [{"phone": phone(1)}])
    page = open_admin()
    page.goto(f"/admin/django_hyber/message/{campaign.messages.get().pk}/change/")

    page.locator(f"a[href='{picture}']").wait_for()
    assert complaints == []
