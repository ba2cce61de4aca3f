"""The page about one phone number: everything that is stored under it, for download or to be removed."""

from __future__ import annotations

import json

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _

from django_hyber.admin.common.desk import Desk
from django_hyber.admin.common.model_admins import PhoneField
from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.common.personal_data import sees_personal_data
from django_hyber.services import Forgotten, export_number, forget_number

PERMISSION = "django_hyber.forget_number"
DOWNLOAD, FORGET, CONFIRMED = "download", "forget", "confirmed"


class NumberForm(forms.Form):
    """A phone number, as people write it."""

    number = PhoneField()


def may_forget(request: HttpRequest) -> bool:
    """Return whether the user may use the page: its answers tell what is stored under a number."""
    return request.user.has_perm(PERMISSION) and sees_personal_data(request)


def person_page(desk: Desk) -> HttpResponseBase:
    """Ask for the number; on POST, return what is stored under it, ask for confirmation, or remove it."""
    form = NumberForm(desk.request.POST if desk.is_post else None)
    if not form.is_valid():
        return _page(desk, form)
    phone = form.cleaned_data["number"]
    if DOWNLOAD in desk.request.POST:
        return _download(desk, phone)
    if CONFIRMED not in desk.request.POST:
        return _page(desk, form, stored=_stored_lines(phone))
    try:
        forgotten = forget_number(phone)
    except ValidationError as error:
        form.add_error("number", error)
        return _page(desk, form)
    if forgotten.total:
        desk.log_change(_("Removed everything that was stored under a phone number."))
    desk.message_user(_removed_text(forgotten), messages.SUCCESS)
    if forgotten.is_opted_out:
        desk.message_user(_("The number itself stays on the opt-out list, so that nothing is sent to it again."))
    return desk.redirect("person")


def _page(desk: Desk, form: NumberForm, stored: list[str] | None = None) -> HttpResponseBase:
    return desk.render("message/person", _("Data of a phone number"), form=form, stored=stored)


def _download(desk: Desk, phone: str) -> HttpResponse:
    text = json.dumps(export_number(phone), cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
    desk.log_change(_("Downloaded everything that is stored under a phone number."))
    response = HttpResponse(text, content_type="application/json")
    # Without the number: names of downloads are in the history of browsers.
    response["Content-Disposition"] = 'attachment; filename="phone-number.json"'
    patch_cache_control(response, private=True, no_store=True)
    return response


def _stored_lines(phone: str) -> list[str]:
    stored = export_number(phone)
    lines = [
        _("Messages: %(count)s") % {"count": grouped(len(stored["messages"]))},
        _("Delivery reports: %(count)s") % {"count": grouped(len(stored["delivery_reports"]))},
        _("Replies: %(count)s") % {"count": grouped(len(stored["replies"]))},
    ]
    return [*lines, _("The number is on the opt-out list.")] if stored["opted_out"] else lines


def _removed_text(forgotten: Forgotten) -> str:
    text = _("It was removed. Messages: %(messages)s, delivery reports: %(reports)s, replies: %(replies)s.")
    return text % {
        "messages": grouped(forgotten.messages + forgotten.recipients),
        "reports": grouped(forgotten.reports),
        "replies": grouped(forgotten.replies),
    }
