from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.common.filters import CampaignFilter
from django_hyber.admin.common.model_admins import described_code
from django_hyber.admin.common.times import short_time
from django_hyber.admin.reconcile.pages import DoubtAdmin
from django_hyber.models import Batch
from django_hyber.words import describe_code
from django_hyber.words.reasons import translate_reason


@admin.register(Batch)
class BatchAdmin(DoubtAdmin):
    """The requests of a campaign and their results."""

    list_display = ("id", "campaign", "run", "size", "state", "error", "finished")
    list_filter = ("state", CampaignFilter)
    list_select_related = ("campaign",)
    readonly_fields = ("error",)
    fieldsets = (
        (
            None,
            {
                "description": _("A batch is one request to the platform, with many recipients at once."),
                "fields": ("campaign", "size", "state", "error", "attempts", "due_at", "created_at", "finished_at"),
            },
        ),
        (
            _("For developers"),
            {
                "classes": ("collapse",),
                "fields": (
                    *("run", "first_id", "last_id", "zone", "phone_prefixes", "job_id"),
                    *("enqueued_at", "lease_until", "not_found_after"),
                ),
            },
        ),
    )

    @admin.display(description=_("finished at"))
    def finished(self, batch: Batch) -> str:
        """When the batch was finished."""
        return short_time(batch.finished_at)

    @admin.display(description=_("error"))
    def error(self, batch: Batch) -> str:
        """The platform's code, or why there was no answer."""
        if batch.error_text:
            return described_code(batch.error_code, translate_reason(batch.error_text))
        if batch.waits_for:
            return str(batch.get_waits_for_display())
        return described_code(batch.error_code, describe_code(batch.error_code, batch.campaign.account))
