"""What the templates of the admin need: numbers that people can read, and the data of the app's own index page."""

from __future__ import annotations

from django import template

from django_hyber.admin.paginators import grouped

register = template.Library()

register.filter("grouped", grouped)
