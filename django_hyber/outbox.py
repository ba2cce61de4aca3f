"""The outbox of a project's tests: while Django's test environment is set up, requests end here and none is sent.

A process that runs no tests never imports ``django.test.utils``, so there this costs a look into ``sys.modules``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from django.conf import settings

from django_hyber.protocol import HyberClient, ReportNotFound, channel_from_wire, render_channel
from django_hyber.protocol.client import Body, Check, encode_body
from django_hyber.protocol.outcomes import HttpAnswer

#: The value of the setting HYBER_TESTING with which tests send real requests, for those with a sandbox of their own.
WIRE = "wire"


@dataclass(frozen=True, kw_only=True)
class SentMessage:
    """A message as the platform would have got it.

    ``channels`` are the names in fallback order, ``options`` those of each channel with the recipient's own values.
    ``body`` is the whole request; all recipients of a batch share it. ``phone_number`` is the number in the request,
    which is REDIRECT_TO if that is set.
    """

    phone_number: str
    extra_id: str
    channels: list[str]
    options: Mapping[str, Mapping[str, Any]]
    body: Mapping[str, Any] = field(repr=False)


#: The messages of the current test, in the order of sending.
outbox: list[SentMessage] = []


def is_active() -> bool:
    """Return whether requests go to the outbox: in tests, unless HYBER_TESTING is "wire"."""
    # Django offers no other way to ask. Its mail.outbox exists outside of tests too, with the locmem backend.
    state = getattr(sys.modules.get("django.test.utils"), "_TestState", None)
    return hasattr(state, "saved_data") and getattr(settings, "HYBER_TESTING", "") != WIRE


@cache
def clear_before_each_test() -> None:
    """Have Django's test cases empty the outbox where they empty that of their mails."""
    from django.test import SimpleTestCase  # noqa: PLC0415  never outside of tests

    original = SimpleTestCase._pre_setup  # type: ignore[attr-defined]

    def set_up(cls: type[SimpleTestCase]) -> None:
        outbox.clear()
        original.__func__(cls)

    SimpleTestCase._pre_setup = classmethod(set_up)  # type: ignore[attr-defined]


class OutboxClient(HyberClient):
    """Accepts every request like the platform, and has no reports."""

    def check(self) -> int:
        """Answer as the platform does to an account that works."""
        return HTTPStatus.METHOD_NOT_ALLOWED

    def fetch_campaign_status(self, job_id: str) -> list[Any]:
        """Raise ReportNotFound."""
        raise ReportNotFound(HTTPStatus.NOT_FOUND)

    def fetch_report(
        self, *, message_id: str | None = None, extra_id: str | None = None, advanced: bool = False
    ) -> Any:
        """Raise ReportNotFound."""
        raise ReportNotFound(HTTPStatus.NOT_FOUND)

    def _post(self, url: str, body: Body, before_write: Check | None, *, limit: int = 0) -> HttpAnswer:
        clear_before_each_test()
        sent = json.loads(body if isinstance(body, bytes) else encode_body(body))
        if before_write:
            before_write()
        messages = list(_messages(sent))
        outbox.extend(messages)
        return HttpAnswer(status=HTTPStatus.OK, headers={}, content=json.dumps(self._answer(url, messages)).encode())

    def _answer(self, url: str, messages: list[SentMessage]) -> dict[str, Any]:
        if url == self.api_url:
            return {"message_id": str(uuid4())}
        if not url.endswith("/sync"):
            return {"job_id": str(uuid4())}
        return {
            "messages": [
                {"phone_number": item.phone_number, "extra_id": item.extra_id, "message_id": str(uuid4())}
                for item in messages
            ]
        }


def _messages(body: dict[str, Any]) -> Iterator[SentMessage]:
    """Yield the messages of a request of any kind."""
    contents = [channel_from_wire(name, body["channel_options"][name]) for name in body["channels"]]
    for entry in body.get("recipients") or body.get("messages") or [body]:
        options = {channel.name: render_channel(channel, entry).to_wire() for channel in contents}
        if "messages" in body:
            options = {name: {**known, "text": entry["text"]} for name, known in options.items()}
        yield SentMessage(
            phone_number=str(entry["phone_number"]),
            extra_id=entry.get("extra_id", ""),
            channels=body["channels"],
            options=body["channel_options"] if entry is body else options,
            body=body,
        )
