"""Authenticate, read, hand to the service, answer: each callback is one short walk.

Answers: 200 stored · 400 not JSON · 403 wrong token · 413 too large · 500 our own trouble, send it again. The views
take nothing from the project's REST framework settings, so that a callback works whatever those say.
"""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import IO, Any

from django.db import transaction
from django.utils.decorators import method_decorator
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler

from django_hyber import services
from django_hyber.conf import Account, find_account_by_token
from django_hyber.services import CallbackKind

logger = logging.getLogger("django_hyber.callbacks")


class AnyBody(BaseParser):
    """Takes the body as it is, whatever its content type, and never more of it than the limit and one byte."""

    media_type = "*/*"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> dict[str, bytes]:
        """Read the stream itself: Django's own limit on uploads is the project's and not ours."""
        account: Account = parser_context["view"].account
        return {"body": stream.read(account.callback_max_bytes + 1)}


class OnlyOne(BaseContentNegotiation):
    """The platform is answered in JSON whatever it says it accepts."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        """Return the one parser there is."""
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the one renderer there is."""
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class HasToken(BasePermission):
    """Lets in who knows one of the account's CALLBACK_TOKENS; the token says which account it is."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Compare with every token, in constant time, and remember the account."""
        account = find_account_by_token(view.kwargs["token"])
        if account is None:
            logger.warning("A callback with a wrong token was refused")
            return False
        view.account = account  # type: ignore[attr-defined]
        return True


# A transaction around the view would undo on an error what has to be stored first.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class CallbackView(APIView, ABC):
    """What both callbacks share: a POST of a JSON object, or an array of them."""

    account: Account
    kind: CallbackKind
    http_method_names = ["post", "options"]
    authentication_classes = ()
    permission_classes = (HasToken,)
    throttle_classes = ()
    parser_classes = (AnyBody,)
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = OnlyOne
    versioning_class = None
    schema = None

    def get_exception_handler(self) -> Any:
        """Use the framework's own handler: the project's may answer in a form that is not meant for the platform."""
        return exception_handler

    def post(self, request: Request, token: str) -> Response:
        """Store what came and say so, quickly; what it means for the project is told after commit."""
        # An empty body never reaches the parser.
        body = request.data.get("body", b"") if isinstance(request.data, dict) else b""
        if len(body) > self.account.callback_max_bytes:
            logger.warning("A callback of more than %d bytes was refused", self.account.callback_max_bytes)
            return Response({"error": f"The body is larger than {self.account.callback_max_bytes} bytes."}, status=413)
        items, problem = read_items(body)
        if problem:
            services.keep_unreadable_body(self.kind, body, problem, account=self.account.name)
            return Response({"error": problem}, status=400)
        return Response({"received": len(items), **self.apply(items)})

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


def read_items(body: bytes) -> tuple[list[Any], str]:
    """Return the items of a body and "", or an empty list and what is wrong with it."""
    try:
        # NaN and Infinity are no JSON; as text they can be stored.
        payload = json.loads(body, parse_constant=str)
    except (ValueError, RecursionError):
        return [], "The body is not JSON."
    if isinstance(payload, dict):
        return [payload], ""
    if isinstance(payload, list):
        return payload, ""
    return [], "The body is neither a JSON object nor an array of objects."
