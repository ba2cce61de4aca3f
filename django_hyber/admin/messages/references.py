"""The project's object that a message refers to."""

from __future__ import annotations

from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from django_hyber.models import Message


def reference_link(message: Message) -> SafeString | str:
    """Return the kind and id of the object, as a link if the admin has a page for it, or "" for none."""
    model = message.reference_type and message.reference_type.model_class()
    if not model:
        return ""
    text = f"{capfirst(model._meta.verbose_name)} {message.reference_id}"
    try:
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[message.reference_id])
    except NoReverseMatch:
        return text
    return format_html('<a href="{}">{}</a>', url, text)
