"""The sandbox for benchmarks: prints its address and serves until it is stopped."""

from __future__ import annotations

import signal

from django_hyber.sandbox import Sandbox

with Sandbox(client_id="sandbox", login="sandbox", password="sandbox-password", callbacks=False) as sandbox:
    print(sandbox.url, flush=True)
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
