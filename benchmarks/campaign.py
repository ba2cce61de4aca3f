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
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.site.alternatives import ALTERNATIVES
from benchmarks.site.databases import own_database
from benchmarks.site.project import BATCH, start_project
from benchmarks.site.steps import measure, migrate, run_step, start_step

DATABASE = "hyber_bench_campaign"


def main() -> None:
    options = _options()
    if options.step:
        STEPS[options.step](options.recipients[0])
        return
    for engine in options.on:
        for recipients in options.recipients:
            with own_database(DATABASE, engine), _sandbox():
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
    # Without statistics of the new rows, the floor would read them by a bad plan, and look higher than it is.
    _run("reset", recipients)
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
        _compare_workers(recipients, floor)


def _compare_alternatives(rate: float) -> None:
    for name in ALTERNATIVES:
        result = _run(name, 2_000)
        other = result["count"] / result["seconds"]
        print(f"{name:28} {other:>10,.0f} /s   a campaign is {rate / other:,.0f} times as fast", flush=True)


def _compare_workers(recipients: int, floor: float) -> None:
    seconds = {}
    for workers in (1, 2):
        _run("reset", recipients)
        launched = _run("launch", recipients)
        started = time.perf_counter()
        processes = [_start("work", recipients) for _ in range(workers)]
        for process in processes:
            process.communicate()
        seconds[workers] = launched["seconds"] + time.perf_counter() - started
    print(
        f"launch to accepted with two workers: {seconds[2]:.1f} s, {seconds[2] / seconds[1]:.2f}x of one, "
        f"{seconds[2] / floor:.2f}x of its floors",
        flush=True,
    )


def _print(name: str, recipients: int, result: dict[str, Any]) -> None:
    rate = recipients / result["seconds"]
    print(f"{name:28} {result['seconds']:>8.1f} s {rate:>10,.0f} /s {result['peak']:>6.0f} MB", flush=True)


def _start(step: str, recipients: int) -> subprocess.Popen[bytes]:
    return start_step("benchmarks.campaign", step, "--recipients", recipients)


def _run(step: str, recipients: int) -> dict[str, Any]:
    return run_step("benchmarks.campaign", step, "--recipients", recipients)


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


def _people(recipients: int) -> Iterator[dict[str, str]]:
    return ({"phone": _phone(person), "name": f"Person {person}"} for person in range(recipients))


def _phone(person: int) -> str:
    """Return one of ten million numbers whose last digits ask nothing special of the sandbox: 00 to 09."""
    operator = (67, 68, 96, 97, 98, 50, 66, 95, 99, 63)[person // 1_000_000]
    line, ending = person % 100_000, person // 100_000 % 10
    return f"380{operator}{line:05d}{ending:02d}"


def _import(recipients: int) -> None:
    start_project()
    from django_hyber.models import Campaign
    from django_hyber.protocol import SMS, Viber
    from django_hyber.services import import_recipients

    campaign = Campaign.objects.create(name="Benchmark")
    texts = [Viber(text="Hi %name%", ttl=60), SMS(text="Hi %name%", alpha_name="SHOP", ttl=300)]
    campaign.set_channels(texts)
    measure(recipients, lambda: import_recipients(campaign, _people(recipients)))


def _check(recipients: int) -> None:
    start_project()
    from django_hyber.models import Campaign
    from django_hyber.services import preflight

    measure(recipients, lambda: preflight(Campaign.objects.get()))


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
    start_project()
    measure(recipients, lambda: [len(rows) for rows in _pages(recipients)])


def _post(recipients: int) -> None:
    start_project()
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

    measure(recipients, post)


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
    start_project()
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
    measure(recipients, write)


def _reset(recipients: int) -> None:
    """Put everything back to before the launch, in new rows, as they are after an import."""
    start_project()
    from django.db import connection

    from django_hyber.models import Batch, Campaign, Message

    Batch.objects.all().delete()
    Campaign.objects.update(status="draft", run=0)
    Message.objects.update(status="queued", message_id=None, accepted_at=None)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM FULL ANALYZE django_hyber_message")
    measure(recipients, lambda: None)


def _send(recipients: int) -> None:
    start_project()
    from django_hyber.models import Campaign
    from django_hyber.services import start_campaign

    measure(recipients, lambda: start_campaign(Campaign.objects.get()))
    assert Campaign.objects.get().status == "finished"


def _launch(recipients: int) -> None:
    """Launch without sending: workers take it up."""
    start_project()
    from datetime import timedelta

    from django.utils import timezone

    from django_hyber.models import Campaign
    from django_hyber.services import start_campaign

    Campaign.objects.update(start_time=timezone.now() + timedelta(days=1))
    measure(recipients, lambda: start_campaign(Campaign.objects.get()))
    Campaign.objects.update(start_time=None, status="sending")


def _work(recipients: int) -> None:
    start_project()
    from django_hyber.models import Campaign
    from django_hyber.services import dispatch

    def work() -> None:
        while Campaign.objects.filter(status="sending").exists():
            if not dispatch().total:
                time.sleep(0.05)

    measure(recipients, work)


STEPS: dict[str, Callable[[int], None]] = {
    "migrate": migrate,
    "import": _import,
    "check": _check,
    "read": _read,
    "post": _post,
    "write": _write,
    "reset": _reset,
    "send": _send,
    "launch": _launch,
    "work": _work,
    **ALTERNATIVES,
}

if __name__ == "__main__":
    main()
