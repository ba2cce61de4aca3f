"""The sandbox for benchmarks: prints its address and serves until it is stopped."""

from __future__ import annotations

import argparse
import signal

from django_hyber.sandbox import Sandbox

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--seconds", type=float, default=0, help="how long each answer takes")
seconds = parser.parse_args().seconds
with Sandbox(client_id="sandbox", login="sandbox", password="sandbox-password", callbacks=False) as sandbox:
    if seconds:
        sandbox.fault("late_answer", seconds=seconds, count=None, paths=("single", "bulk", "status", "reports"))
    print(sandbox.url, flush=True)
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
