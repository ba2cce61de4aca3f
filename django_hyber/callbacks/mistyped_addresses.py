"""Mistyped callback addresses. Django would log their path, which contains the token."""

from __future__ import annotations

import logging

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.views.decorators.csrf import csrf_exempt

from django_hyber.conf import find_accounts
from django_hyber.log_events import LogEvent

logger = logging.getLogger("django_hyber.callbacks")
#: A part of a token of this length is as secret as the token.
PART = 8


class MistypedAddress:
    """Matches a path with a callback token, or with the beginning or the end of one, and no other path."""

    regex = ".+"

    def to_python(self, value: str) -> str:
        """Return the path. Raises ValueError if it has no token: it may be a page of the project."""
        path = value.casefold()
        tokens = (token.casefold() for account in find_accounts() for token in account.callback_tokens)
        if not any(token and (token[:PART] in path or token[-PART:] in path) for token in tokens):
            raise ValueError
        return value

    def to_url(self, value: str) -> str:
        """Return the path."""
        return value


@csrf_exempt
@login_not_required
def not_found(request: HttpRequest, address: str) -> HttpResponse:
    """Answer 404 without the path, neither in the answer nor in the log, nor in a redirect to a login."""
    logger.warning(
        "A callback to a mistyped address was rejected: it must end in /reports/ or /replies/",
        extra={"event": LogEvent.CALLBACK_ADDRESS},
    )
    response = HttpResponseNotFound("Not found: a callback address ends in /reports/ or /replies/.\n", "text/plain")
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django's own mark
    return response
