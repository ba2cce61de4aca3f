"""Exporting from the admin: who is in a campaign and what became of each, or the opt-out list, as a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBadRequest, HttpResponseBase, HttpResponseRedirect
from django.http.response import StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.admin.common.jobs import OPT_OUTS_FILE
from django_hyber.admin.common.paginators import grouped
from django_hyber.audience.export import export_once, is_large
from django_hyber.models import Campaign, Suppression
from django_hyber.services import ExportError, export_recipients, export_suppressions

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
        "in_background": is_large(campaign.messages.all()),
    }
    return TemplateResponse(request, "admin/django_hyber/campaign/export.html", context)


def export_file(model_admin: Any, request: HttpRequest, campaign: Campaign) -> HttpResponseBase:
    """Give the file piece by piece, and write into the admin's log that it was given."""
    chosen = request.POST.get("format", "")
    if chosen not in CONTENT_TYPES:
        return HttpResponseBadRequest()
    if is_large(campaign.messages.all()):
        return _in_background(
            model_admin, request, campaign, chosen, partial(model_admin.log_change, request, campaign)
        )
    try:
        pieces = export_recipients(campaign, chosen)  # type: ignore[arg-type]  # looked up just above
    except ExportError as error:
        model_admin.message_user(request, " ".join(error.messages), messages.ERROR)
        return HttpResponseRedirect(reverse("admin:django_hyber_campaign_export", args=[campaign.pk]))
    count = campaign.messages.count()
    text = ngettext(
        "Exported %(count)s recipient as %(format)s.", "Exported %(count)s recipients as %(format)s.", count
    )
    model_admin.log_change(request, campaign, text % {"count": grouped(count), "format": chosen.upper()})
    return _download(pieces, f"campaign-{campaign.pk}", chosen)


def opt_out_export_page(model_admin: Any, request: HttpRequest) -> TemplateResponse:
    """Return the page on which a format for the opt-out list is chosen."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Export opted-out numbers"),
        "opts": model_admin.opts,
        "media": model_admin.media,
        "in_background": is_large(Suppression.objects.all()),
    }
    return TemplateResponse(request, "admin/django_hyber/suppression/export.html", context)


def opt_out_export(model_admin: Any, request: HttpRequest) -> HttpResponseBase:
    """Give the opt-out list piece by piece, and write into the admin's log that it was given."""
    chosen = request.POST.get("format", "")
    if chosen not in CONTENT_TYPES:
        return HttpResponseBadRequest()
    if is_large(Suppression.objects.all()):
        done = partial(model_admin.log_about_list, request)
        return _in_background(model_admin, request, None, chosen, done)
    pieces = export_suppressions(chosen)  # type: ignore[arg-type]  # looked up just above
    model_admin.log_about_list(request, _("Exported as %(format)s.") % {"format": chosen.upper()})
    return _download(pieces, OPT_OUTS_FILE, chosen)


def _download(pieces: Iterator[bytes], name: str, chosen: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(pieces, content_type=CONTENT_TYPES[chosen])
    response["Content-Disposition"] = f'attachment; filename="{name}.{chosen}"'
    return response


def _in_background(
    model_admin: Any, request: HttpRequest, campaign: Campaign | None, chosen: str, log: Callable[[str], None]
) -> HttpResponseBase:
    if export_once(campaign, chosen, request.user):
        text = _("The export as %(format)s has begun: the file will be on this page.") % {"format": chosen.upper()}
        log(_("Export as %(format)s asked for.") % {"format": chosen.upper()})
        model_admin.message_user(request, text, messages.SUCCESS)
    else:
        text = _("An export as %(format)s is already on its way.") % {"format": chosen.upper()}
        model_admin.message_user(request, text, messages.INFO)
    if campaign:
        return HttpResponseRedirect(reverse("admin:django_hyber_campaign_change", args=[campaign.pk]))
    return HttpResponseRedirect(reverse("admin:django_hyber_suppression_changelist"))
