"""The key of a form: by it, a form that is sent twice is recognized, and unsaved.js learns which one was saved."""

from __future__ import annotations

import re
from typing import Any, TypeVar
from uuid import uuid4

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

SAVED_COOKIE = "hyber-saved"
_KEY = re.compile(r"[0-9a-f]{32}")

Response = TypeVar("Response", bound=HttpResponse)


class MarkField(forms.CharField):
    """Something that the form knows about itself. It is never a change by itself."""

    widget = forms.HiddenInput

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Return False."""
        return False


class FormKeyField(MarkField):
    """A random name of the form, for ``Campaign.added_by_form``. A program may post the form without it."""

    def __init__(self) -> None:
        super().__init__(required=False, max_length=32, initial=lambda: uuid4().hex)


def mark_saved(request: HttpRequest, response: Response) -> Response:
    """Name the saved form to unsaved.js, on whichever page comes next. Until then, the browser keeps what was typed."""
    key = request.POST.get("form_key", "")
    if _KEY.fullmatch(key):
        path = reverse("admin:index")
        response.set_cookie(SAVED_COOKIE, key, path=path, secure=request.is_secure(), samesite="Lax")
    return response
