"""The text of a template in one language, written with the composer of campaigns."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.channels.composer import channel_parts, posted_formset
from django_hyber.admin.channels.conflicts import GuardedForm
from django_hyber.admin.channels.inline import ChannelInline
from django_hyber.admin.channels.unsaved import GuardedAdmin
from django_hyber.admin.common.desk import Desk
from django_hyber.admin.common.model_admins import OwnerPermissionsMixin
from django_hyber.models import TemplateChannel, TemplateVariant
from django_hyber.models.template import language_key
from django_hyber.texts.samples import MADE_UP


class VariantForm(GuardedForm):
    """The language and the approved text; the channels are inline forms."""

    guarded_fields = ("approved_text",)
    overtaken_text = _("This text was changed after you opened this page. Your changes are not saved yet.")

    class Meta:
        model = TemplateVariant
        fields = ("template", "language", "approved_text")

    def clean_language(self) -> str:
        """Store languages as they are compared."""
        return language_key(self.cleaned_data["language"])


class TemplateChannelInline(ChannelInline):
    """The channels of a text. Their previews show made-up values."""

    model = TemplateChannel
    owner = "template"

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Offer no recipients."""
        formset: Any = super().get_formset(request, obj, **kwargs)
        formset.may_see_values = formset.is_open = formset.has_recipients = False
        return formset


@admin.register(TemplateVariant)
class TemplateVariantAdmin(OwnerPermissionsMixin, GuardedAdmin):
    """The texts of templates. They have the permissions of the template, whose page leads here."""

    owner = "template"
    form = VariantForm
    add_label = _("Add text")
    inlines = (TemplateChannelInline,)
    fields = ("template", "language", "approved_text", "version", "seen_version", "form_key")
    readonly_fields = ("version",)
    autocomplete_fields = ("template",)
    list_display = ("template", "language", "version")
    list_select_related = ("template",)

    class Media:
        css = {"all": ("django_hyber/admin/campaign.css",)}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Keep the template and the language of a saved text: messages remember them."""
        return ("template", "language", *self.readonly_fields) if obj else self.readonly_fields

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Keep it out of the index."""
        return False

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: Any) -> None:
        """Count a new version, and warn about a text that is not the approved one."""
        before = form.instance.contents()
        super().save_formset(request, form, formset, change)
        if form.instance.contents() != before:
            form.instance.count_version()
        if form.instance.departs_from_approved(form.instance.get_channels()):
            text = _("The Viber text is not the approved one. Viber may not deliver it.")
            self.message_user(request, text, messages.WARNING)

    def get_urls(self) -> list[Any]:
        """Add the live part of the composer."""

        def page(route: str, name: str) -> Any:
            view = self.admin_site.admin_view(self.compose_view)
            return path(route, view, name=f"django_hyber_templatevariant_{name}")

        return [page("compose/", "compose_new"), page("<int:variant_id>/compose/", "compose"), *super().get_urls()]

    def compose_view(self, request: HttpRequest, variant_id: int | None = None) -> HttpResponse:
        """Return the parts of the page that depend on the unsaved channels."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.may(request, "change" if variant_id else "add"):
            raise PermissionDenied
        saved = self.get_object(request, str(variant_id)) if variant_id else None
        if variant_id and saved is None:
            raise Http404
        formset = posted_formset(Desk(self, request, None), saved, saved or TemplateVariant(), MADE_UP)
        return JsonResponse(
            {
                "parts": dict(channel_parts(formset)),
                "variables": formset.variables,
                "recipient": None,
                "hasPrevious": False,
                "hasNext": False,
                "defaultTexts": "",
                "defaultNames": [],
            }
        )
