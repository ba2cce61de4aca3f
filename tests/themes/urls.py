from __future__ import annotations

from django.conf import settings
from django.urls import include, path

from tests import urls

urlpatterns = urls.urlpatterns
if settings.THEME == "grappelli":
    urlpatterns = [path("grappelli/", include("grappelli.urls")), *urlpatterns]
