"""Which form was saved, for unsaved.js: until then, the browser keeps what was typed."""

from __future__ import annotations

import re
from typing import TypeVar

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

SAVED_COOKIE = "hyber-saved"
_KEY = re.compile(r"[0-9a-f]{32}")

Response = TypeVar("Response", bound=HttpResponse)


def mark_saved(request: HttpRequest, response: Response) -> Response:
    """Name the saved form to unsaved.js, on whichever page comes next."""
    key = request.POST.get("form_key", "")
    if _KEY.fullmatch(key):
        path = reverse("admin:index")
        response.set_cookie(SAVED_COOKIE, key, path=path, secure=request.is_secure(), samesite="Lax")
    return response
