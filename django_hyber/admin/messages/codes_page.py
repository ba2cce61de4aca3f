"""The status codes of the reports, with their counts; users enter what the unknown ones mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_hyber.admin.common.desk import Desk, back_to_button
from django_hyber.admin.common.model_admins import HyberAdmin
from django_hyber.admin.common.paginators import grouped
from django_hyber.codes import ReportedCode, find_reported, forget_code, mark_as_seen, name_code, reported_codes
from django_hyber.models import StatusCode

PERMISSION = "django_hyber.explain_codes"
NAME = StatusCode._meta.get_field("name")


class CodeForm(forms.Form):
    """A code of an account, and its meaning in words."""

    account = forms.CharField(max_length=64)
    code = forms.IntegerField()
    name = forms.CharField(
        max_length=NAME.max_length, required=False, error_messages={"max_length": gettext_lazy("The text is too long.")}
    )


class CodeLine(NamedTuple):
    """A code, as the page shows it."""

    code: ReportedCode
    reports: str
    meaning: str
    url: str


def code_urls(admin: HyberAdmin) -> list[object]:
    """Return the address of the page, and the one that its buttons post to."""

    def page(route: str, name: str, view: Callable[[Desk], HttpResponseBase], permission: str) -> object:
        def of_list(request: HttpRequest) -> HttpResponseBase:
            desk = Desk(admin, request, None)
            if not desk.may_view or not request.user.has_perm(permission):
                raise PermissionDenied
            return view(desk)

        return path(route, admin.admin_site.admin_view(of_list), name=f"django_hyber_deliveryreport_{name}")

    return [
        page("codes/", "codes", _page, "django_hyber.view_deliveryreport"),
        page("codes/explain/", "explain", _explain, PERMISSION),
    ]


def _page(desk: Desk) -> HttpResponseBase:
    return desk.render(
        "statistics/codes",
        _("Status codes"),
        lines=[_line(code) for code in reported_codes()],
        may_explain=desk.request.user.has_perm(PERMISSION),
        longest=NAME.max_length,
    )


def _line(code: ReportedCode) -> CodeLine:
    meanings = [_("means seen")] if code.means_seen else []
    if code.name:
        meanings.append(_(code.name))
    address = reverse("admin:django_hyber_deliveryreport_changelist")
    query = urlencode({"account__exact": code.account, "hyber_status__exact": code.code})
    return CodeLine(code, grouped(code.reports), ": ".join(reversed(meanings)), f"{address}?{query}")


def _explain(desk: Desk) -> HttpResponseBase:
    """Store what the user has entered about a code, log it, and return to the page."""
    if not desk.is_post:
        return back_to_button(desk, desk.url("codes"))
    form = CodeForm(desk.request.POST)
    if not form.is_valid():
        desk.message_user(" ".join(str(error) for errors in form.errors.values() for error in errors), messages.ERROR)
        return desk.redirect("codes")
    account, number = form.cleaned_data["account"], form.cleaned_data["code"]
    code = find_reported(account, number)
    action = ACTIONS.get(desk.request.POST.get("action", ""))
    if code is None or action is None:
        text = _("No report of the account “%(account)s” has the code %(code)s.")
        desk.message_user(text % {"account": account, "code": number}, messages.ERROR)
        return desk.redirect("codes")
    action(desk, code, form.cleaned_data["name"])
    return desk.redirect("codes")


def _mark_as_seen(desk: Desk, code: ReportedCode, _name: str) -> None:
    if not code.is_delivery:
        text = _("%(code)s cannot mean “seen”: some of its reports say that the message was not delivered.")
        desk.message_user(text % {"code": code.code}, messages.ERROR)
    elif mark_as_seen(code.account, code.code):
        _done(desk, _("Code %(code)s of “%(account)s” now means “seen”."), code)
        text = _("New reports count at once. For the earlier ones, run: hyber_recount --reclassify")
        desk.message_user(text, messages.INFO)


def _set_name(desk: Desk, code: ReportedCode, name: str) -> None:
    if not name:
        desk.message_user(_("Enter what the code means."), messages.ERROR)
    elif name_code(code.account, code.code, name):
        _done(desk, _("Code %(code)s of “%(account)s” now means: %(name)s."), code, name)


def _forget(desk: Desk, code: ReportedCode, _name: str) -> None:
    if forget_code(code.account, code.code):
        _done(desk, _("The entry for code %(code)s of “%(account)s” was deleted. Messages keep their status."), code)


def _done(desk: Desk, text: str, code: ReportedCode, name: str = "") -> None:
    text %= {"code": code.code, "account": code.account, "name": name}
    desk.log_change(text)
    desk.message_user(text, messages.SUCCESS)


ACTIONS: dict[str, Callable[[Desk, ReportedCode, str], None]] = {
    "seen": _mark_as_seen,
    "name": _set_name,
    "forget": _forget,
}
