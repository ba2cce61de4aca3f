"""Open every page on big tables, and print what each took."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import django

REPEATS = 3
#: Milliseconds that a page may take.
LIMIT = 400
#: Queries of lists, beside the bare list; "biggest" and "newest" stand for campaigns, and what begins with @ for what a
#: message in the middle of the table has.
LISTS: dict[str, tuple[dict[str, Any], ...]] = {
    "message": (
        {"p": 100},
        {"p": 5_000},
        {"p": 10**6},
        {"q": "@phone_number"},
        {"q": "@extra_id"},
        {"q": "@message_id"},
        {"q": "nobody"},
        {"campaign": "biggest"},
        {"campaign": "biggest", "p": 100},
        {"campaign": "newest", "p": 100},
        {"campaign": "none"},
        {"campaign": "biggest", "status__exact": "rejected"},
        {"campaign": "biggest", "status__exact": "rejected", "error_code": 36024},
        {"campaign": "biggest", "status__exact": "queued"},
        {"campaign": "newest", "status__exact": "undelivered", "p": 20},
        {"status__exact": "delivered"},
        {"status__exact": "delivered", "p": 100},
        {"status__exact": "rejected"},
        {"status__exact": "queued"},
        {"channel": "viber"},
        {"channel": "whatsapp"},
        {"campaign": "biggest", "channel": "whatsapp"},
        {"created_at__gte": "2999-01-01 00:00:00+00:00"},
    ),
    "deliveryreport": (
        {"p": 5_000},
        {"waiting": "yes"},
        {"waiting": "no"},
        {"channel": "whatsapp"},
        {"received_at__gte": "2999-01-01 00:00:00+00:00"},
        {"q": "@extra_id"},
    ),
    "suppression": ({"q": "@phone_number"}, {"p": 100}),
    "reply": ({"read": "no"}, {"read": "yes"}, {"channel": "whatsapp"}, {"q": "@phone_number"}, {"p": 100}),
    "batch": ({"campaign": "biggest"}, {"state__exact": "failed"}),
}
#: What one can open on the biggest campaign once it is finished, and while it is a draft.
FINISHED_PAGES = ("change", "progress", "export", "copy", "retry")
DRAFT_PAGES = ("change", "import", "preflight", "preview")
Page = tuple[str, Callable[[], Any]]


def measure(messages: int) -> None:
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from benchmarks.site.tables import fill

    started = time.perf_counter()
    call_command("migrate", verbosity=0)
    fill(messages)
    print(f"made in {time.perf_counter() - started:.0f} s; {connection.vendor}\n", flush=True)
    client = _client()
    print(f"{'page':<86} {'ms':>7} {'queries':>8}")
    slow = [name for name, open_page in pages(client, messages) if _print_times(name, open_page) > LIMIT]
    print(f"\nover {LIMIT} ms: {', '.join(slow) or 'none'}")


def pages(client: Any, messages: int) -> Iterator[Page]:
    """Yield every registered list and change page, and what one can do on the biggest."""
    yield from _registered(client)
    yield "dashboard", _getter(client, "admin:app_list", "django_hyber")
    yield from _pages_of_the_biggest(client)
    yield from _figures(client)
    yield from _narrowed_lists(client, messages)
    yield from _actions(client)


def _registered(client: Any) -> Iterator[Page]:
    from django.contrib import admin

    for model in admin.site._registry:
        if model._meta.app_label != "django_hyber":
            continue
        name = model._meta.model_name
        yield f"{name}: list", _getter(client, f"admin:django_hyber_{name}_changelist")
        newest = model._default_manager.order_by("-pk").first()
        if newest:
            yield f"{name}: page", _getter(client, f"admin:django_hyber_{name}_change", newest.pk)


def _pages_of_the_biggest(client: Any) -> Iterator[Page]:
    from django_hyber.models import Campaign

    biggest = Campaign.objects.order_by("pk")[0]
    for status, names in (("finished", FINISHED_PAGES), ("draft", DRAFT_PAGES)):
        Campaign.objects.filter(pk=biggest.pk).update(status=status)
        for name in names:
            page = _getter(client, f"admin:django_hyber_campaign_{name}", biggest.pk)
            yield f"the biggest campaign, {status}: {name}", page
    Campaign.objects.filter(pk=biggest.pk).update(status="finished")


def _figures(client: Any) -> Iterator[Page]:
    from django.utils import timezone

    from django_hyber.models import Campaign

    newest = list(Campaign.objects.order_by("pk").values_list("pk", flat=True)[:5])
    for count in (2, 5):
        query = {"ids": ",".join(map(str, newest[:count]))}
        yield f"compare {count} campaigns", _getter(client, "admin:django_hyber_campaign_compare", query=query)
    today = timezone.localdate()
    for days in (30, 60):
        query = {"since": str(today - timedelta(days=days)), "until": str(today)}
        yield f"figures of {days} days", _getter(client, "admin:django_hyber_campaign_period", query=query)
    yield "status codes", _getter(client, "admin:django_hyber_deliveryreport_codes")


def _narrowed_lists(client: Any, messages: int) -> Iterator[Page]:
    from django_hyber.models import Campaign, Message

    message = Message.objects.order_by("pk")[messages // 3]
    places = {
        "biggest": Campaign.objects.order_by("pk")[0].pk,
        "newest": Campaign.objects.order_by("-pk")[0].pk,
        **{f"@{column}": getattr(message, column) for column in ("phone_number", "extra_id", "message_id")},
    }
    for name, queries in LISTS.items():
        for query in queries:
            given = {key: places.get(value, value) for key, value in query.items()}
            named = " ".join(f"{key}={value}" for key, value in given.items())
            yield f"{name}: list {named}", _getter(client, f"admin:django_hyber_{name}_changelist", query=given)


def _actions(client: Any) -> Iterator[Page]:
    """Yield the questions that come before an action on all of a long list."""
    from django.urls import reverse

    from django_hyber.models import Campaign

    biggest = Campaign.objects.order_by("pk")[0]
    address = f"{reverse('admin:django_hyber_message_changelist')}?campaign={biggest.pk}"
    data = {"action": "retry_selected", "_selected_action": "1", "select_across": "1"}
    yield "message: send all of the biggest campaign again, the question", lambda: client.post(address, data)


def _getter(client: Any, name: str, *arguments: Any, query: dict[str, Any] | None = None) -> Callable[[], Any]:
    from django.urls import reverse

    address = reverse(name, args=arguments)
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
