from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from django_hyber.models import Message
from shop.models import Order


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    """An order that is set to "shipped" sends its customer a message; the notice shows the result."""

    list_display = ("__str__", "customer", "phone", "status", "notice_status", "notice_channel")
    list_editable = ("status",)
    list_filter = ("status",)
    list_select_related = ("notice",)
    search_fields = ("customer", "phone")
    readonly_fields = ("created_at", "notice_status", "notice_channel")

    @admin.display(description=_("shipping notice"), empty_value="-")
    def notice_status(self, order: Order) -> str:
        return str(Message.Status(order.notice.status).label) if hasattr(order, "notice") else ""

    @admin.display(description=_("channel"), empty_value="-")
    def notice_channel(self, order: Order) -> str:
        return order.notice.channel if hasattr(order, "notice") else ""
