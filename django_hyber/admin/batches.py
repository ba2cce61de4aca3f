from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.base import ReadOnlyAdmin, described_code
from django_hyber.admin.filters import CampaignFilter
from django_hyber.models import Batch
from django_hyber.services.lookups import describe_code


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    """How the requests of a campaign went."""

    list_display = ("id", "campaign", "run", "size", "state", "attempts", "error", "created_at", "finished_at")
    list_filter = ("state", CampaignFilter)
    list_select_related = ("campaign",)

    @admin.display(description=_("error"))
    def error(self, batch: Batch) -> str:
        """The platform's code, or why there was no answer."""
        if batch.error_text:
            return described_code(batch.error_code, gettext(batch.error_text))
        return described_code(batch.error_code, describe_code(batch.error_code, batch.campaign.account))
