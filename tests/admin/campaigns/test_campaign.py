from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from django_hyber.admin.channels import unsaved
from django_hyber.models import Batch, Campaign, Message

LIST = "/admin/django_hyber/campaign/"


def url_of(campaign, page="change"):
    return reverse(f"admin:django_hyber_campaign_{page}", args=[campaign.pk])


@pytest.fixture
def launched(draft, add_recipients):
    add_recipients(draft, 3, status=Message.Status.DELIVERED, channel="viber")
    add_recipients(draft, 1, status=Message.Status.SEEN, channel="viber")
    add_recipients(draft, 1, status=Message.Status.EXPIRED)
    Batch.objects.create(
        campaign=draft, first_id=1, last_id=5, size=5, state="failed", attempts=8, error_text="Gave up"
    )
    Campaign.objects.update(status=Campaign.Status.FINISHED, run=1)
    draft.refresh_from_db()
    return draft


def cells_of(page, line):
    """The numbers of one line of the table: of each channel, then of the campaign."""
    row = re.search(rf'<tr data-line="{line}">(.*?)</tr>', page, re.DOTALL)[1]
    cells = re.findall(r'<td class="hyber-number">(.*?)</td>', row)
    return [re.sub(r"<span.*?</span>|<abbr.*?</abbr>", "", cell).strip() for cell in cells]


def test_the_numbers_of_each_channel_and_of_the_campaign_stand_beside_each_other(
    admin_client, launched, settings, add_recipients
):
    settings.HYBER = {"default": {"PRICES": {"viber": "0.45", "sms": "0.98"}}}
    sms = {"channel": "sms", "other_channels": "viber:expired", "total_sms_parts": 3, "delivered_sms_parts": 2}
    add_recipients(launched, 1, status=Message.Status.DELIVERED, clicks=2, **sms)
    page = admin_client.get(url_of(launched)).content.decode()

    assert cells_of(page, "tried") == ["5", "1", "1", "6"]
    assert cells_of(page, "delivered") == ["4", "1", "0", "5"]
    assert cells_of(page, "not_delivered") == ["1", "0", "1", "1"]
    assert cells_of(page, "seen") == ["1", "–", "–", "1"]
    assert cells_of(page, "clicks") == ["–", "2", "–", "2"]
    assert cells_of(page, "total_parts") == ["–", "3", "–", "3"]
    assert cells_of(page, "delivered_parts") == ["–", "2", "–", "2"]
    assert cells_of(page, "partly_delivered") == ["–", "1", "–", "1"]
    assert cells_of(page, "cost") == ["1.80", "2.94", "–", "4.74"]


def test_the_table_says_nothing_of_parts_where_no_sms_was_delivered(admin_client, launched):
    page = admin_client.get(url_of(launched)).content.decode()

    assert 'data-line="delivered"' in page
    assert 'data-line="total_parts"' not in page


def test_the_list_shows_numbers_and_channels(admin_client, launched):
    page = admin_client.get(LIST).content.decode()

    assert '<td class="field-recipients">5</td><td class="field-delivered">4</td>' in page
    assert "Viber → SMS" in page


def test_the_list_takes_the_same_queries_whatever_its_length(
    admin_client, draft, add_recipients, django_assert_num_queries
):
    def add_campaigns(count):
        for number in range(count):
            campaign = Campaign.objects.create(name=f"Campaign {number}")
            campaign.set_channels(draft.get_channels())
            add_recipients(campaign, 2)

    add_campaigns(2)
    with django_assert_num_queries(6):
        admin_client.get(LIST)
    add_campaigns(15)
    with django_assert_num_queries(6):
        admin_client.get(LIST)


def test_a_draft_says_how_many_recipients_it_has(admin_client, draft, add_recipients):
    add_recipients(draft, 2)

    page = admin_client.get(url_of(draft)).content.decode()

    assert "This draft has 2 recipients." in page
    assert url_of(draft, "import") in page
    assert url_of(draft, "preflight") in page


def test_a_launched_campaign_shows_how_it_goes(admin_client, launched):
    page = admin_client.get(url_of(launched)).content.decode()

    assert "Delivered: <b>4</b> of 5 (80 %)" in page
    assert re.search(r'data-channel="viber">\s*<th scope="row">.*Viber</th>\s*<td class="hyber-number">4</td>', page)
    assert '<tr data-status="expired">' in page
    assert "Gave up" in page
    assert f'href="/admin/django_hyber/message/?campaign={launched.pk}"' in page


