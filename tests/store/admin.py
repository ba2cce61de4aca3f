from __future__ import annotations

from django.contrib import admin

from django_hyber.admin import CampaignAudienceMixin, MessageInline
from tests.store.models import Card, Customer


@admin.register(Customer)
class CustomerAdmin(CampaignAudienceMixin, admin.ModelAdmin):
    list_display = ("first_name", "city")
    audience_phone = "phone"
    audience_variables = {"name": "first_name"}
    inlines = (MessageInline,)


@admin.register(Card)
class CardAdmin(CampaignAudienceMixin, admin.ModelAdmin):
    list_display = ("number",)
