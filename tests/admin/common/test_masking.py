from datetime import UTC, datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from django_hyber.models import DeliveryReport, FormerOptOut, Message, Reply, Suppression, UnreadableCallback

pytestmark = pytest.mark.django_db
PHONE = "380671234567"
ROWS = {
    Message: {
        "phone_number": PHONE,
        "extra_id": "order-1",
        "status": "undelivered",
        "error_text": f"No route to {PHONE}",
    },
    DeliveryReport: {"phone_number": PHONE, "extra_id": "order-1", "fingerprint": "1", "raw": {"phone": PHONE}},
    Reply: {"phone_number": PHONE, "text": f"Call me: {PHONE}", "account": "default", "raw": {"phone_number": PHONE}},
    Suppression: {"phone_number": PHONE, "reason": f"{PHONE} has called"},
    FormerOptOut: {
        "phone_number": PHONE,
        "reason": f"{PHONE} has called",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "ended_at": datetime(2026, 1, 2, tzinfo=UTC),
    },
    UnreadableCallback: {"kind": "reports", "body": f"phone={PHONE}", "reason": f"strange {PHONE}"},
}


@pytest.fixture
def row(request):
    return request.param.objects.create(**ROWS[request.param])


every_table = pytest.mark.parametrize("row", ROWS, indirect=True, ids=lambda model: model._meta.model_name)


def url_of(row, page, *arguments):
    return reverse(f"admin:django_hyber_{row._meta.model_name}_{page}", args=arguments)


@every_table
@pytest.mark.parametrize("page", ["changelist", "change"])
def test_numbers_are_shown_only_to_those_who_may_see_them(client, admin_user, log_in, row, page):
    url = url_of(row, page, *([row.pk] if page == "change" else []))
    log_in(f"view_{row._meta.model_name}")
    hidden = client.get(url).content.decode()
    client.force_login(admin_user)

    assert PHONE not in hidden
    assert PHONE in client.get(url).content.decode()


def test_the_number_is_masked_while_it_is_taken_off_the_list(client, log_in):
    row = Suppression.objects.create(**ROWS[Suppression])
    log_in("view_suppression", "delete_suppression")
    chosen = {"action": "delete_selected", "_selected_action": row.pk}

    pages = [
        client.get(url_of(row, "delete", row.pk)),
        client.post(url_of(row, "changelist"), chosen),
        client.post(url_of(row, "changelist"), {**chosen, "post": "yes"}, follow=True),
    ]

    assert not Suppression.objects.exists()
    assert all(page.status_code == 200 and PHONE not in page.content.decode() for page in pages)
    assert [PHONE in entry.object_repr for entry in LogEntry.objects.all()] == [False]
