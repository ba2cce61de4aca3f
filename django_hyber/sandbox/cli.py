"""Runs the sandbox in the foreground, for `python -m django_hyber.sandbox` and `manage.py hyber_sandbox`."""

import signal
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, Final, Protocol

from django_hyber.sandbox.answers import UNKNOWN_ID_ANSWERS
from django_hyber.sandbox.number_outcomes import DELIVERED, FAULT_OUTCOMES, OUTCOMES, SEEN
from django_hyber.sandbox.platform import Settings
from django_hyber.sandbox.server import Sandbox

DEFAULT_ADDRESS: Final = "127.0.0.1:8900"
HIGHEST_PORT: Final = 65_535
_DEFAULTS: Final = Settings()
_OPTIONS: Final = {
    "client_id": "client id in the URLs",
    "login": "login to accept",
    "password": "password to accept",
    "latency": "seconds until a channel delivers",
    "time_scale": "factor applied to every TTL",
    "report_batch": "reports per callback at most",
    "report_interval": "seconds between callbacks with the reports of mass requests",
    "unknown_id": f"answer to a GET for an unknown id: {', '.join(UNKNOWN_ID_ANSWERS)}",
    "fault_seconds": "duration of faults selected by phone numbers, in seconds",
}
_SWITCHES: Final = ("callbacks", "errors_as_200", "report_each_channel")


class Output(Protocol):
    """The output of the two commands: sys.stdout, or Django's wrapper of it."""

    def write(self, text: str, /) -> object:
        """Write text."""

    def flush(self) -> object:
        """Flush, so that the reader of a pipe gets the text."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the address and the options."""
    parser.add_argument("addrport", nargs="?", default=DEFAULT_ADDRESS, help="port, or address:port (%(default)s)")
    for option, meaning in _OPTIONS.items():
        default = getattr(_DEFAULTS, option)
        flag = f"--{option.replace('_', '-')}"
        parser.add_argument(flag, type=type(default), default=default, help=f"{meaning} (%(default)s)")
    parser.add_argument("--no-callbacks", dest="callbacks", action="store_false", help="send no callbacks")
    parser.add_argument("--errors-as-200", action="store_true", help="answer error bodies with HTTP 200, not 400")
    parser.add_argument(
        "--report-each-channel", action="store_true", help="also send a callback for every channel that failed"
    )


def serve(options: Mapping[str, Any], out: Output) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises OSError if the address cannot be bound, ValueError if it is invalid."""
    host, port = _address(options["addrport"])
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    options_given = {name: options[name] for name in (*_OPTIONS, *_SWITCHES)}
    try:
        # Around everything: a process that reads the address may stop the sandbox before this thread sleeps.
        with suppress(KeyboardInterrupt), Sandbox(host, port, **options_given) as sandbox:
            out.write(_warning(host) + _welcome(sandbox, options))
            out.flush()
            while True:
                time.sleep(3600)
    finally:
        signal.signal(signal.SIGTERM, before)
    out.write("Hyber sandbox stopped.\n")


def _address(addrport: str) -> tuple[str, int]:
    host, _, port = addrport.rpartition(":")
    if not port.isdecimal() or int(port) > HIGHEST_PORT:
        raise ValueError(f"{addrport!r} is not a port, nor address:port, such as {DEFAULT_ADDRESS}")
    return host or "127.0.0.1", int(port)


def _warning(host: str) -> str:
    """Warn about an address that other machines may reach: the sandbox keeps phone numbers and texts for anybody."""
    with suppress(ValueError):
        if ip_address(host).is_loopback:
            return ""
    if host == "localhost":
        return ""
    return (
        f"WARNING: the sandbox listens on {host}, where other machines may reach it.\n"
        "Everybody there can read the messages in its ledger. Without an address, it listens on 127.0.0.1 only.\n\n"
    )


def _shown_password(password: str) -> str:
    """Return the default password, or a placeholder: a custom password may be used elsewhere too."""
    return password if password == _DEFAULTS.password else "..."


def _welcome(sandbox: Sandbox, options: Mapping[str, Any]) -> str:
    rows = [f"  {digits}  {outcome.sentence}" for digits, outcome in (FAULT_OUTCOMES | OUTCOMES).items()]
    url = f"{sandbox.origin}/{{client_id}}"
    return "\n".join(
        [
            f"Hyber sandbox at {sandbox.url}, stop it with Ctrl-C.",
            "",
            "The last two digits of a phone number choose the outcome of its message:",
            *rows,
            f"  any other: {DELIVERED.sentence}",
            "",
            "Settings for it:",
            "",
            "HYBER = {",
            '    "default": {',
            f'        "CLIENT_ID": "{options["client_id"]}",',
            f'        "LOGIN": "{options["login"]}",',
            f'        "PASSWORD": "{_shown_password(options["password"])}",',
            f'        "API_URL": "{url}",',
            f'        "BULK_URL": "{url}",',
            f'        "REPORTS_URL": "{url}",',
            '        "CALLBACK_BASE_URL": "http://127.0.0.1:8000",',
            '        "CALLBACK_TOKENS": ["only-for-the-sandbox"],',
            f'        "SEEN_CODES": [{SEEN}],',
            "    },",
            "}",
            "",
            f"Ledger: {sandbox.origin}/_sandbox/ledger",
            "",
        ]
    )
