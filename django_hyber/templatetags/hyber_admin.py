"""What the templates of the admin need: numbers that people can read, and the data of the app's own index page."""

from __future__ import annotations

from typing import Any

from django import template

from django_hyber.admin.common.base import short_time
from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.dashboard import Dashboard, dashboard_of

register = template.Library()

register.filter("grouped", grouped)
register.filter("short_time", short_time)


@register.simple_tag(takes_context=True)
def hyber_dashboard(context: dict[str, Any]) -> Dashboard:
    """Return what the index page shows, so that it works with the admin site of any project."""
    return dashboard_of(context["request"])
