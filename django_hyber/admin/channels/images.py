"""The upload of an image beside the field for its link."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from django_hyber.admin.common.model_admins import HyberAdmin
from django_hyber.texts.images import keep_image


def image_urls(model_admin: HyberAdmin) -> list[URLPattern]:
    """Return the addresses to which images of a new campaign, and of a draft, are uploaded."""

    def upload(request: HttpRequest, campaign_id: int | None = None) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if campaign_id is None:
            is_allowed = model_admin.has_add_permission(request)
        else:
            campaign = model_admin.get_object(request, str(campaign_id))
            if campaign is None:
                raise Http404
            is_allowed = model_admin.has_change_permission(request, campaign)
        if not is_allowed:
            raise PermissionDenied
        return _keep(request)

    view = model_admin.admin_site.admin_view(upload)
    return [
        path("image/", view, name="django_hyber_campaign_image_new"),
        path("<int:campaign_id>/image/", view, name="django_hyber_campaign_image"),
    ]


def _keep(request: HttpRequest) -> HttpResponse:
    image = request.FILES.get("image")
    if image is None:
        return JsonResponse({"error": _("Choose an image.")})
    try:
        return JsonResponse({"address": keep_image(image, request.POST.get("account", ""))})
    except ValidationError as error:
        return JsonResponse({"error": " ".join(error.messages)})
