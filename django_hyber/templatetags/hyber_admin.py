"""Filters and tags for the templates of the admin: numbers, times, stored reasons, and the data of the dashboard."""

from __future__ import annotations

from typing import Any

from django import template
from django.apps import apps

from django_hyber.privacy import mask_phones_in
from django_hyber.words.reasons import translate_reason

register = template.Library()


@register.filter
def is_on(address: str, host: str) -> bool:
    """Return whether a picture is on this host: a strict content security policy forbids pictures on other hosts."""
    return bool(host) and address.startswith((f"https://{host}/", f"http://{host}/"))


register.filter("reason", translate_reason)
register.filter("without_numbers", mask_phones_in)

# Django imports this module for the templates of every project. Without the admin, its modules cannot be imported.
if apps.is_installed("django.contrib.admin"):
    from django_hyber.admin.common.glossary import GLOSSARY, Term
    from django_hyber.admin.common.paginators import grouped
    from django_hyber.admin.common.restrictions import restriction_texts
    from django_hyber.admin.common.times import short_time
    from django_hyber.admin.dashboard import Dashboard, dashboard_of

    register.filter("grouped", grouped)
    register.filter("short_time", short_time)

    @register.simple_tag(takes_context=True)
    def hyber_dashboard(context: dict[str, Any]) -> Dashboard:
        """Return the data of the dashboard. A tag works with any admin site of the project."""
        return dashboard_of(context["request"])

    @register.simple_tag
    def hyber_glossary() -> tuple[Term, ...]:
        """Return what the figures mean."""
        return GLOSSARY

    @register.inclusion_tag("admin/django_hyber/restrictions.html", takes_context=True)
    def hyber_restrictions(context: dict[str, Any]) -> dict[str, list[str]]:
        """Show which accounts do not send to everybody."""
        return {"restrictions": restriction_texts(context["request"])}
