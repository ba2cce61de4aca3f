"""Removing recipients of a draft: whom, a confirmation with their number, and the result."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from django_hyber.admin.audience.import_forms import file_field, pasted_field
from django_hyber.admin.common.desk import CampaignDesk
from django_hyber.admin.common.jobs import file_name
from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.common.times import short_time
from django_hyber.audience.imports import ImportReport
from django_hyber.audience.removal import Removed, added_by
from django_hyber.audience.removal_jobs import (
    confirm_removal,
    count_removal,
    keep_pasted_removal,
    keep_removal,
)
from django_hyber.models import BackgroundJob, Campaign
from django_hyber.services import CampaignError

Kind = BackgroundJob.Kind
State = BackgroundJob.State
SHOWN_IMPORTS = 20


class Who(StrEnum):
    """Which recipients are removed."""

    EVERYBODY = "everybody"
    IMPORTED = "imported"
    LISTED = "listed"


class RemovalForm(forms.Form):
    """Which recipients are removed. A list of numbers would tell who is among the recipients: see ``sees_numbers``."""

    who = forms.ChoiceField(label=gettext_lazy("Which recipients?"), widget=forms.RadioSelect())
    imported = forms.ChoiceField(label=gettext_lazy("Import"), required=False)
    file = file_field(required=False)
    pasted = pasted_field(gettext_lazy("One per line, in any format."))

    def __init__(self, data: Any, files: Any, campaign: Campaign, *, sees_numbers: bool) -> None:
        super().__init__(data, files)
        self.fields["file"].help_text = _("CSV or XLSX. A file that contains only numbers needs no header row.")
        imports = import_choices(campaign)
        choices = [(str(Who.EVERYBODY), pgettext("recipients", "All"))]
        if imports:
            choices.append((str(Who.IMPORTED), _("Those from one import")))
            self.fields["imported"].choices = imports  # type: ignore[attr-defined]
        else:
            del self.fields["imported"]
        if sees_numbers:
            choices.append((str(Who.LISTED), _("Those on a list of numbers")))
        else:
            del self.fields["file"], self.fields["pasted"]
        self.fields["who"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Require a list where one is meant."""
        cleaned: dict[str, Any] = super().clean() or {}
        who = cleaned.get("who")
        if who == Who.IMPORTED and not cleaned.get("imported") and "imported" not in self.errors:
            self.add_error("imported", _("Choose an import."))
        has_file, has_text = bool(cleaned.get("file")), bool(cleaned.get("pasted"))
        if who == Who.LISTED and has_file and has_text:
            self.add_error("pasted", _("Choose a file or paste numbers, not both."))
        if who == Who.LISTED and not has_file and not has_text and not self.errors:
            self.add_error("file", _("Choose a file, or paste numbers below."))
        if who and who != Who.LISTED and (has_file or has_text):
            # Somebody who has pasted numbers does not mean everybody.
            self.add_error("who", _("Numbers are entered below: choose “Those on a list of numbers”, or clear them."))
        return cleaned


def import_choices(campaign: Campaign) -> list[tuple[str, str]]:
    """Return the imports whose recipients are still there, the newest first."""
    choices = []
    jobs = campaign.jobs.filter(kind=Kind.IMPORT, state__in=(State.DONE, State.STOPPED, State.FAILED)).order_by("-pk")
    for job in jobs[:SHOWN_IMPORTS]:
        count = added_by(campaign, ImportReport.from_json(job.result)) if job.result else 0
        if count:
            people = ngettext("%(count)s recipient", "%(count)s recipients", count) % {"count": grouped(count)}
            choices.append((str(job.pk), f"{file_name(job)}, {short_time(job.created_at)} ({people})"))
    return choices


