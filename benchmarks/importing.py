"""An import of recipients from a CSV file, against the least that loading and validating the same rows takes.

    python -m benchmarks.importing [--rows 100000] [--rounds 3] [--on postgres sqlite] [--querysets]

The floors are a bare load of ready rows (COPY on PostgreSQL, executemany on SQLite) and ``phonenumbers.parse`` of every
number. The import reads the file, finds out its encoding, validates, finds duplicates and reports; the background job
reads it twice, and commits page by page with its progress. Every step runs in a process of its own, in turn, and the
median of the rounds counts. Makes databases of its own and drops them.

``--querysets`` compares querysets with dicts instead, which are read from the same table: once with whole numbers for
keys, and once with UUIDs. There the steps alternate, and what counts is the median of their CPU time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.site.databases import own_database
from benchmarks.site.steps import measure, migrate, run_step

DATABASE = "hyber_bench_importing"
FLOORS = ("load", "parse")
IMPORTS = ("import", "job")
#: A queryset, and what it is compared with.
PAIRS = {"queryset": "dicts", "queryset, UUID keys": "dicts, UUID keys"}
NEW_UUID = {"postgresql": "gen_random_uuid()", "sqlite": "lower(hex(randomblob(16)))"}
NOTATIONS = ("380{0}{1}", "+380 {0} {1}", "0{0}-{1}")
COLUMNS = (
    "campaign_id account phone_number extra_id variables status channel error_text attempts created_at".split()  # noqa: SIM905
)


def main() -> None:
    options = _options()
    if options.step:
        STEPS[options.step](options.rows)
        return
    for engine in options.on:
        with tempfile.TemporaryDirectory() as folder, own_database(DATABASE, engine):
            os.environ["BENCH_FOLDER"] = folder
            compare = _compare_querysets if options.querysets else _compare_files
            compare(engine, options.rows, options.rounds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--on", nargs="+", choices=("postgres", "sqlite"), default=["postgres", "sqlite"])
    parser.add_argument("--querysets", action="store_true")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    return parser.parse_args()


def _compare_files(engine: str, rows: int, rounds: int) -> None:
    _write_file(rows)
    _run("migrate", rows)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in (*FLOORS, *IMPORTS)}
    for _round in range(rounds):
        for name, results in found.items():
            results.append(_run(name, rows))
    print(f"\n{engine}, {rows:,} rows, median of {rounds}")
    seconds = {name: statistics.median(result["seconds"] for result in results) for name, results in found.items()}
    for name, results in found.items():
        peak = max(result["peak"] for result in results)
        print(f"{name:28} {seconds[name]:>8.2f} s {rows / seconds[name]:>10,.0f} /s {peak:>6.0f} MB", flush=True)
    floor = sum(seconds[name] for name in FLOORS)
    for name in IMPORTS:
        print(f"{name} against its floors ({floor:.2f} s): {floor / seconds[name]:.2f} of their rate", flush=True)


def _compare_querysets(engine: str, rows: int, rounds: int) -> None:
    _run("migrate", rows)
    _run("people", rows)
    print(f"\n{engine}, {rows:,} rows, median of {rounds}")
    for pair in PAIRS.items():
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in pair}
        for number in range(rounds):
            for name in pair if number % 2 else reversed(pair):
                found[name].append(_run(name, rows))
        for name, results in found.items():
            cpu, seconds = (statistics.median(result[unit] for result in results) for unit in ("cpu", "seconds"))
            peak = max(result["peak"] for result in results)
            print(f"{name:28} {cpu:>8.2f} s CPU {seconds:>8.2f} s {peak:>6.0f} MB", flush=True)
        ratios = (first["cpu"] / second["cpu"] for first, second in zip(*found.values(), strict=True))
        print(f"{' against '.join(pair)}: {statistics.median(ratios):.2f} of its CPU time", flush=True)


def _run(step: str, rows: int) -> dict[str, Any]:
    return run_step("benchmarks.importing", step, "--rows", rows)


def _path() -> Path:
    return Path(os.environ["BENCH_FOLDER"]) / "people.csv"


def _write_file(rows: int) -> None:
    with _path().open("w", encoding="utf-8") as file:
        file.write("phone;name;city\n")
        file.writelines(f"{_written(person)};Людина {person};Київ\n" for person in range(rows))


def _written(person: int) -> str:
    operator = (67, 68, 96, 97, 98, 50, 66, 95, 99, 63)[person // 10_000_000]
    return NOTATIONS[person % len(NOTATIONS)].format(operator, f"{person % 10_000_000:07d}")


def _django() -> None:
    import django

    django.setup()


def _campaign() -> Any:
    """Return a campaign without recipients, in a table without rows."""
    _django()
    from django.db import connection

    from django_hyber.models import BackgroundJob, Campaign, Message

    BackgroundJob.objects.all().delete()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("TRUNCATE django_hyber_message CASCADE")
        else:
            Message.objects.all()._raw_delete(using="default")
    return Campaign.objects.create(name="Benchmark")


def _load(rows: int) -> None:
    from datetime import UTC, datetime

    from django_hyber.protocol import normalize_phone

    campaign = _campaign()
    now = datetime.now(UTC)
    ready = [
        (
            *(campaign.pk, "default", normalize_phone(_written(person)), f"bench{person:019d}"),
            *(json.dumps({"name": f"Людина {person}", "city": "Київ"}, ensure_ascii=False), "queued", "", "", 0, now),
        )
        for person in range(rows)
    ]
    measure(rows, lambda: _load_rows(ready))


def _load_rows(ready: list[tuple[Any, ...]]) -> None:
    from django.db import connection, transaction

    names = ", ".join(COLUMNS)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY django_hyber_message ({names}) FROM STDIN") as copy:
                for row in ready:
                    copy.write_row(row)
        else:
            marks = ", ".join("?" * len(COLUMNS))
            statement = f"INSERT INTO django_hyber_message ({names}) VALUES ({marks})"
            connection.connection.executemany(statement, [(*row[:-1], str(row[-1])) for row in ready])


def _parse(rows: int) -> None:
    import phonenumbers

    written = [_written(person) for person in range(rows)]

    def parse() -> None:
        for number in written:
            phonenumbers.parse(number, "UA")

    measure(rows, parse)


def _import(rows: int) -> None:
    campaign = _campaign()
    from django_hyber.services import import_recipients

    with _path().open("rb") as file:
        measure(rows, lambda: import_recipients(campaign, file))
    assert campaign.messages.count() == rows


def _job(rows: int) -> None:
    """The way of the admin: the file is kept, and a worker imports it."""
    campaign = _campaign()
    from django.conf import settings
    from django.core.files import File

    from django_hyber.services import confirm_upload, keep_upload

    settings.MEDIA_ROOT = os.environ["BENCH_FOLDER"]
    columns = {"phone_column": "phone", "variables": {"name": "name", "city": "city"}}
    with _path().open("rb") as file:
        upload = keep_upload(campaign, None, File(file, name="people.csv"))
    measure(rows, lambda: confirm_upload(upload, columns, at_once=True))
    assert campaign.messages.count() == rows


def _people(rows: int) -> None:
    """Fill the tables of a project: one with whole numbers for keys, one with UUIDs."""
    _django()
    from django.core.management import call_command
    from django.db import connection

    from benchmarks.site.rows import insert_rows, padded, refresh_statistics, text
    from tests.store.models import Customer, Order

    call_command("migrate", run_syncdb=True, verbosity=0)
    phone, name = text("'38067'", padded("n", 7)), text("'Людина '", "n")
    insert_rows(Order, rows, phone=phone, status="'new'")
    insert_rows(Customer, rows, id=NEW_UUID[connection.vendor], phone=phone, first_name=name)
    refresh_statistics()
    measure(rows, lambda: None)


def _import_people(rows: int, model: str, variable: str, *, dicts: bool) -> None:
    campaign = _campaign()
    from django.apps import apps

    from django_hyber.services import import_recipients

    people: Any = apps.get_model("store", model)._default_manager.all()
    if dicts:
        people = people.values("phone", variable).iterator()
    measure(rows, lambda: import_recipients(campaign, people, phone="phone", variables={variable: variable}))
    assert campaign.messages.count() == rows


STEPS: dict[str, Callable[[int], None]] = {
    "migrate": migrate,
    "load": _load,
    "parse": _parse,
    "import": _import,
    "job": _job,
    "people": _people,
    "queryset": partial(_import_people, model="order", variable="status", dicts=False),
    "dicts": partial(_import_people, model="order", variable="status", dicts=True),
    "queryset, UUID keys": partial(_import_people, model="customer", variable="first_name", dicts=False),
    "dicts, UUID keys": partial(_import_people, model="customer", variable="first_name", dicts=True),
}

if __name__ == "__main__":
    main()
