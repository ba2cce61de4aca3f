"""Include this in the project's URLconf: ``path("hyber/", include("django_hyber.urls"))``."""

from __future__ import annotations

from django.urls import path, re_path, register_converter

from django_hyber.callbacks.mistyped_addresses import MistypedAddress, not_found
from django_hyber.callbacks.views import RepliesView, ReportsView

register_converter(MistypedAddress, "mistyped_callback")

reports, replies = ReportsView.as_view(), RepliesView.as_view()
app_name = "django_hyber"
urlpatterns = [
    path("<str:token>/reports/", reports, name="reports"),
    path("<str:token>/replies/", replies, name="replies"),
    # The addresses are also typed by hand, or copied with the full stop behind them: a missing or doubled slash, a
    # capital or a space must not cost an opt-out. Django cannot reverse a pattern with (?i:…).
    re_path(r"^[/\s]*(?P<token>[^/\s]+)\s*/[/\s]*[Rr][Ee][Pp][Oo][Rr][Tt][Ss]\W*$", reports),
    re_path(r"^[/\s]*(?P<token>[^/\s]+)\s*/[/\s]*[Rr][Ee][Pp][Ll][Ii][Ee][Ss]\W*$", replies),
    path("<mistyped_callback:address>", not_found),
]
