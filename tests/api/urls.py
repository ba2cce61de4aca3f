from __future__ import annotations

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

urlpatterns = [
    path("hyber/", include("django_hyber.urls")),
    path("api/hyber/", include("django_hyber.api.urls")),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
]
