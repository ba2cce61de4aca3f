"""How long a one-time code takes from send_message to its acceptance while one worker has other things to do.

    python -m benchmarks.one_time_code [--engines django-tasks-db celery-redis celery-rabbitmq] [--on postgres]
                                       [--scenes alone campaign queries idle] [--recipients 1000000]
                                       [--queries 5000] [--codes 40] [--idle 60]

Four scenes, on each engine: nothing else to do; beside a running campaign; with messages of an unknown outcome to be
queried; after idleness. The platform takes half a second for each request. Codes are sent at random moments, about one
a second, by a process that stays, as a web server does; the worker and the sweep are processes of their own. Makes a
database of its own and drops it. Redis and RabbitMQ must be running.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from benchmarks.site.databases import own_database
from benchmarks.site.project import start_project
from benchmarks.site.steps import run_step

DATABASE = "hyber_bench_one_time_code"
PLATFORM_TAKES = 0.5
ENGINES = ("django-tasks-db", "celery-redis", "celery-rabbitmq")
#: How often a code is sent after idleness: each takes a minute.
AFTER_IDLENESS = 5
PATIENCE = timedelta(minutes=2)


def main() -> None:
    options = _options()
    if options.step:
        STEPS[options.step](options)
        return
    for database in options.on:
        with own_database(DATABASE, database), _platform():
            run_step("benchmarks.campaign", "migrate", "--recipients", 0)
            run_step("benchmarks.campaign", "import", "--recipients", options.recipients)
            start_project()
            for engine in options.engines:
                _measure(engine, database, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--scenes", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--on", nargs="+", choices=("postgres", "sqlite", "mariadb"), default=["postgres"])
    parser.add_argument("--recipients", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=5_000)
    parser.add_argument("--codes", type=int, default=40)
    parser.add_argument("--idle", type=float, default=60, help="seconds")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def _platform() -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.site.platform", "--seconds", str(PLATFORM_TAKES)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        os.environ["BENCH_PLATFORM"] = process.stdout.readline().strip()
        yield
    finally:
        process.terminate()
        process.wait()


def _measure(name: str, database: str, options: argparse.Namespace) -> None:
    from django.conf import settings

    from django_hyber.models import Message
    from tests.processes.engines import PROGRAM, Engine

    Message.objects.filter(campaign=None).delete()
    run_step("benchmarks.campaign", "reset", "--recipients", 0)
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(name, settings.HYBER, Path(folder))
        try:
            # As in the documentation: the tests have it look more often.
            engine.start([*PROGRAM, "db_worker"]) if name == "django-tasks-db" else engine.start_worker()
            engine.start([*PROGRAM, "hyber_dispatch", "--loop"])
            for scene in options.scenes:
                seconds = _run(scene, engine.environment, options)
                print(f"{database:9} {name:16} {scene:10} {_distribution(seconds)}", flush=True)
        finally:
            engine.close()


def _run(scene: str, environment: dict[str, str], options: argparse.Namespace) -> list[float]:
    numbers = ("recipients", "queries", "codes", "idle")
    arguments = [text for name in numbers for text in (f"--{name}", str(getattr(options, name)))]
    command = [sys.executable, "-m", "benchmarks.one_time_code", "--step", scene, *arguments]
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    seconds: list[float] = json.loads(ended.stdout.splitlines()[-1])
    return seconds


def _distribution(seconds: list[float]) -> str:
    percentiles = statistics.quantiles(seconds, n=100, method="inclusive")
    return (
        f"p50 {percentiles[49]:5.2f} s   p99 {percentiles[98]:5.2f} s   max {max(seconds):5.2f} s   of {len(seconds)}"
    )


def _alone(options: argparse.Namespace) -> None:
    import django

    django.setup()
    _send_codes(options.codes, _about_a_second)


def _beside_a_campaign(options: argparse.Namespace) -> None:
    import django

    django.setup()
    from django.utils import timezone

    from django_hyber.models import Batch, Campaign
    from django_hyber.services import start_campaign

    # Everything is planned, and the sweep hands it to the worker.
    Campaign.objects.update(start_time=timezone.now() + timedelta(days=1))
    campaign = start_campaign(Campaign.objects.get())
    Campaign.objects.update(start_time=None, status="sending")
    batches = Batch.objects.filter(campaign=campaign)
    while not batches.filter(state="done").exists():
        time.sleep(0.1)
    _send_codes(options.codes, _about_a_second)
    assert batches.exclude(state="done").exists(), "The campaign was over before the codes: take more recipients."
    batches.filter(state="pending").update(state="done")


def _with_queries(options: argparse.Namespace) -> None:
    import django

    django.setup()
    from django.utils import timezone

    from django_hyber.models import Message

    rows = Message.objects.filter(status="unconfirmed", campaign=None)
    content = {"channels": ["sms"], "channel_options": {"sms": {"text": "Hi", "alpha_name": "SHOP", "ttl": 300}}}
    known = {"status": "unconfirmed", "not_found_after": timezone.now() + timedelta(days=1), "content": content}
    Message.objects.bulk_create(
        Message(phone_number=f"38067{number:05d}00", extra_id=f"unconfirmed{number}", **known)
        for number in range(options.queries)
    )
    while not rows.exclude(enqueued_at=None).exists():
        time.sleep(0.1)
    _send_codes(options.codes, _about_a_second)
    assert rows.exists(), "All were queried before the codes: take more queries."
    rows.delete()


def _after_idleness(options: argparse.Namespace) -> None:
    import django

    django.setup()
    _send_codes(AFTER_IDLENESS, lambda: options.idle)


def _about_a_second() -> float:
    return random.uniform(0.5, 1.5)


def _send_codes(count: int, pause: Callable[[], float]) -> None:
    """Send codes, and print how many seconds each of them took."""
    from django.utils import timezone

    from django_hyber.models import Message
    from django_hyber.protocol import SMS
    from django_hyber.services import send_message

    sent = {}
    for number in range(count):
        time.sleep(pause())
        before = timezone.now()
        text = SMS(text=f"Code {number:04d}", alpha_name="SHOP", ttl=300)
        sent[send_message(f"38050{number:05d}00", [text]).pk] = before
    codes = Message.objects.filter(pk__in=sent)
    while codes.filter(accepted_at=None).exists():
        assert timezone.now() - max(sent.values()) < PATIENCE, codes.filter(accepted_at=None).values("status").first()
        time.sleep(0.1)
    accepted = codes.values_list("pk", "accepted_at")
    print(json.dumps([(accepted_at - sent[pk]).total_seconds() for pk, accepted_at in accepted if accepted_at]))


STEPS: dict[str, Callable[[argparse.Namespace], None]] = {
    "alone": _alone,
    "campaign": _beside_a_campaign,
    "queries": _with_queries,
    "idle": _after_idleness,
}

if __name__ == "__main__":
    main()
