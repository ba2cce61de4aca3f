"""Importing recipients: a file goes in, the page says what became of its rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_hyber.models import Campaign
from django_hyber.services import CampaignError, ImportReport, UnreadableFileError, import_recipients
from django_hyber.services.channel_forms import campaign_variables

#: How many rejected rows the page shows and gives back as a file.
SHOWN_ROWS = 1_000
SALT = "django_hyber.rejected-rows"
DAY = 24 * 60 * 60


class ImportForm(forms.Form):
    """The file and, if its header is unusual, the name of the phone column."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.xlsx"}),
        help_text=gettext_lazy("CSV or XLSX with the names of the columns in the first line."),
    )
    phone_column = forms.CharField(
        label=gettext_lazy("Phone column"),
        required=False,
        max_length=255,
        widget=AdminTextInputWidget(),
        help_text=gettext_lazy("Only if its header is not “phone”, “mobile”, “телефон” or the like."),
    )


def import_page(model_admin: Any, request: HttpRequest, campaign: Campaign) -> HttpResponseBase:
    """Show the form, or import a file and show what became of its rows. Nothing of the file is kept in the session."""
    form = ImportForm(request.POST or None, request.FILES or None)
    report = None
    if form.is_valid():
        try:
            report = _import(model_admin, request, campaign, form.cleaned_data)
        except UnreadableFileError as error:
            form.add_error("file", error)
        except CampaignError as error:
            model_admin.message_user(request, " ".join(error.messages), messages.ERROR)
            return HttpResponseRedirect(reverse("admin:django_hyber_campaign_change", args=[campaign.pk]))
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Import recipients"),
        "opts": model_admin.opts,
        "media": model_admin.media,
        "original": campaign,
        "form": form,
        "variables": campaign_variables(campaign),
        "recipients": campaign.messages.count(),
        **(_result(campaign, report) if report else {}),
    }
    return TemplateResponse(request, "admin/django_hyber/campaign/import.html", context)


def rejected_rows_file(model_admin: Any, request: HttpRequest, campaign: Campaign) -> HttpResponseBase:
    """Give the rejected rows, which the result page has posted back with their signature, as a CSV file."""
    try:
        content = signing.loads(request.POST.get("rows", ""), salt=SALT, max_age=DAY)
    except signing.BadSignature:
        content = {}
    if content.get("campaign") != campaign.pk:
        model_admin.message_user(request, _("These rows are too old: import the file again."), messages.ERROR)
        return HttpResponseRedirect(reverse("admin:django_hyber_campaign_import", args=[campaign.pk]))
    # Spreadsheets recognise UTF-8 by its mark.
    response = HttpResponse(rejected_csv(content["rows"]).encode("utf-8-sig"), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="rejected-{campaign.pk}.csv"'
    return response


def rejected_csv(rows: Iterable[tuple[int, str, Mapping[str, str]]]) -> str:
    """Return the rows with their own columns first, so that the mended file can be imported as it is."""
    rows = list(rows)
    columns = list(dict.fromkeys(name for _number, _reason, values in rows for name in values))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*map(_cell, columns), _("row in the file"), _("why it was rejected")])
    for number, reason, values in rows:
        writer.writerow([*(_cell(values.get(name, "")) for name in columns), number, reason])
    return text.getvalue()


def _cell(value: str) -> str:
    """Keep a spreadsheet from taking a text for a formula; phone numbers with + stay as they are."""
    is_formula = value[:1] in {"=", "@", "\t", "\r"} or (value[:1] in {"+", "-"} and any(map(str.isalpha, value)))
    return f"'{value}" if is_formula else value


def _import(model_admin: Any, request: HttpRequest, campaign: Campaign, cleaned: Mapping[str, Any]) -> ImportReport:
    report = import_recipients(campaign, cleaned["file"].file, phone_column=cleaned["phone_column"])
    text = _("Imported recipients: %(accepted)d accepted, %(repeated)d repeated, %(rejected)d rejected.") % {
        "accepted": report.accepted,
        "repeated": report.duplicates + report.existing,
        "rejected": report.rejected_count,
    }
    model_admin.log_change(request, campaign, text)
    return report


def _result(campaign: Campaign, report: ImportReport) -> dict[str, Any]:
    rejected = [
        (row.row, str(row.reason), {str(name): _as_text(value) for name, value in row.values.items()})
        for row in report.rejected[:SHOWN_ROWS]
    ]
    content = {"campaign": campaign.pk, "rows": rejected}
    return {
        "report": report,
        "rejected": [(number, reason, " · ".join(values.values())) for number, reason, values in rejected],
        "signed_rows": signing.dumps(content, salt=SALT, compress=True) if rejected else "",
        "recipients": campaign.messages.count(),
    }


def _as_text(value: object) -> str:
    return "" if value is None else str(value)
