"""The sandbox as a context manager: serves in a thread."""

import time
from collections.abc import Callable
from threading import Thread
from typing import Self

from django_hyber.sandbox.ledger import Ledger, RecordedRequest
from django_hyber.sandbox.platform import Fault, FaultKind, Settings
from django_hyber.sandbox.server import SandboxServer


class Sandbox:
    """A local platform; serves between `start()` and `close()`, or inside a `with` block.

    Times are in seconds. `time_scale` shortens every TTL, `latency` is what a channel needs to deliver, `clock`
    returns epoch seconds. Port 0 takes a free one.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        client_id: str = "sandbox",
        login: str = "sandbox",
        password: str = "sandbox",  # noqa: S107 - nobody's secret
        latency: float = 0.05,
        time_scale: float = 0.01,
        report_batch: int = 1000,
        report_interval: float = 0.2,
        callbacks: bool = True,
        errors_as_200: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._address = (host, port)
        self._settings = Settings(
            client_id=client_id,
            login=login,
            password=password,
            latency=latency,
            time_scale=time_scale,
            report_batch=report_batch,
            report_interval=report_interval,
            callbacks=callbacks,
            errors_as_200=errors_as_200,
            clock=clock,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def start(self) -> None:
        """Bind the port and serve; raises OSError if the port is taken."""
        self._server = SandboxServer(self._address, self._settings)
        self._thread = Thread(target=self._server.serve_forever, args=[0.05], name="hyber-sandbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving; reports not yet sent are dropped."""
        self._server.close()
        self._thread.join()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://{self._address[0]}:{self._server.server_port}"

    @property
    def url(self) -> str:
        """The URL of single messages, and the beginning of all others: origin and client id."""
        return f"{self.origin}/{self._settings.client_id}"

    @property
    def ledger(self) -> Ledger:
        """The account of what was asked and done, up to now."""
        return self._server.platform.ledger

    @property
    def requests(self) -> list[RecordedRequest]:
        """The last requests, oldest first."""
        return self._server.platform.requests.last()

    def reset(self) -> None:
        """Forget messages, requests, faults and reports not yet sent."""
        self._server.reset()

    def fault(self, kind: FaultKind, *, count: int = 1, status: int = 502, seconds: float = 30.0) -> None:
        """Let the next POSTs fail; see docs/sandbox.rst for the kinds."""
        self._server.platform.faults.extend([Fault(kind, status, seconds)] * count)

    def flush(self) -> int:
        """Let everything happen now that is due or still to come; returns the number of steps."""
        return self._server.platform.flush()

    def wait_idle(self, timeout: float = 10.0) -> bool:
        """Wait until every report was answered or given up; False if that took too long."""
        return self._server.platform.wait_idle(timeout)
