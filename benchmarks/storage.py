"""What a message and its report take in the database, and how fast they can be applied, purged and deleted.

    python -m benchmarks.storage [--messages 200000]

Rates are also given for a second of CPU time of this process and its PostgreSQL backend together, which depends less on
other work of the machine. Needs Linux, and PostgreSQL on this machine. Makes a database of its own and drops it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.site.databases import own_database

DATABASE = "hyber_bench_storage"
PAGE = 10_000
ARRAY = 1_000


def main() -> None:
    options = _options()
    if options.measure:
        _measure(options.messages)
        return
    command = [sys.executable, "-m", "benchmarks.storage", "--measure", "--messages", str(options.messages)]
    with own_database(DATABASE, "postgres"):
        subprocess.run(command, check=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(count: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from django_hyber.models import Campaign, DeliveryReport, Message
    from django_hyber.services import import_recipients, purge_personal_data

    call_command("migrate", verbosity=0)
    campaign = Campaign.objects.create(name="Benchmark")
    _time("import", count, lambda: import_recipients(campaign, _people(count)))
    _print_size(Message, "a message, imported")
    _time("accept", count, _accept)
    _time("apply reports in arrays of 1,000", count, _report)
    _print_size(Message, "a message, delivered")
    _print_size(DeliveryReport, "a report")
    Message.objects.update(finished_at="2020-01-01T00:00:00Z")
    _vacuum()
    _time("purge", count, lambda: purge_personal_data(timedelta(days=1)))
    _time("delete with the reports", count, _delete)


def _people(count: int) -> Iterator[dict[str, str]]:
    for person in range(count):
        yield {"phone": f"+380{(67, 68, 96, 97, 98)[person // 10_000_000]}{person % 10_000_000:07d}", "name": "Olena"}


def _pages() -> Iterator[Any]:
    from django_hyber.models import Message

    keys = Message.objects.order_by("pk").values_list("pk", flat=True)
    for start in range(keys[0], (keys.last() or 0) + 1, PAGE):
        yield Message.objects.filter(pk__gte=start, pk__lt=start + PAGE)


def _accept() -> None:
    """Write what the answer to a batch writes."""
    from django.db.models import F, Value
    from django.db.models.functions import Concat
    from django.utils import timezone

    for page in _pages():
        page.update(
            status="accepted",
            message_id=Concat(Value("3f1c5e7a-9f30-4e53-"), F("extra_id")),
            accepted_at=timezone.now(),
        )


def _report() -> None:
    from django_hyber.services import apply_delivery_reports

    for page in _pages():
        rows = list(page.values_list("message_id", "extra_id", "phone_number"))
        for start in range(0, len(rows), ARRAY):
            apply_delivery_reports([_report_of(*row) for row in rows[start : start + ARRAY]])


def _report_of(message_id: str, extra_id: str, phone_number: str) -> dict[str, Any]:
    return {
        "number": phone_number,
        "time": time.time_ns() // 1_000_000,
        "status": 2,
        "substatus": 23,
        "hyber_status": 23033,
        "message_id": message_id,
        "extra_id": extra_id,
        "sent_via": "viber",
    }


def _delete() -> None:
    from django_hyber.models import DeliveryReport

    for page in _pages():
        DeliveryReport.objects.filter(message__in=page)._raw_delete("default")
        page._raw_delete("default")


def _time(name: str, count: int, work: Callable[[], object]) -> None:
    started, used = time.perf_counter(), _cpu_time()
    work()
    seconds, cpu = time.perf_counter() - started, _cpu_time() - used
    print(f"{name:36} {count / seconds:>10,.0f} messages a second, {count / cpu:,.0f} a second of CPU", flush=True)


def _cpu_time() -> float:
    """Return the CPU time of this process and of the backend of its connection."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    user, system = Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[11:13]
    return time.process_time() + (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _vacuum() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _print_size(model: Any, name: str) -> None:
    from django.db import connection

    _vacuum()
    with connection.cursor() as cursor:
        table = model._meta.db_table
        cursor.execute("SELECT pg_relation_size(%s), pg_indexes_size(%s), count(*) FROM " + table, [table, table])
        rows, indexes, count = cursor.fetchone()
    print(f"{name:36} {rows / count:>10,.0f} bytes, and {indexes / count:,.0f} in indexes", flush=True)


if __name__ == "__main__":
    main()
