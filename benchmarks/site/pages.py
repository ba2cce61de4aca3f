"""Fill the tables, open every page, print what each took."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import django

REPEATS = 3
#: Milliseconds that a page may take.
LIMIT = 400
STATUSES = (
    ("delivered", 70),
    ("seen", 85),
    ("expired", 90),
    ("undelivered", 94),
    ("rejected", 96),
    ("accepted", 98),
    ("suppressed", 99),
)


def measure(messages: int) -> None:
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    started = time.perf_counter()
    call_command("migrate", verbosity=0)
    fill(messages)
    print(f"made in {time.perf_counter() - started:.0f} s; {connection.vendor}\n", flush=True)
    client = _client()
    print(f"{'page':<86} {'ms':>7} {'queries':>8}")
    slow = [name for name, open_page in pages(client, messages) if _print_times(name, open_page) > LIMIT]
    print(f"\nover {LIMIT} ms: {', '.join(slow) or 'none'}")


def fill(messages: int) -> None:
    """A fifth in one campaign, a tenth without any, the rest in seven; a report for each, some of all the others."""
    from benchmarks.site.rows import insert_rows, padded, parameter, refresh_statistics, text
    from django_hyber.models import (
        Batch,
        Campaign,
        DeliveryReport,
        Message,
        Reply,
        Suppression,
        UnreadableCallback,
    )
    from django_hyber.protocol import SMS, Viber

    campaigns = [Campaign.objects.create(name=f"Campaign {number}", account="default") for number in range(8)]
    for campaign in campaigns:
        campaign.set_channels([Viber(text="Hi %name%", ttl=60), SMS(text="Hi", alpha_name="SHOP", ttl=300)])
    Campaign.objects.update(status="finished", run=1)
    tenth = messages // 10
    campaign_of = (
        f"CASE WHEN n <= {2 * tenth} THEN {campaigns[0].pk} WHEN n <= {9 * tenth}"
        f" THEN {campaigns[1].pk} + ({_div(f'n - 1 - {2 * tenth}', tenth)}) END"
    )
    phone = text("'38067'", padded("n", 7))
    cases = " ".join(f"WHEN n %% 100 < {most} THEN {parameter(name)}" for name, most in STATUSES)
    status = f"CASE {cases} ELSE 'unconfirmed' END"
    channel = "CASE WHEN n %% 100 >= 85 THEN '' WHEN n %% 3 = 0 THEN 'sms' ELSE 'viber' END"
    insert_rows(
        Message,
        messages,
        campaign_id=campaign_of,
        phone_number=phone,
        extra_id=text("'bench'", padded("n", 20)),
        message_id=text("'9f60ac8f-e721-5027-b838-'", padded("n", 12)),
        variables='\'{"name": "Olena"}\'',
        status=status,
        channel=channel,
        error_code="CASE WHEN n %% 100 >= 94 AND n %% 100 < 96 THEN 36024 END",
    )
    insert_rows(
        DeliveryReport,
        messages,
        message_id="n",
        account=parameter("default"),
        fingerprint=padded("n", 32),
        hyber_message_id=text("'9f60ac8f-e721-5027-b838-'", padded("n", 12)),
        phone_number=phone,
        channel=channel,
        status="2",
        hyber_status="23033",
        raw=parameter('{"status": 2, "hyber_status": 23033, "number": 380671234567, "message_id": "m"}'),
    )
    few = max(100, messages // 50)
    insert_rows(
        Reply,
        few,
        message_id="n",
        account=parameter("default"),
        fingerprint=padded("n", 32),
        channel=parameter("viber"),
        phone_number=phone,
        text=text("'Reply '", "n"),
        raw=parameter('{"text_from_subscriber": "Reply"}'),
    )
    insert_rows(Suppression, few * 5, phone_number=phone)
    insert_rows(
        UnreadableCallback,
        few,
        kind=parameter("reports"),
        account=parameter("default"),
        body=parameter("<html>"),
        reason=parameter("no JSON"),
    )
    insert_rows(
        Batch,
        max(1, messages // 5_000),
        campaign_id=str(campaigns[0].pk),
        run="1",
        first_id="n * 5000",
        last_id="n * 5000 + 4999",
        size="5000",
        state=parameter("done"),
    )
    refresh_statistics()


def _div(expression: str, divisor: int) -> str:
    from django.db import connection

    return f"({expression}) DIV {divisor}" if connection.vendor == "mysql" else f"({expression}) / {divisor}"


def pages(client: Any, messages: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield every registered list and change page, and what one can do on the biggest."""
    from django.contrib import admin
    from django.urls import reverse

    from django_hyber.models import Campaign, Message

    for model in admin.site._registry:
        if model._meta.app_label != "django_hyber":
            continue
        name = model._meta.model_name
        address = reverse(f"admin:django_hyber_{name}_changelist")
        newest = model.objects.order_by("-pk").first()
        yield f"{name}: list", _getter(client, address)
        if newest:
            yield f"{name}: page", _getter(client, reverse(f"admin:django_hyber_{name}_change", args=[newest.pk]))
    biggest, newest_campaign = Campaign.objects.order_by("pk").first(), Campaign.objects.order_by("pk").last()
    assert biggest
    assert newest_campaign
    yield "dashboard", _getter(client, reverse("admin:app_list", args=["django_hyber"]))
    yield "the biggest campaign", _getter(client, reverse("admin:django_hyber_campaign_change", args=[biggest.pk]))
    message = Message.objects.order_by("pk")[messages // 3]
    lists = {
        "message": (
            {"p": 100},
            {"p": 5_000},
            {"p": 10**6},
            {"q": message.phone_number},
            {"q": message.extra_id},
            {"q": message.message_id},
            {"q": "nobody"},
            {"campaign": biggest.pk},
            {"campaign": biggest.pk, "p": 100},
            {"campaign": newest_campaign.pk, "p": 100},
            {"campaign": "none"},
            {"campaign": biggest.pk, "status__exact": "rejected"},
            {"campaign": biggest.pk, "status__exact": "rejected", "error_code": 36024},
            {"campaign": biggest.pk, "status__exact": "queued"},
            {"campaign": newest_campaign.pk, "status__exact": "undelivered", "p": 20},
            {"status__exact": "delivered"},
            {"status__exact": "delivered", "p": 100},
            {"status__exact": "rejected"},
            {"status__exact": "queued"},
            {"channel": "viber"},
            {"channel": "whatsapp"},
            {"campaign": biggest.pk, "channel": "whatsapp"},
            {"created_at__gte": "2999-01-01 00:00:00+00:00"},
        ),
        "deliveryreport": (
            {"p": 5_000},
            {"waiting": "yes"},
            {"waiting": "no"},
            {"channel": "whatsapp"},
            {"received_at__gte": "2999-01-01 00:00:00+00:00"},
            {"q": message.extra_id},
        ),
        "suppression": ({"q": message.phone_number}, {"p": 100}),
        "reply": ({"read": "no"}, {"read": "yes"}, {"channel": "whatsapp"}, {"q": message.phone_number}, {"p": 100}),
        "batch": ({"campaign": biggest.pk}, {"state__exact": "failed"}),
    }
    for name, queries in lists.items():
        address = reverse(f"admin:django_hyber_{name}_changelist")
        for query in queries:
            named = " ".join(f"{key}={value}" for key, value in query.items())
            yield f"{name}: list {named}", _getter(client, address, query)


def _getter(client: Any, address: str, query: dict[str, Any] | None = None) -> Callable[[], Any]:
    return lambda: client.get(address, query)


def _print_times(name: str, open_page: Callable[[], Any]) -> float:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        status = open_page().status_code
    number = len(queries)
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        open_page()
        times.append(1_000 * (time.perf_counter() - started))
    middle = statistics.median(times)
    wrong = "" if status == 200 else f"  answered {status}"
    print(f"{name[:86]:<86} {middle:>7.0f} {number:>8}{wrong}", flush=True)
    return middle


def _client() -> Any:
    from django.contrib.auth import get_user_model
    from django.test import Client

    client = Client()
    client.force_login(get_user_model().objects.create_superuser("bench", password="bench"))
    # The first page compiles the templates.
    client.get("/admin/django_hyber/message/")
    return client
