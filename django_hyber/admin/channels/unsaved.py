"""A form with channels loses nothing that was typed, whatever has happened since it was opened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.forms import BooleanField
from django.forms.formsets import DEFAULT_MAX_NUM, TOTAL_FORM_COUNT, ManagementForm
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_hyber.admin.channels.conflicts import add_conflict, lock_posted
from django_hyber.admin.channels.fields import option_fields
from django_hyber.admin.channels.rows import Row, split_rows
from django_hyber.admin.common.desk import CampaignDesk, Desk
from django_hyber.admin.common.model_admins import HyberAdmin
from django_hyber.texts.rules import channel_rules
from django_hyber.words import CHANNEL_NAMES, label_of, place_of, problem_text

CHANNELS, DEFAULTS = "channels", "variable_defaults-"
OWN_TEXTS = {"name": gettext_lazy("Name"), "approved_text": gettext_lazy("Approved text")}


class GuardedAdmin(HyberAdmin):
    """An admin whose form is a GuardedForm with inline channels."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Lock the row while its form is saved: of two forms, the later one has to see the earlier one."""
        edited = super().get_object(request, object_id, from_field)
        return edited if edited and lock_posted(request, edited) else None

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show what was typed if the row was deleted, or the permission taken, while the form was open."""
        if request.method != "POST":
            return super().changeform_view(request, object_id, form_url, extra_context)
        desk = Desk(self, request, None)
        is_known = object_id is None or not self.has_change_permission(request)
        if not is_known and self.get_object(request, unquote(str(object_id))) is None:
            return _refuse(desk, _("It was deleted in the meantime. Your changes were not saved."), Http404(), 404)
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except PermissionDenied as error:
            return _refuse(desk, _("You no longer have permission for this. Your changes were not saved."), error, 403)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Show what somebody else has saved in the meantime."""
        if kwargs.get("obj"):
            add_conflict(context, kwargs["obj"])
        return super().render_change_form(request, context, *args, **kwargs)

    def get_inline_formsets(self, request: HttpRequest, formsets: list[Any], *args: Any, **kwargs: Any) -> Any:
        """Add the notes of the channels to the forms that are about to be shown."""
        for formset in formsets:
            formset.add_notes()
        return super().get_inline_formsets(request, formsets, *args, **kwargs)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: Any) -> None:
        """Show the warnings about the channels, which do not forbid sending."""
        super().save_formset(request, form, formset, change)
        for problem in formset.warnings:
            self.message_user(request, f"{place_of(problem)}: {problem_text(problem)}", messages.WARNING)


def show_unsaved(desk: CampaignDesk) -> HttpResponse | None:
    """Return a page with what was typed and is not stored, to be copied; None without such a text."""
    typed = list(_typed_texts(desk.request.POST, desk.campaign))
    return desk.render("unsaved", _("Your texts"), typed=typed) if typed else None


def _refuse(desk: Desk, text: str, error: Exception, status: int) -> HttpResponse:
    # Everything that was typed: a comparison would tell what is stored.
    typed = list(_typed_texts(desk.request.POST, None))
    if not typed:
        raise error
    desk.message_user(text, messages.ERROR)
    response = desk.render("unsaved", _("Your texts"), typed=typed)
    response.status_code = status
    return response


def _typed_texts(data: QueryDict, edited: Any) -> Iterator[tuple[str, str]]:
    """Yield the label and the text of what was typed and is not what is stored."""
    for name, label in OWN_TEXTS.items():
        if (text := _text(data.get(name, ""))) and text != getattr(edited, name, ""):
            yield str(label), text
    management = ManagementForm(data, prefix=CHANNELS)
    management.full_clean()
    total = min(management.cleaned_data[TOTAL_FORM_COUNT] or 0, DEFAULT_MAX_NUM)
    stored = {channel.channel: channel for channel in edited.channels.all()} if edited else {}
    kinds = {str(channel.pk): kind for kind, channel in stored.items()}
    for row in (Row(fields=fields) for fields in split_rows(data, CHANNELS, total)):
        kind = row.last("channel") or kinds.get(row.last("id"), "")
        if kind in CHANNEL_NAMES and not row.is_removed:
            yield from _of_channel(row, kind, stored[kind].options if kind in stored else {})
    defaults = getattr(edited, "variable_defaults", {})
    for key, posted in data.items():
        variable, text = key.removeprefix(DEFAULTS), str(posted)
        if variable != key and text and text != defaults.get(variable):
            yield ": ".join([_("Default texts"), variable]), text


def _of_channel(row: Row, kind: str, options: dict[str, object]) -> Iterator[tuple[str, str]]:
    fields = option_fields()
    for rule in channel_rules(kind):
        text = _text(row.last(rule.name))
        is_text = text and not isinstance(fields[rule.name], BooleanField)
        if is_text and text != str(options.get(rule.name, "")):
            yield f"{CHANNEL_NAMES[kind]}: {label_of(rule.name)}", text


def _text(posted: str) -> str:
    return posted.replace("\r\n", "\n")