def test_nobody_counts_as_sent_to_who_was_left_out_or_stopped_in_time(admin_client, launched, add_recipients):
    add_recipients(launched, 2, status=Message.Status.SUPPRESSED)
    add_recipients(launched, 3, status=Message.Status.CANCELLED)
    Campaign.objects.update(status=Campaign.Status.CANCELLED)

    page = admin_client.get(url_of(launched)).content.decode()

    assert "Sent: <b>5</b> of 10 (50 %)" in page
    assert "Sent: 50 %" in page


def test_every_chart_has_a_name(admin_client, launched):
    launched.messages.update(finished_at=timezone.now())

    page = admin_client.get(url_of(launched)).content.decode()

    assert re.findall(r'<title id="[\w-]+">(.*?)</title>', page) == [
        "Messages by status",
        "Funnel",
        "Which channel delivered",
        "Delivered and failed messages, by minute",
    ]
    assert "<figcaption>Delivered and failed messages, by minute <span" in page
    assert 'role="region" aria-label="Delivered and failed messages, by minute"' in page


def test_a_launched_campaign_is_read_only(admin_client, launched, campaign_form):
    page = admin_client.get(url_of(launched)).content.decode()
    assert 'name="name"' not in page
    assert 'name="channels-0-text"' not in page
    assert "Hi</p>" in page
    assert url_of(launched, "import") not in page
    assert url_of(launched, "preflight") not in page

    response = admin_client.post(url_of(launched), campaign_form(name="Changed"), follow=True)

    assert "was launched in the meantime" in response.content.decode()
    launched.refresh_from_db()
    assert launched.name == "Spring sale"


def test_a_launched_campaign_cannot_be_deleted(admin_client, launched):
    assert admin_client.post(url_of(launched, "delete"), {"post": "yes"}).status_code == 403
    response = admin_client.post(
        LIST, {"action": "delete_selected", "_selected_action": launched.pk, "post": "yes"}, follow=True
    )
    assert "Only drafts can be deleted" in response.content.decode()
    assert Campaign.objects.filter(pk=launched.pk).exists()


def test_a_draft_can_be_deleted_with_its_recipients(admin_client, draft, add_recipients):
    add_recipients(draft, 3)

    assert "Spring sale" in admin_client.get(url_of(draft, "delete")).content.decode()
    admin_client.post(url_of(draft, "delete"), {"post": "yes"})

    assert not Campaign.objects.exists()
    assert not Message.objects.exists()


def test_drafts_can_be_deleted_from_the_list(admin_client, draft, add_recipients):
    add_recipients(draft, 3)
    data = {"action": "delete_selected", "_selected_action": draft.pk}

    assert "Spring sale" in admin_client.post(LIST, data).content.decode()
    admin_client.post(LIST, {**data, "post": "yes"})

    assert not Campaign.objects.exists()


def test_draft_that_somebody_else_deletes_at_the_same_moment_is_no_error(admin_client, draft, monkeypatch):
    def delete_first(request, edited):
        Campaign.objects.filter(pk=edited.pk).delete()
        return lock_posted(request, edited)

    lock_posted = unsaved.lock_posted
    monkeypatch.setattr(unsaved, "lock_posted", delete_first)

    assert admin_client.post(url_of(draft, "delete"), {"post": "yes"}).status_code == 302


def test_the_page_takes_the_same_queries_whatever_its_length(
    admin_client, launched, add_recipients, django_assert_num_queries
):
    admin_client.get(url_of(launched))
    with django_assert_num_queries(12):
        admin_client.get(url_of(launched))
    add_recipients(launched, 30, status=Message.Status.UNDELIVERED)
    # Of undelivered messages it is counted how many had been accepted.
    with django_assert_num_queries(13):
        admin_client.get(url_of(launched))


def test_whoever_may_only_view_sees_the_channels(client, draft, log_in):
    log_in("view_campaign")

    page = client.get(url_of(draft)).content.decode()

    assert "Hi</p>" in page
    assert 'name="name"' not in page
    assert url_of(draft, "import") not in page
