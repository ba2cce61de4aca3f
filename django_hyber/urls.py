"""Include this in the project's URLconf: ``path("hyber/", include("django_hyber.urls"))``."""

from __future__ import annotations

from django.urls import path

from django_hyber.callbacks.views import RepliesView, ReportsView

app_name = "django_hyber"
urlpatterns = [
    path("<str:token>/reports/", ReportsView.as_view(), name="reports"),
    path("<str:token>/replies/", RepliesView.as_view(), name="replies"),
]
