"""What one would use instead of a campaign: the same work by hand, or by a queue for e-mails."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from benchmarks.site.project import start_project
from benchmarks.site.steps import measure


def _loop(count: int) -> None:
    """Send one by one with requests and save() the answer, as one does it by hand, without any latency."""
    start_project()
    send = _sender()
    messages = _singles(count)
    measure(count, lambda: [send(message) for message in messages])


def _pool(count: int) -> None:
    """The same in ten threads, with 50 ms of latency."""
    start_project()
    from concurrent.futures import ThreadPoolExecutor

    messages, send = _singles(count), _sender(latency=0.05)
    with ThreadPoolExecutor(10) as pool:
        measure(count, lambda: list(pool.map(send, messages)))


def _singles(count: int) -> list[Any]:
    from django_hyber.models import Message

    return list(Message.objects.order_by("pk")[:count])


def _sender(latency: float = 0.0) -> Callable[[Any], None]:
    import threading

    import requests
    from django.utils import timezone

    local = threading.local()
    url = os.environ["BENCH_PLATFORM"]

    def send(message: Any) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.auth = ("sandbox", "sandbox-password")
        options = {"sms": {"text": "Hi", "alpha_name": "SHOP", "ttl": 300}}
        body = {"phone_number": int(message.phone_number), "channels": ["sms"], "channel_options": options}
        time.sleep(latency)
        answer = local.session.post(url, json=body, timeout=60).json()
        message.message_id, message.status, message.accepted_at = answer["message_id"], "accepted", timezone.now()
        message.save()

    return send


def _post_office(_count: int) -> None:
    """django-post_office with its best settings: queue and send 10,000 e-mails to nowhere."""
    count = 10_000
    os.environ["BENCH_POST_OFFICE"] = "yes"
    start_project()
    from django.core.management import call_command
    from post_office import mail

    call_command("migrate", verbosity=0)

    def work() -> None:
        for start in range(0, count, 1_000):
            emails = [
                {"sender": "shop@example.com", "recipients": [f"{n}@example.com"], "subject": "Hi", "message": "Hi"}
                for n in range(start, start + 1_000)
            ]
            mail.send_many(emails)
            mail.send_queued()

    measure(count, work)


ALTERNATIVES: dict[str, Callable[[int], None]] = {"loop": _loop, "pool": _pool, "post_office": _post_office}
