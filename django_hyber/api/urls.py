"""Include as ``path("api/hyber/", include("django_hyber.api.urls"))``."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from django_hyber.api.views import CampaignViewSet, MessageViewSet

app_name = "django_hyber_api"
router = SimpleRouter()
router.register("messages", MessageViewSet)
router.register("campaigns", CampaignViewSet)
urlpatterns = router.urls
