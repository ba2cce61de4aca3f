"""A campaign from its launch until all of it is accepted, against its floors and what one would use instead.

    python -m benchmarks.campaign [--recipients 10000 100000 1000000] [--on postgres sqlite]
                                  [--alternatives] [--workers]

All in one run. The floors are the least that the work takes: bare reading of the rows, bare posting of the same bytes
and parsing of the answers, bare bulk writing of the results. Each runs in a process of its own, so that memory can be
compared. Makes databases of its own and drops them. ``--alternatives`` needs django-post_office.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DATABASE = "hyber_bench_campaign"
SERVER = os.environ.get("HYBER_BENCH_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
BATCH = 10_000
ALTERNATIVES = ("loop", "pool", "post_office")


def main() -> None:
    options = _options()
    if options.step:
        STEPS[options.step](options.recipients[0])
        return
    for engine in options.on:
        for recipients in options.recipients:
            with _database(engine), _sandbox():
                _compare(engine, recipients, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipients", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--on", nargs="+", choices=("postgres", "sqlite"), default=["postgres", "sqlite"])
    parser.add_argument("--alternatives", action="store_true", help="also what one would use instead")
    parser.add_argument("--workers", action="store_true", help="also two workers against one")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    return parser.parse_args()


def _compare(engine: str, recipients: int, options: argparse.Namespace) -> None:
    _run("migrate", recipients)
    imported = _run("import", recipients)
    checked = _run("check", recipients)
    floors = {name: _run(name, recipients) for name in ("read", "post", "write")}
    _run("reset", recipients)
    sent = _run("send", recipients)
    floor = sum(result["seconds"] for result in floors.values())
    print(f"\n{engine}, {recipients:,} recipients, requests of {BATCH:,}")
    for name, result in (("import", imported), ("check", checked), *floors.items(), ("launch to accepted", sent)):
        _print(name, recipients, result)
    print(f"launch to accepted over its floors ({floor:.1f} s): {sent['seconds'] / floor:.2f}x", flush=True)
    if options.alternatives:
        _compare_alternatives(recipients / sent["seconds"])
    if options.workers:
        _compare_workers(recipients)


def _compare_alternatives(rate: float) -> None:
    for name in ALTERNATIVES:
        result = _run(name, 2_000)
        other = result["count"] / result["seconds"]
        print(f"{name:28} {other:>10,.0f} /s   a campaign is {rate / other:,.0f} times as fast", flush=True)


def _compare_workers(recipients: int) -> None:
    seconds = {}
    for workers in (1, 2):
        _run("reset", recipients)
        _run("launch", recipients)
        started = time.perf_counter()
        processes = [_start("work", recipients) for _ in range(workers)]
        for process in processes:
            process.communicate()
        seconds[workers] = time.perf_counter() - started
    print(f"two workers: {seconds[2]:.1f} s, one: {seconds[1]:.1f} s, {seconds[2] / seconds[1]:.2f}x", flush=True)


def _print(name: str, recipients: int, result: dict[str, Any]) -> None:
    rate = recipients / result["seconds"]
    print(f"{name:28} {result['seconds']:>8.1f} s {rate:>10,.0f} /s {result['peak']:>6.0f} MB", flush=True)


def _start(step: str, recipients: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.campaign", "--step", step, "--recipients", str(recipients)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _run(step: str, recipients: int) -> dict[str, Any]:
    process = _start(step, recipients)
    output, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{step} failed.")
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


@contextmanager
def _database(engine: str) -> Iterator[None]:
    os.environ |= {"DJANGO_SETTINGS_MODULE": "benchmarks.site.settings", "BENCH_DATABASE": DATABASE}
    if engine == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bench.sqlite3"
            os.environ |= {"DATABASE_URL": f"sqlite:///{path}", "BENCH_DATABASE": str(path)}
            yield
        return
    os.environ["DATABASE_URL"] = SERVER
    _administer(f'DROP DATABASE IF EXISTS "{DATABASE}" WITH (FORCE)', f'CREATE DATABASE "{DATABASE}"')
    try:
        yield
    finally:
        _administer(f'DROP DATABASE IF EXISTS "{DATABASE}" WITH (FORCE)')


def _administer(*statements: str) -> None:
    import psycopg

    with psycopg.connect(SERVER, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@contextmanager
def _sandbox() -> Iterator[None]:
    """Run the platform in a process of its own; nothing is called back."""
    command = [sys.executable, "-m", "benchmarks.site.platform"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        os.environ["BENCH_PLATFORM"] = process.stdout.readline().strip()
        yield
    finally:
        process.terminate()
        process.wait()


def _measured(recipients: int, work: Callable[[], object], **more: object) -> None:
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak": peak, "count": recipients, **more}))


def _django() -> None:
    import django
    from django.conf import settings

    platform = os.environ["BENCH_PLATFORM"]
    settings.HYBER["default"] |= {
        **dict.fromkeys(("API_URL", "BULK_URL", "REPORTS_URL"), platform),
        "CALLBACK_BASE_URL": "",
        "BATCH_SIZE": BATCH,
        "SYNC_LIMIT": BATCH,
        "READ_TIMEOUT": 120,
    }
    django.setup()


def _migrate(recipients: int) -> None:
    _django()
    from django.core.management import call_command

    _measured(recipients, lambda: call_command("migrate", verbosity=0))


def _people(recipients: int) -> Iterator[dict[str, str]]:
    return ({"phone": _phone(person), "name": f"Person {person}"} for person in range(recipients))


def _phone(person: int) -> str:
    """Return a number whose last digits ask nothing special of the sandbox: there are a million of them."""
    operator = (67, 68, 96, 97, 98, 50, 66, 95, 99, 63)[person // 100_000]
    return f"380{operator}{person % 100_000:05d}00"


def _import(recipients: int) -> None:
    _django()
    from django_hyber.models import Campaign
    from django_hyber.protocol import SMS, Viber
    from django_hyber.services import import_recipients

    campaign = Campaign.objects.create(name="Benchmark")
    texts = [Viber(text="Hi %name%", ttl=60), SMS(text="Hi %name%", alpha_name="SHOP", ttl=300)]
    campaign.set_channels(texts)
    _measured(recipients, lambda: import_recipients(campaign, _people(recipients)))


def _check(recipients: int) -> None:
    _django()
    from django_hyber.models import Campaign
    from django_hyber.services import preflight

    _measured(recipients, lambda: preflight(Campaign.objects.get()))


def _pages(recipients: int) -> Iterator[list[tuple[Any, ...]]]:
    from django.db import connection

    first, statement = (
        0,
        ("SELECT id, phone_number, extra_id, variables FROM django_hyber_message WHERE id > %s ORDER BY id LIMIT %s"),
    )
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, [first, BATCH])
            rows = cursor.fetchall()
        if not rows:
            return
        yield rows
        first = rows[-1][0]


def _read(recipients: int) -> None:
    _django()
    _measured(recipients, lambda: [len(rows) for rows in _pages(recipients)])


def _post(recipients: int) -> None:
    _django()
    import requests

    body = _body(range(BATCH))
    url = os.environ["BENCH_PLATFORM"] + "/broadcast/sync"
    session = requests.Session()
    session.auth = ("sandbox", "sandbox-password")
    headers = {"Content-Type": "application/json"}

    def post() -> None:
        for _ in range(0, recipients, BATCH):
            answer = session.post(url, data=body, headers=headers, timeout=120)
            assert len(json.loads(answer.content)["messages"]) == BATCH, answer.status_code

    _measured(recipients, post)


def _body(people: range) -> bytes:
    text = {"text": "Hi %name%"}
    options = {"viber": {**text, "ttl": 60}, "sms": {**text, "alpha_name": "SHOP", "ttl": 300}}
    recipients = [
        {"phone_number": int(_phone(person)), "extra_id": f"floor{person:019d}", "name": f"Person {person}"}
        for person in people
    ]
    channels = {"channels": ["viber", "sms"], "channel_options": options}
    return json.dumps({"recipients": recipients, "tag": "Benchmark"} | channels).encode()


def _write(recipients: int) -> None:
    """Write id, status and time of every message with one bare UPDATE a request."""
    _django()
    from django.db import connection, transaction
    from django.utils import timezone

    source = {
        "postgresql": "json_to_recordset(%s) AS r(id bigint, m text, s text, a timestamptz)",
        "sqlite": (
            "(SELECT value ->> 'id' AS id, value ->> 'm' AS m, value ->> 's' AS s, value ->> 'a' AS a "
            "FROM json_each(%s)) AS r"
        ),
    }[connection.vendor]
    statement = (
        "UPDATE django_hyber_message AS t SET message_id = r.m, status = r.s, accepted_at = r.a "
        f"FROM {source} WHERE t.id = r.id"
    )

    def write() -> None:
        now = str(timezone.now())
        for rows in keys:
            values = [
                {"id": key, "m": f"9f60ac8f-e721-5027-b838-{key:012d}", "s": "accepted", "a": now} for key in rows
            ]
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement, [json.dumps(values)])

    keys = [[row[0] for row in rows] for rows in _pages(recipients)]
    _measured(recipients, write)


def _reset(recipients: int) -> None:
    """Put everything back to before the launch, in new rows, as they are after an import."""
    _django()
    from django.db import connection

    from django_hyber.models import Batch, Campaign, Message

    Batch.objects.all().delete()
    Campaign.objects.update(status="draft", run=0)
    Message.objects.update(status="queued", message_id=None, accepted_at=None)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM FULL ANALYZE django_hyber_message")
    _measured(recipients, lambda: None)


def _send(recipients: int) -> None:
    _django()
    from django_hyber.models import Campaign
    from django_hyber.services import start_campaign

    _measured(recipients, lambda: start_campaign(Campaign.objects.get()))
    assert Campaign.objects.get().status == "finished"


def _launch(recipients: int) -> None:
    """Launch without sending: workers take it up."""
    _django()
    from datetime import timedelta

    from django.utils import timezone

    from django_hyber.models import Campaign
    from django_hyber.services import start_campaign

    Campaign.objects.update(start_time=timezone.now() + timedelta(days=1))
    _measured(recipients, lambda: start_campaign(Campaign.objects.get()))
    Campaign.objects.update(start_time=None, status="sending")


def _work(recipients: int) -> None:
    _django()
    from django_hyber.models import Campaign
    from django_hyber.services import dispatch

    def work() -> None:
        while Campaign.objects.filter(status="sending").exists():
            if not dispatch().total:
                time.sleep(0.05)

    _measured(recipients, work)


def _loop(count: int) -> None:
    """Send one by one with requests and save() the answer, as one does it by hand, without any latency."""
    _django()
    send = _sender()
    messages = _singles(count)
    _measured(count, lambda: [send(message) for message in messages])


def _pool(count: int) -> None:
    """The same in ten threads, with 50 ms of latency."""
    _django()
    from concurrent.futures import ThreadPoolExecutor

    messages, send = _singles(count), _sender(latency=0.05)
    with ThreadPoolExecutor(10) as pool:
        _measured(count, lambda: list(pool.map(send, messages)))


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
    _django()
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

    _measured(count, work)


STEPS: dict[str, Callable[[int], None]] = {
    "migrate": _migrate,
    "import": _import,
    "check": _check,
    "read": _read,
    "post": _post,
    "write": _write,
    "reset": _reset,
    "send": _send,
    "launch": _launch,
    "work": _work,
    "loop": _loop,
    "pool": _pool,
    "post_office": _post_office,
}

if __name__ == "__main__":
    main()
