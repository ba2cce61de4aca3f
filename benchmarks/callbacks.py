"""Delivery reports per second over real HTTP, against the floor and the usual way, in one run.

    python -m benchmarks.callbacks [--arrays 20] [--singles 1500] [--rounds 3]

Needs PostgreSQL and gunicorn.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.site.databases import own_database

DATABASE = "hyber_bench"
TOKEN = "current-token-0123456789"
ROUTES = {"floor": "/floor/", "ours": f"/hyber/{TOKEN}/reports/", "usual": "/usual/"}
ARRAY = 1_000
CLIENTS = {"array": 2, "single": 8}


def main() -> None:
    options = _options()
    with own_database(DATABASE, "postgres"):
        _compare(options)


def _compare(options: argparse.Namespace) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    with _server() as port:
        for kind, count in (("array", options.arrays), ("single", options.singles)):
            _measure(kind, count, options, port)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arrays", type=int, default=20, help=f"arrays of {ARRAY} in a round")
    parser.add_argument("--singles", type=int, default=1_500, help="single reports in a round")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def _measure(kind: str, count: int, options: argparse.Namespace, port: int) -> None:
    """Run the three ways one after another, round by round, so that a busy moment hits all of them."""
    rates: dict[str, list[float]] = {name: [] for name in ROUTES}
    size = ARRAY if kind == "array" else 1
    for _ in range(options.rounds):
        for name, route in ROUTES.items():
            # The usual way is so slow that a few arrays of it tell enough.
            number = max(2, count // 10) if name == "usual" and kind == "array" else count
            bodies = _prepare(number, size)
            rates[name].append(number * size / _post_all(bodies, route, port, CLIENTS[kind]))
    floor, usual = statistics.median(rates["floor"]), statistics.median(rates["usual"])
    for name, values in rates.items():
        rate = statistics.median(values)
        spread = f"[{min(values):,.0f}..{max(values):,.0f}]"
        ratios = f"{rate / floor:5.2f}x floor  {rate / usual:6.1f}x usual"
        print(f"{kind:7} {name:6} {rate:>9,.0f} reports/s {spread:>22}  {ratios}")


def _prepare(number: int, size: int) -> list[bytes]:
    """Fill the tables with accepted messages and return the bodies that report each of them once."""
    from django.db import connection
    from django.utils import timezone

    from django_hyber.db.bulk import insert_rows
    from django_hyber.models import Message

    columns = (
        "account",
        "phone_number",
        "extra_id",
        "variables",
        "status",
        "created_at",
        "channel",
        "error_text",
        "attempts",
    )
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE django_hyber_message CASCADE")
    now = timezone.now()
    people = range(number * size)
    for start in range(0, len(people), 10_000):
        rows: list[tuple[Any, ...]] = [
            ("default", f"38067{person:07d}", f"bench{person:020d}", {}, "accepted", now, "", "", 0)
            for person in people[start : start + 10_000]
        ]
        insert_rows(Message, columns, rows)
    reports = [_report(person) for person in people]
    groups = [reports[start : start + size] for start in range(0, len(reports), size)]
    return [json.dumps(group if size > 1 else group[0]).encode() for group in groups]


def _report(person: int) -> dict[str, object]:
    return {
        "number": f"38067{person:07d}",
        "time": 1_700_000_000_000 + person,
        "status": 2,
        "substatus": 23,
        "hyber_status": 23033,
        "message_id": f"9f60ac8f-e721-5027-b838-{person:012d}",
        "extra_id": f"bench{person:020d}",
        "sent_via": "viber",
    }


def _post_all(bodies: list[bytes], route: str, port: int, clients: int) -> float:
    """Post all bodies from so many clients with a connection each, and return the seconds that it took."""
    failures: list[int] = []
    threads = [
        threading.Thread(target=_client, args=(bodies[n::clients], route, port, failures)) for n in range(clients)
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"{route}: answered {failures[:5]}")
    return time.perf_counter() - started


def _client(bodies: list[bytes], route: str, port: int, failures: list[int]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for body in bodies:
        connection.request("POST", route, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        if response.status != http.HTTPStatus.OK:
            failures.append(response.status)
    connection.close()


@contextmanager
def _server() -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", "benchmarks.site.wsgi"]
    process = subprocess.Popen([*command, "--log-level", "warning", "--keep-alive", "60"])
    try:
        _wait_for(lambda: socket.create_connection(("127.0.0.1", port), timeout=1).close())
        time.sleep(1)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_for(attempt: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            attempt()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


if __name__ == "__main__":
    main()
