"""Exports in the admin: the recipients of a campaign and their results, or the opt-out list."""

from __future__ import annotations

from typing import NamedTuple

from django.contrib import messages
from django.http import HttpResponseBadRequest, HttpResponseBase
from django.http.response import StreamingHttpResponse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_hyber.admin.common.desk import Desk
from django_hyber.admin.common.jobs import export_name
from django_hyber.admin.common.paginators import grouped
from django_hyber.audience.export import Format, Separator, export_once
from django_hyber.audience.files.csv_file import separator_of_reader
from django_hyber.audience.files.reading import file_type
from django_hyber.jobs.background import is_large
from django_hyber.models import Suppression
from django_hyber.services import ExportError, export_recipients, export_suppressions


class ExportChoice(NamedTuple):
    """What the buttons of the page offer."""

    value: str
    format: Format
    separator: Separator
    label: str


def choices() -> list[ExportChoice]:
    """Return the choices, the most useful one for the reader's spreadsheet first."""
    excel = ExportChoice("csv-semicolons", "csv", ";", _("Download as CSV for Excel (semicolons)"))
    commas = ExportChoice("csv", "csv", ",", _("Download as CSV (commas)"))
    table = ExportChoice("xlsx", "xlsx", ",", _("Download as XLSX"))
    return [excel, commas, table] if separator_of_reader() == ";" else [commas, excel, table]


def export_view(desk: Desk) -> HttpResponseBase:
    """Offer the recipients of the campaign, or the opt-out list, as a file; on POST, return it and log the export."""
    campaign = desk.campaign
    in_background = is_large(campaign.messages.all() if campaign else Suppression.objects.all())
    if not desk.is_post:
        context = {"in_background": in_background, "choices": choices()}
        if campaign:
            return desk.render(
                "campaign/export", _("Export recipients"), recipients=campaign.messages.count(), **context
            )
        return desk.render("suppression/export", _("Export opted-out numbers"), **context)
    choice = next((choice for choice in choices() if choice.value == desk.request.POST.get("format")), None)
    if choice is None:
        return HttpResponseBadRequest()
    chosen, separator = choice.format, choice.separator
    if in_background:
        return _export_in_background(desk, chosen, separator)
    try:
        pieces = (
            export_recipients(campaign, chosen, separator=separator)
            if campaign
            else export_suppressions(chosen, separator=separator)
        )
    except ExportError as error:
        desk.message_user(" ".join(error.messages), messages.ERROR)
        return desk.redirect("export")
    desk.log_change(_exported_text(desk, chosen))
    response = StreamingHttpResponse(pieces, content_type=file_type(chosen).content_type)
    response["Content-Disposition"] = f'attachment; filename="{export_name(campaign, chosen)}"'
    patch_cache_control(response, private=True, no_store=True)
    return response


def _exported_text(desk: Desk, chosen: Format) -> str:
    if desk.campaign is None:
        return _("Exported as %(format)s.") % {"format": chosen.upper()}
    count = desk.campaign.messages.count()
    text = ngettext(
        "Exported %(count)s recipient as %(format)s.", "Exported %(count)s recipients as %(format)s.", count
    )
    return text % {"count": grouped(count), "format": chosen.upper()}


def _export_in_background(desk: Desk, chosen: Format, separator: Separator) -> HttpResponseBase:
    named = {"format": chosen.upper()}
    if export_once(desk.campaign, chosen, desk.request.user, separator=separator):
        desk.log_change(_("Requested an export as %(format)s.") % named)
        text = _("The export as %(format)s has started. The file will appear on this page.") % named
        desk.message_user(text, messages.SUCCESS)
    else:
        desk.message_user(_("An export as %(format)s is already under way.") % named)
    return desk.redirect()
