"""The callbacks of the platform: authenticate, parse, call the service, answer.

Answers: 200 stored · 400 not JSON · 403 wrong token · 413 too large · 500 our own failure, send it again. The views
take nothing from the project's REST framework settings, so that a callback works whatever those say.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
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

from django_hyber import services
from django_hyber.conf import Account, find_account_by_token
from django_hyber.protocol import read_json
from django_hyber.services import CallbackKind

logger = logging.getLogger("django_hyber.callbacks")
#: A report has a hundred bytes and more, so no body of CALLBACK_MAX_BYTES, as it is by default, has as many of them.
MAX_ITEMS = 250_000


class OnlyOne(BaseContentNegotiation):
    """The platform is answered in JSON whatever it says it accepts."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> None:
        """Return none: the body is read as it is, whatever its content type."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the one renderer there is."""
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class HasToken(BasePermission):
    """Requires one of the CALLBACK_TOKENS of an account; the token says which account it is."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Compare with every token, in constant time, and remember the account."""
        account = find_account_by_token(view.kwargs["token"])
        if account is None:
            logger.warning("A callback with a wrong token was refused")
            return False
        view.account = account  # type: ignore[attr-defined]
        return True


class CallbackView(APIView, ABC):
    """What both callbacks share: a POST of a JSON object, or an array of them."""

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
        """Keep ATOMIC_REQUESTS of any database out: it would undo on an error what has to be stored first."""
        view = super().as_view(**initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def get_exception_handler(self) -> Any:
        """Use the framework's own handler: the project's may answer in a form that is not meant for the platform."""
        return exception_handler

    def post(self, request: Request, token: str) -> Response:
        """Store the items and answer, quickly; signals follow after commit."""
        body = read_body(request._request, self.account.callback_max_bytes + 1)
        if len(body) > self.account.callback_max_bytes:
            logger.warning("A callback of more than %d bytes was refused", self.account.callback_max_bytes)
            return Response({"error": f"The body is larger than {self.account.callback_max_bytes} bytes."}, status=413)
        items, problem = read_items(body)
        if problem:
            services.keep_unreadable_body(self.kind, body, problem, account=self.account.name)
            return Response({"error": problem}, status=400)
        if len(items) > MAX_ITEMS:
            # Kept as it came: to parse each of millions would take longer than the platform waits for an answer.
            reason = f"The array has more than {MAX_ITEMS} items."
            services.keep_unreadable_body(self.kind, body, reason, account=self.account.name)
            return Response({"received": len(items), "stored": 0, "unreadable": len(items)})
        return Response({"received": len(items), **self.apply(items)})

    def handle_exception(self, exc: Exception) -> Response:
        """Answer 500 for our own failure, and log it here: Django would log the path, and the token in it."""
        try:
            return super().handle_exception(exc)
        except Exception:
            logger.exception("A callback could not be stored")
            return Response({"error": "It could not be stored now. Send it again."}, status=500)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Tell Django that there is nothing to log any more, for the same reason."""
        response._has_been_logged = True
        return super().finalize_response(request, response, *args, **kwargs)

    @abstractmethod
    def apply(self, items: list[Any]) -> dict[str, int]:
        """Hand the items to the service and return the counts of the answer."""


class ReportsView(CallbackView):
    """Takes delivery reports, single or batched (guide, chapter 4)."""

    kind = CallbackKind.REPORTS

    def apply(self, items: list[Any]) -> dict[str, int]:
        """Apply the reports."""
        result = services.apply_delivery_reports(items, account=self.account.name)
        return {"stored": result.stored, "unreadable": result.unreadable}


class RepliesView(CallbackView):
    """Takes what people answered in Viber and WhatsApp (guide, chapter 6)."""

    kind = CallbackKind.REPLIES

    def apply(self, items: list[Any]) -> dict[str, int]:
        """Store the replies."""
        return {"stored": services.apply_replies(items, account=self.account.name)}


def read_body(request: HttpRequest, limit: int) -> bytes:
    """Read up to ``limit`` bytes from the stream itself: Django's own limit on uploads is the project's and not ours.

    A body in chunks has no length, and Django would take it for empty; where the server marks its end it is read.
    """
    stream: Any = request
    if not request.META.get("CONTENT_LENGTH") and request.META.get("wsgi.input_terminated"):
        stream = request.META["wsgi.input"]
    return bytes(stream.read(limit))


def read_items(body: bytes) -> tuple[list[Any], str]:
    """Return the items of a body and "", or an empty list and what is wrong with it."""
    try:
        payload = read_json(body)
    except (ValueError, RecursionError):
        return [], "The body is not JSON."
    if isinstance(payload, dict):
        return [payload], ""
    if isinstance(payload, list):
        return payload, ""
    return [], "The body is neither a JSON object nor an array of objects."
