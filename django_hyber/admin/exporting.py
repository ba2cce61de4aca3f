"""Exporting from the admin: who is in a campaign and what became of each, as a file."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBadRequest, HttpResponseBase, HttpResponseRedirect
from django.http.response import StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.models import Campaign
from django_hyber.services import ExportError, export_recipients
from django_hyber.services.background_exports import export_once, is_large

CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def export_page(model_admin: Any, request: HttpRequest, campaign: Campaign) -> TemplateResponse:
    """Return the page on which a format is chosen."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Export recipients"),
        "opts": model_admin.opts,
        "media": model_admin.media,
        "original": campaign,
        "recipients": campaign.messages.count(),
        "in_background": is_large(campaign),
    }
    return TemplateResponse(request, "admin/django_hyber/campaign/export.html", context)


def export_file(model_admin: Any, request: HttpRequest, campaign: Campaign) -> HttpResponseBase:
    """Give the file piece by piece, and write into the admin's log that it was given."""
    chosen = request.POST.get("format", "")
    if chosen not in CONTENT_TYPES:
        return HttpResponseBadRequest()
    if is_large(campaign):
        return _export_in_background(model_admin, request, campaign, chosen)
    try:
        pieces = export_recipients(campaign, chosen)  # type: ignore[arg-type]  # looked up just above
    except ExportError as error:
        model_admin.message_user(request, " ".join(error.messages), messages.ERROR)
        return HttpResponseRedirect(reverse("admin:django_hyber_campaign_export", args=[campaign.pk]))
    count = campaign.messages.count()
    text = ngettext(
        "Exported %(count)d recipient as %(format)s.", "Exported %(count)d recipients as %(format)s.", count
    )
    model_admin.log_change(request, campaign, text % {"count": count, "format": chosen.upper()})
    response = StreamingHttpResponse(pieces, content_type=CONTENT_TYPES[chosen])
    response["Content-Disposition"] = f'attachment; filename="campaign-{campaign.pk}.{chosen}"'
    return response


def _export_in_background(model_admin: Any, request: HttpRequest, campaign: Campaign, chosen: str) -> HttpResponseBase:
    if export_once(campaign, chosen, request.user):
        text = _("The export as %(format)s has begun: the file will be on this page.") % {"format": chosen.upper()}
        model_admin.log_change(request, campaign, _("Export as %(format)s asked for.") % {"format": chosen.upper()})
        model_admin.message_user(request, text, messages.SUCCESS)
    else:
        text = _("An export as %(format)s is already on its way.") % {"format": chosen.upper()}
        model_admin.message_user(request, text, messages.INFO)
    return HttpResponseRedirect(reverse("admin:django_hyber_campaign_change", args=[campaign.pk]))
