from __future__ import annotations

import pytest

from tests.admin.pages import confirm, url_of

LIST = "/admin/django_hyber/campaign/"
READ_ONLY = ("message", "batch", "deliveryreport", "reply")


@pytest.fixture
def ready(draft, add_recipients):
    add_recipients(draft, 1)
    return draft


def test_writing_a_campaign_does_not_include_sending_it(client, ready, log_in):
    log_in("add_campaign", "change_campaign", "view_campaign", "delete_campaign")

    assert url_of(ready, "preflight") not in client.get(url_of(ready, "change")).content.decode()
    assert "send_selected" not in client.get(LIST).content.decode()
    assert client.get(url_of(ready, "preflight")).status_code == 403
    assert client.post(url_of(ready, "preflight")).status_code == 403
    client.post(LIST, {"action": "send_selected", "_selected_action": ready.pk, "post": "yes"})
    ready.refresh_from_db()
    assert ready.status == "draft"


def test_sending_a_campaign_does_not_include_writing_it(client, ready, log_in):
    log_in("view_campaign", "send_campaign")

    page = client.get(url_of(ready, "change")).content.decode()
    assert url_of(ready, "preflight") in page
    assert url_of(ready, "import") not in page
    assert client.get(url_of(ready, "import")).status_code == 403

    confirm(client, ready)
    ready.refresh_from_db()
    assert ready.status == "sending"


def test_whoever_may_change_a_campaign_may_change_its_channels(client, ready, log_in, campaign_form):
    log_in("change_campaign")
    viber, sms = ready.channels.all()
    rows = [
        {"id": row.pk, "campaign": ready.pk, "position": row.position, **row.options, "text": "New"}
        for row in (viber, sms)
    ]

    client.post(url_of(ready, "change"), campaign_form(*rows, initial=2))

    assert [channel.text for channel in ready.get_channels()] == ["New", "New"]


def test_sending_needs_to_see_the_campaign(client, ready, log_in):
    log_in("send_campaign")

    assert client.get(url_of(ready, "preflight")).status_code == 403
    assert client.post(url_of(ready, "preflight")).status_code == 403


@pytest.mark.parametrize("page", ["import", "preflight"])
def test_strangers_are_asked_to_log_in(client, ready, page):
    response = client.post(url_of(ready, page))

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("model", READ_ONLY)
def test_nobody_adds_history(admin_client, model):
    assert admin_client.get(f"/admin/django_hyber/{model}/add/").status_code == 403
    assert admin_client.get(f"/admin/django_hyber/{model}/").status_code == 200
