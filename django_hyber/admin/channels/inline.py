"""The channels of a campaign or a template as inline forms, each beside a preview."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.channels.fields import CHOICE_TEXTS, MORE_OPTIONS, in_form_order
from django_hyber.admin.channels.forms import OPTION_NAMES, ChannelForm, ChannelFormSet
from django_hyber.admin.common.model_admins import OwnerPermissionsMixin
from django_hyber.admin.common.personal_data import sees_personal_data
from django_hyber.models import CampaignChannel
from django_hyber.models.campaign import ChannelModel
from django_hyber.words import CHANNEL_NAMES, label_of


class ChannelInline(OwnerPermissionsMixin, admin.StackedInline):  # type: ignore[type-arg]
    """The channels: they have the permissions of the campaign, and are read-only after the launch."""

    model: type[ChannelModel] = CampaignChannel
    form = ChannelForm
    formset = ChannelFormSet
    template = "admin/django_hyber/campaignchannel/inline.html"
    readonly_fields = ("content",)
    extra = 1
    max_num = len(CHANNEL_NAMES)
    owner = "campaign"

    class Media:
        css = {"all": ("django_hyber/admin/hyber.css", "django_hyber/admin/composer.css")}
        js = ("django_hyber/admin/channels.js", "django_hyber/admin/composer.js")

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Show the values of real recipients to those who may see them."""
        # The form adds the options itself: Django would look for columns of these names.
        kwargs["fields"] = ChannelForm.Meta.fields
        formset: Any = super().get_formset(request, obj, **kwargs)
        formset.may_see_values = sees_personal_data(request)
        formset.is_open = self.has_change_permission(request, obj)
        formset.compose_url = self.compose_url(obj)
        return formset

    def compose_url(self, obj: Any) -> str:
        """Return the address of the live preview for a saved or a new campaign."""
        page = f"admin:django_hyber_{self.parent_model._meta.model_name}"
        return reverse(f"{page}_compose", args=[obj.pk]) if obj else reverse(f"{page}_compose_new")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the options as fields while they can be changed, and as text afterwards."""
        if self.has_change_permission(request, obj):
            usual = [name for name in OPTION_NAMES if name not in MORE_OPTIONS]
            more = [name for name in OPTION_NAMES if name in MORE_OPTIONS]
            return [
                (None, {"fields": ("channel", "position", *usual)}),
                (_("More options"), {"fields": more, "classes": ("collapse", "hyber-more")}),
            ]
        return [(None, {"fields": ("channel", "content")})]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow it to users who may change the campaign or template: adding a channel is a change of it."""
        return self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow changes until the launch; in a new campaign, to users who may add it."""
        is_open = obj is None or obj.is_editable
        return is_open and self.may(request, "change" if obj else "add")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow it to users who may change the campaign or template: deleting a channel is a change of it."""
        return self.has_change_permission(request, obj)

    @admin.display(description=_("content"))
    def content(self, channel: ChannelModel) -> SafeString:
        """The options in words."""
        return format_html_join("", '<p class="hyber-option"><b>{}</b> {}</p>', described_options(channel))


def described_options(channel: ChannelModel) -> list[tuple[str, Any]]:
    """Return label and value of every option, in the order of the form's fields; unknown ones last."""
    names = in_form_order(channel.options)
    return [(str(label_of(name)), _in_words(channel.options[name])) for name in names]


def _in_words(value: Any) -> Any:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    return CHOICE_TEXTS.get(value, value) if isinstance(value, str) else value
