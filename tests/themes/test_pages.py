"""With another look of the admin every page opens, and what it is for is on it (``tox -e themes-unfold``)."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from django_hyber.admin.common import paginators
from tests.browser.scenes import busy_jobs, open_shop
from tests.browser.test_every_page import pages_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(admin_user):
    return open_shop("en", admin_user, size=0.05)


def opened(client, name, *arguments):
    response = client.get(reverse(f"admin:django_hyber_{name}", args=arguments))
    assert response.status_code == 200
    return response.content.decode()


def address(page, campaign):
    return reverse(f"admin:django_hyber_campaign_{page}", args=[campaign.pk])


def test_every_page_opens(admin_client, shop):
    answers = {name: admin_client.get(url).status_code for name, url in pages_of(shop).items()}

    assert {name: status for name, status in answers.items() if status != 200} == {}


def test_a_campaign_on_its_way_shows_how_it_goes_and_can_be_stopped(admin_client, shop):
    page = opened(admin_client, "campaign_change", shop.sending.pk)

    assert {"numbers", "buttons", "statuses", "funnel", "channels", "timeline"} <= set(
        re.findall(r'data-part="(\w+)"', page)
    )
    assert f'form="hyber-actions" formaction="{address("pause", shop.sending)}"' in page
    assert f'href="{address("cancel", shop.sending)}"' in page
    assert page.count('<form id="hyber-actions"') == 1
    # A form in a form is taken for its end.
    assert page.index('<form id="hyber-actions"') > page.index('id="hyber-progress"')
    assert "</form>" in page[page.index('id="hyber-progress"') : page.index('<form id="hyber-actions"')]


def test_a_draft_is_written_and_sent(admin_client, shop):
    page = opened(admin_client, "campaign_change", shop.draft.pk)

    for name in ("import", "preflight", "test", "copy"):
        assert address(name, shop.draft) in page, name
    assert "This draft has 40 recipients." in page
    assert 'name="channels-0-text"' in page
    assert "hyber-preview-pane" in page


def test_the_index_page_has_its_numbers(admin_client, shop):
    page = admin_client.get(reverse("admin:app_list", args=["django_hyber"])).content.decode()

    assert {"delivered", "waiting-sending", "unread", "unmatched"} <= set(re.findall(r'data-figure="([\w-]+)"', page))


def test_lists_have_their_actions_and_ways_in_and_out(admin_client, shop):
    assert 'value="retry_selected"' in opened(admin_client, "message_changelist")
    page = opened(admin_client, "suppression_changelist")
    assert reverse("admin:django_hyber_suppression_import") in page
    assert reverse("admin:django_hyber_suppression_export") in page


def test_the_list_of_opted_out_numbers_shows_background_work(admin_client, shop, admin_user):
    busy_jobs(None, admin_user)

    page = opened(admin_client, "suppression_changelist")

    assert 'data-job="running"' in page
    assert page.count('<form id="hyber-actions"') == 1


def test_a_long_list_says_what_its_number_is_worth(admin_client, shop, monkeypatch):
    monkeypatch.setattr(paginators, "MOST_COUNTED", 100)
    url = f"{reverse('admin:django_hyber_message_changelist')}?campaign={shop.sending.pk}"

    assert "can be shown: narrow the list" in admin_client.get(url).content.decode()


def test_a_message_tells_its_way(admin_client, shop):
    page = opened(admin_client, "message_change", shop.message.pk)

    assert page.index("Viber") < page.index("SMS delivered")
    assert "<summary>JSON</summary>" in page


def test_what_is_pressed_is_done(admin_client, shop):
    admin_client.post(address("pause", shop.sending))
    shop.sending.refresh_from_db()

    assert shop.sending.status == "paused"
    assert admin_client.get(address("change", shop.sending)).status_code == 200
