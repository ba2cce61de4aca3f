from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.common.desk import Desk
from django_hyber.admin.common.filters import (
    ChannelFilter,
    EndedFilter,
    MessageCampaignFilter,
    OptedOutFilter,
    ReportFilter,
    TemplateFilter,
)
from django_hyber.admin.common.model_admins import described_code, link_to, pretty_json
from django_hyber.admin.common.times import EMPTY, short_time
from django_hyber.admin.messages.history import history_of, parts_note
from django_hyber.admin.messages.person import may_forget, person_page
from django_hyber.admin.messages.resending import retry_selected
from django_hyber.admin.reconcile.pages import DoubtAdmin
from django_hyber.models import Message, MessageQuerySet
from django_hyber.words import describe_code, describe_end, is_partial, name_of_channel


@admin.register(Message)
class MessageAdmin(DoubtAdmin):
    """All messages and their results."""

    list_display = ("phone_number", "campaign", "status", "channel_name", "problem", "when")
    list_filter = (
        "status",
        ChannelFilter,
        ReportFilter,
        EndedFilter,
        MessageCampaignFilter,
        TemplateFilter,
        OptedOutFilter,
        "created_at",
    )
    list_select_related = ("campaign",)
    search_fields = ("phone_number", "extra_id", "message_id")
    search_help_text = _("Enter a full extra id or message id.")
    phone_search_help_text = _("Enter a full phone number, extra id or message id.")
    exact_columns = ("extra_id", "message_id")
    phone_column = "phone_number"
    fieldsets = (
        (None, {"fields": ("phone_number", "campaign_link", "about", "status", "channel_name", "problem")}),
        (_("When"), {"fields": (("created_at", "accepted_at"), ("reported_at", "finished_at"))}),
        (
            _("Numbers"),
            {"fields": ("meaning", ("total_sms_parts", "delivered_sms_parts", "clicks", "matching_template_id"))},
        ),
        (
            _("For developers"),
            {
                "classes": ("collapse",),
                "fields": (
                    "content_json",
                    "variables_json",
                    "extra_id",
                    "message_id",
                    ("account", "attempts"),
                    "template_version",
                    ("due_at", "lease_until", "not_found_after"),
                ),
            },
        ),
    )
    readonly_fields = (
        *("campaign_link", "about", "channel_name", "problem"),
        *("content_json", "variables_json", "meaning"),
    )
    actions = ("retry_selected",)

    class Media:
        css = {"all": ("django_hyber/admin/composer.css",)}

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the message with its path through the channels, its reports and its request."""
        context = {"history": lambda: history_of(request, object_id), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def get_urls(self) -> list[Any]:
        """Add the page about one phone number."""
        view = self.admin_site.admin_view(self.person_view)
        return [path("person/", view, name="django_hyber_message_person"), *super().get_urls()]

    def person_view(self, request: HttpRequest) -> HttpResponseBase:
        """Return the page about one phone number."""
        if not may_forget(request):
            raise PermissionDenied
        return person_page(Desk(self, request, None))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Link the page about one phone number."""
        return super().changelist_view(request, {"can_forget": may_forget(request), **(extra_context or {})})

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Require the same permissions as the page of the campaign."""
        return request.user.has_perms(("django_hyber.view_campaign", "django_hyber.send_campaign"))

    @admin.action(description=_("Send failed messages again"), permissions=["retry"])
    def retry_selected(self, request: HttpRequest, queryset: MessageQuerySet) -> TemplateResponse | None:
        """Send the failed ones of the chosen messages again, after a confirmation."""
        return retry_selected(Desk(self, request, None), queryset)

    @admin.display(description=_("campaign"))
    def campaign_link(self, message: Message) -> SafeString | str:
        """The campaign that the message belongs to."""
        return link_to(message.campaign) or EMPTY

    @admin.display(description=_("about"))
    def about(self, message: Message) -> SafeString | str:
        """The project's object that the message is about."""
        return reference_link(message) or EMPTY

    @admin.display(description=_("channel"), ordering="channel")
    def channel_name(self, message: Message) -> str:
        """The channel that delivered."""
        return name_of_channel(message.channel) or EMPTY

    @admin.display(description=_("problem"))
    def problem(self, message: Message) -> str:
        """Why the message, or a part of it, was not delivered."""
        if is_partial(message):
            return parts_note(message.delivered_sms_parts, message.total_sms_parts)
        meaning = describe_end(message.error_code, message.error_text, message.account)
        return described_code(message.error_code, meaning)

    @admin.display(description=_("when"))
    def when(self, message: Message) -> str:
        """When its status was reached; before any report, when it was created."""
        return short_time(message.reported_at or message.created_at)

    @admin.display(description=_("content"))
    def content_json(self, message: Message) -> str:
        """Channels and options of a single message."""
        return pretty_json(message.content) or EMPTY

    @admin.display(description=_("variables"))
    def variables_json(self, message: Message) -> str:
        """The recipient's own values."""
        return pretty_json(message.variables) or EMPTY

    @admin.display(description=_("Hyber status"))
    def meaning(self, message: Message) -> str:
        """The platform's last code with its meaning."""
        return described_code(message.hyber_status, describe_code(message.hyber_status, message.account))


def reference_link(message: Message) -> SafeString | str:
    """Return the kind and id of the object, as a link if the admin has a page for it, or "" for none."""
    model = message.reference_type and message.reference_type.model_class()
    if not model:
        return ""
    text = f"{capfirst(model._meta.verbose_name)} {message.reference_id}"
    try:
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[message.reference_id])
    except NoReverseMatch:
        return text
    return format_html('<a href="{}">{}</a>', url, text)