def remove_view(desk: CampaignDesk) -> HttpResponseBase:
    """Ask which recipients are removed; on POST, go on to the confirmation."""
    if not _may_remove(desk):
        return desk.redirect()
    data, files = (desk.request.POST, desk.request.FILES) if desk.is_post else (None, None)
    form = RemovalForm(data, files, desk.campaign, sees_numbers=desk.sees_personal_data)
    if form.is_valid():
        try:
            return desk.redirect("removal", _keep(desk, form.cleaned_data).pk)
        except ValidationError as error:
            form.add_error("pasted" if form.cleaned_data.get("pasted") else "file", error)
    recipients = desk.campaign.messages.count()
    return desk.render("campaign/remove", _("Remove recipients"), form=form, recipients=recipients)


def _keep(desk: CampaignDesk, cleaned: Mapping[str, Any]) -> BackgroundJob:
    campaign, user = desk.campaign, desk.request.user
    if cleaned["who"] == Who.EVERYBODY:
        return keep_removal(campaign, user)
    if cleaned["who"] == Who.IMPORTED:
        return keep_removal(campaign, user, imported=campaign.jobs.get(pk=cleaned["imported"], kind=Kind.IMPORT))
    if cleaned.get("pasted"):
        return keep_pasted_removal(campaign, user, cleaned["pasted"])
    return keep_removal(campaign, user, source=cleaned["file"])


def removal_view(desk: CampaignDesk, job_id: int) -> HttpResponseBase:
    """Show how many recipients a removal is about; on POST, remove them. A second click leads to the result."""
    job = desk.campaign.jobs.filter(kind=Kind.REMOVAL, pk=job_id).first()
    if job is None or (job.created_by_id != desk.request.user.pk and not desk.sees_personal_data):
        raise Http404
    if job.state != State.UPLOADED:
        return desk.redirect()
    if not _may_remove(desk):
        return desk.redirect()
    job.campaign = desk.campaign
    try:
        found = count_removal(job)
    except ValidationError as error:
        desk.message_user(" ".join(error.messages), messages.ERROR)
        return desk.redirect("remove")
    seen = "" if found is None else str(found.removed)
    if desk.is_post and desk.request.POST.get("seen") == seen:
        return _remove(desk, job)
    if desk.is_post:
        desk.message_user(_("The recipients have changed in the meantime. Check the numbers again."), messages.WARNING)
    context = {
        "found": found,
        "seen": seen,
        "recipients": desk.campaign.messages.count(),
        "is_listed": "columns" in job.parameters,
    }
    return desk.render("campaign/remove_confirm", _("Remove recipients"), **context)


def _remove(desk: CampaignDesk, job: BackgroundJob) -> HttpResponseBase:
    try:
        is_new = confirm_removal(job, desk.request.user)
    except CampaignError as error:
        desk.message_user(" ".join(error.messages), messages.ERROR)
        return desk.redirect()
    job.refresh_from_db()
    if job.state == State.DONE:
        text = removed_text(Removed(**job.result))
        if is_new:
            desk.log_change(text)
        desk.message_user(text, messages.SUCCESS)
    elif job.state == State.FAILED:
        desk.message_user(job.error_text, messages.ERROR)
    else:
        if is_new:
            desk.log_change(_("Removal of recipients confirmed."))
        desk.message_user(_("The recipients are being removed in the background. This page shows the progress."))
    return desk.redirect()


def removed_text(removed: Removed) -> str:
    """Return the result of a removal as sentences."""
    count = removed.removed
    text = ngettext("%(count)s recipient was removed.", "%(count)s recipients were removed.", count)
    sentences = [text % {"count": grouped(count)}]
    if removed.not_found:
        text = ngettext(
            "%(count)s number is not among them or is repeated.",
            "%(count)s numbers are not among them or are repeated.",
            removed.not_found,
        )
        sentences.append(text % {"count": grouped(removed.not_found)})
    if removed.unreadable:
        text = ngettext("%(count)s row has no number.", "%(count)s rows have no number.", removed.unreadable)
        sentences.append(text % {"count": grouped(removed.unreadable)})
    return " ".join(sentences)


def _may_remove(desk: CampaignDesk) -> bool:
    if desk.campaign.is_editable:
        return True
    desk.message_user(_("Recipients can only be removed before the launch."), messages.ERROR)
    return False
