"""The callbacks of the platform: authenticate, parse, call the service, answer.

Answers: 200 stored · 400 not JSON · 403 wrong token or network · 413 too large · 500 failure on our side.
The views override the project's REST framework settings, so that callbacks do not depend on them.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable
from typing import Any

from django.db import connections, transaction
from django.http import HttpRequest
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler

from django_hyber import protocol, services
from django_hyber.callbacks.networks import is_allowed
from django_hyber.conf import Account, find_account_by_token
from django_hyber.log_events import LogEvent
from django_hyber.services import CallbackKind

logger = logging.getLogger("django_hyber.callbacks")
#: A report has at least a hundred bytes, so a valid body has fewer items than its bytes divided by this.
LEAST_BYTES = 100
#: So many items may be smaller.
FEW_ITEMS = 1_000
#: The first bytes of a gzip file. No JSON begins with them.
GZIP = b"\x1f\x8b"
TOO_MANY = "The array has more items than a callback of this size can have."


class OnlyOne(BaseContentNegotiation):
    """Always answers in JSON, regardless of the Accept header."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> None:
        """Return None: the view reads the raw body, regardless of its content type."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the only renderer."""
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class HasToken(BasePermission):
    """Requires one of the CALLBACK_TOKENS of an account. The token identifies the account."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Compare the token in constant time, and set the account on the view."""
        account = find_account_by_token(view.kwargs["token"].strip())
        if account is None:
            logger.warning("A callback with a wrong token was rejected", extra={"event": LogEvent.CALLBACK_TOKEN})
            return False
        if not is_allowed(account, request.META):
            logger.warning(
                "A callback from outside of CALLBACK_NETWORKS was rejected",
                extra={"event": LogEvent.CALLBACK_NETWORK, "account": account.name},
            )
            return False
        view.account = account  # type: ignore[attr-defined]
        return True


class CallbackView(APIView):
    """The base of both callbacks: a POST of a JSON object or an array of objects."""

    account: Account
    kind: CallbackKind
    http_method_names = ["post", "options"]
    authentication_classes = ()
    permission_classes = (HasToken,)
    throttle_classes = ()
    parser_classes = ()
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = OnlyOne
    versioning_class = None
    schema = None

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Exempt the view from ATOMIC_REQUESTS: on an error, it would roll back what is already stored."""
        view = super().as_view(**initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def get_exception_handler(self) -> Any:
        """Use the framework's default handler: a project's handler may answer in another format."""
        return exception_handler

    def post(self, request: Request, token: str) -> Response:
        """Store the items and answer. Signals are sent after commit."""
        most = self.account.callback_max_bytes
        body = unpacked(read_body(request._request, most + 1), most)
        if len(body) > most:
            logger.warning(
                "A callback of more than %d bytes was rejected",
                most,
                extra={"event": LogEvent.CALLBACK_TOO_LARGE, "account": self.account.name},
            )
            return Response({"error": f"The body is larger than {most} bytes."}, status=413)
        items, problem = read_items(body, max(FEW_ITEMS, most // LEAST_BYTES))
        if problem == TOO_MANY:
            # Stored as it came: parsing millions of items would exceed the platform's timeout.
            services.keep_unreadable_body(self.kind, body, problem, account=self.account.name)
            return Response({"received": 1, "stored": 0, "unreadable": 1})
        if problem:
            services.keep_unreadable_body(self.kind, body, problem, account=self.account.name)
            return Response({"error": problem}, status=400)
        return Response({"received": len(items), **store(self.kind, items, self.account.name)})

    def handle_exception(self, exc: Exception) -> Response:
        """Log failures on our side and answer 500. Django's own logging would include the path with the token."""
        try:
            return super().handle_exception(exc)
        except Exception:  # noqa: BLE001  it is logged
            # Without an account, the settings of one cannot be read.
            account = self.account.name if hasattr(self, "account") else ""
            logger.error(  # noqa: TRY400
                "A callback could not be stored\n%s",
                protocol.describe_traceback(exc),
                extra={"event": LogEvent.CALLBACK_FAILED, "account": account},
            )
            return Response({"error": "The callback could not be stored. Send it again."}, status=500)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Prevent Django from logging error responses, for the same reason."""
        response._has_been_logged = True
        return super().finalize_response(request, response, *args, **kwargs)


class ReportsView(CallbackView):
    """The address for delivery reports, single or in arrays (guide, chapter 4)."""

    kind = CallbackKind.REPORTS


class RepliesView(CallbackView):
    """The address for user replies in Viber and WhatsApp (guide, chapter 6)."""

    kind = CallbackKind.REPLIES


def store(kind: CallbackKind, items: list[Any], account: str) -> dict[str, int]:
    """Pass the items to their services and return the counts for the answer.

    ``kind`` is that of the address. What arrives at the wrong one is stored as what it is: otherwise, a request to stop
    would be lost.
    """
    is_misplaced = protocol.is_reply if kind == CallbackKind.REPORTS else protocol.is_report
    misplaced = [item for item in items if is_misplaced(item)]
    if not misplaced:
        return STORE[kind](items, account)
    logger.warning(
        "%d items of the other kind arrived at the address for %s: check the addresses that GMS was given",
        len(misplaced),
        kind,
        extra={"event": LogEvent.CALLBACK_MISPLACED, "account": account},
    )
    own = [item for item in items if not is_misplaced(item)]
    replies, reports = (misplaced, own) if kind == CallbackKind.REPORTS else (own, misplaced)
    # Replies first: one may ask to stop, even if the reports beside it cannot be stored.
    counts = store_replies(replies, account)
    for name, count in store_reports(reports, account).items():
        counts[name] = counts.get(name, 0) + count
    return counts


def store_reports(items: list[Any], account: str) -> dict[str, int]:
    """Apply delivery reports and return the counts for the answer."""
    result = services.apply_delivery_reports(items, account=account)
    return {"stored": result.stored, "unreadable": result.unreadable}


def store_replies(items: list[Any], account: str) -> dict[str, int]:
    """Store replies and return the counts for the answer."""
    return {"stored": services.apply_replies(items, account=account)}


STORE = {CallbackKind.REPORTS: store_reports, CallbackKind.REPLIES: store_replies}


def read_body(request: HttpRequest, limit: int) -> bytes:
    """Read up to ``limit`` bytes from the stream, so that DATA_UPLOAD_MAX_MEMORY_SIZE of the project does not apply.

    Django considers a chunked body empty because it has no length. It is read if the server marks the end of the body.
    """
    stream: Any = request
    if not request.META.get("CONTENT_LENGTH") and request.META.get("wsgi.input_terminated"):
        stream = request.META["wsgi.input"]
    return bytes(stream.read(limit))


def unpacked(body: bytes, most: int) -> bytes:
    """Return a body that a proxy has compressed with gzip, unpacked up to one byte more than ``most``.

    A damaged one is returned as it came.
    """
    if not body.startswith(GZIP) or len(body) > most:
        return body
    stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        whole = stream.decompress(body, most + 1)
    except zlib.error:
        return body
    return whole if stream.eof or len(whole) > most else body


def read_items(body: bytes, most: int) -> tuple[list[Any], str]:
    """Return the items of the body and "", or an empty list and the error; no more than ``most`` are built."""
    try:
        payload = protocol.read_items(body, most)
    except protocol.TooManyItems:
        return [], TOO_MANY
    except (ValueError, RecursionError):
        return [], "The body is not JSON."
    if isinstance(payload, dict):
        return [payload], ""
    if isinstance(payload, list):
        return payload, ""
    return [], "The body is neither a JSON object nor an array of objects."
