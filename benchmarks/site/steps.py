"""Steps of a benchmark, each in a process of its own, so that their memory can be compared."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any


def start_step(module: str, step: str, *arguments: object) -> subprocess.Popen[bytes]:
    """Start a step of this benchmark."""
    command = [sys.executable, "-m", module, "--step", step, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def run_step(module: str, step: str, *arguments: object) -> dict[str, Any]:
    """Run a step to its end and return what it measured: seconds, CPU time, peak memory in MB, and the count."""
    process = start_step(module, step, *arguments)
    output, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{step} failed.")
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


def measure(count: int, work: Callable[[], object]) -> None:
    """Do the work of a step, and hand what it took to the process that has started it."""
    started, cpu_before = time.perf_counter(), time.process_time()
    work()
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak, "count": count}))


def migrate(count: int) -> None:
    """Make the tables."""
    import django
    from django.core.management import call_command

    django.setup()
    measure(count, lambda: call_command("migrate", verbosity=0))
