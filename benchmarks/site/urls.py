from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from benchmarks.site import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("hyber/", include("django_hyber.urls")),
    path("floor/", views.floor),
    path("usual/", views.usual),
]
