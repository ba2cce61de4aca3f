"""What the platform sent: delivery reports, and unreadable callbacks."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.common.filters import ChannelFilter, WaitingFilter
from django_hyber.admin.common.model_admins import HyberAdmin, ReadOnlyAdmin, described_code, link_to, pretty_json
from django_hyber.admin.common.times import EMPTY, short_time
from django_hyber.admin.messages.codes_page import code_urls
from django_hyber.models import DeliveryReport, UnreadableCallback
from django_hyber.words import describe_code, describe_report, name_of_channel


@admin.register(DeliveryReport)
class DeliveryReportAdmin(ReadOnlyAdmin):
    """All reports as received."""

    list_display = ("received", "phone_number", "channel_name", "meaning", "message_link")
    list_filter = (WaitingFilter, ChannelFilter, "received_at")
    list_select_related = ("message",)
    time_column = "received_at"
    search_fields = ("hyber_message_id", "extra_id")
    search_help_text = _("Enter a full message id or extra id.")
    exact_columns = ("hyber_message_id", "extra_id")
    fields = (
        "message_link",
        "meaning",
        "code",
        ("account", "channel_name"),
        ("phone_number", "hyber_message_id", "extra_id"),
        ("reported_at", "received_at"),
        "as_received",
    )
    readonly_fields = ("message_link", "meaning", "code", "channel_name", "as_received")

    class Media:
        css = {"all": ("django_hyber/admin/campaign.css",)}

    def get_urls(self) -> list[Any]:
        """Add the page of status codes."""
        return [*code_urls(self), *super().get_urls()]

    @admin.display(description=_("received at"))
    def received(self, report: DeliveryReport) -> str:
        """The time of receipt."""
        return short_time(report.received_at)

    @admin.display(description=_("channel"))
    def channel_name(self, report: DeliveryReport) -> str:
        """The channel of the report."""
        return name_of_channel(report.channel) or EMPTY

    @admin.display(description=_("message"))
    def message_link(self, report: DeliveryReport) -> SafeString | str:
        """The message that the report is about."""
        return link_to(report.message) or gettext("waiting for its message")

    @admin.display(description=_("what happened"))
    def meaning(self, report: DeliveryReport) -> str:
        """The report in plain words."""
        return describe_report(report)

    @admin.display(description=_("code"))
    def code(self, report: DeliveryReport) -> str:
        """The platform's code with its meaning."""
        code = report.hyber_status if report.error_code is None else report.error_code
        return described_code(code, describe_code(code, report.account))

    @admin.display(description=_("as received"))
    def as_received(self, report: DeliveryReport) -> str:
        """The report itself."""
        return pretty_json(report.raw)


@admin.register(UnreadableCallback)
class UnreadableCallbackAdmin(ReadOnlyAdmin):
    """Callbacks that could not be read; they may be deleted after an inspection."""

    list_display = ("received", "kind", "account", "reason")
    list_filter = ("kind", "received_at")
    time_column = "received_at"
    fields = ("kind", "account", "reason", "received_at", "as_received")
    readonly_fields = ("as_received",)

    @admin.display(description=_("received at"))
    def received(self, callback: UnreadableCallback) -> str:
        """The time of receipt."""
        return short_time(callback.received_at)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Require the user's permission only."""
        return HyberAdmin.has_delete_permission(self, request, obj)

    @admin.display(description=_("as received"))
    def as_received(self, callback: UnreadableCallback) -> SafeString:
        """The body itself."""
        return format_html('<pre class="hyber-json">{}</pre>', callback.body)
