from __future__ import annotations

from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("hyber/", include("django_hyber.urls")),
    # With DEBUG only; in a deployment, nginx serves the images.
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
]
