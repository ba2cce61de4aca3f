from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_hyber.models.base import TEXT_LIMIT, HyberManager, ListedNumberModel, PersonalDataModel, UtcNow

#: How many numbers are taken off the list at once.
CHUNK = 1_000


class ReturnReply(NamedTuple):
    """The reply by which a number came back, and when it was written."""

    pk: int
    written_at: datetime


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    """Keeps the history of the numbers that are taken off the list."""

    def delete(self) -> tuple[int, dict[str, int]]:
        """Take the numbers off the list and keep their history."""
        return self.take_off()

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def take_off(
        self, *, reason: str = "", by: str = "", replies: Mapping[str, ReturnReply] | None = None
    ) -> tuple[int, dict[str, int]]:
        """Take the numbers off the list and keep their history: why, by whom, or by which reply of each number."""
        total = 0
        pks = list(self.order_by("pk").values_list("pk", flat=True))
        for start in range(0, len(pks), CHUNK):
            with transaction.atomic(using=self.db):
                chosen = Suppression.objects.filter(pk__in=pks[start : start + CHUNK])
                entries = list(chosen.order_by("pk").select_for_update())
                FormerOptOut.objects.bulk_create(
                    _former(entry, reason, by, (replies or {}).get(entry.phone_number)) for entry in entries
                )
                total += models.QuerySet.delete(chosen.filter(pk__in=[entry.pk for entry in entries]))[0]
        return total, {Suppression._meta.label: total}


SuppressionManager = HyberManager.from_queryset(SuppressionQuerySet)


class Suppression(ListedNumberModel):
    """A number that has opted out. Campaigns do not send to it. ``reply`` is the one by which it opted out."""

    reason = models.CharField(_("reason"), max_length=TEXT_LIMIT, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False, db_index=True)
    # By the clock of the database. An opt-out by reply is created when the reply was written, perhaps days earlier.
    listed_at = models.DateTimeField(_("listed at"), db_default=UtcNow(), editable=False, db_index=True)
    added_by = models.CharField(_("added by"), max_length=150, blank=True, editable=False)
    reply = models.ForeignKey(
        "django_hyber.Reply",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("reply"),
    )

    objects = SuppressionManager()  # type: ignore[misc]  # declared on the base class too

    class Meta:
        verbose_name = _("opted-out number")
        verbose_name_plural = _("opted-out numbers")
        ordering = ("-id",)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Take the number off the list and keep its history."""
        return Suppression.objects.filter(pk=self.pk).delete()

    def __str__(self) -> str:
        return self.phone_number


class FormerOptOut(PersonalDataModel):
    """An opt-out that has ended: the number was on the list from ``created_at`` to ``ended_at``."""

    phone_number = models.CharField(_("phone number"), max_length=15, db_index=True)
    reason = models.CharField(_("reason"), max_length=TEXT_LIMIT, blank=True)
    created_at = models.DateTimeField(_("opted out at"))
    added_by = models.CharField(_("added by"), max_length=150, blank=True)
    reply = models.ForeignKey(
        "django_hyber.Reply",
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("reply"),
    )
    ended_reason = models.CharField(_("reason for the removal"), max_length=TEXT_LIMIT, blank=True)
    ended_at = models.DateTimeField(_("removed at"), db_index=True)
    ended_by = models.CharField(_("removed by"), max_length=150, blank=True)
    ended_reply = models.ForeignKey(
        "django_hyber.Reply",
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("reply"),
    )

    class Meta:
        verbose_name = _("former opt-out")
        verbose_name_plural = _("former opt-outs")
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.phone_number


def _former(entry: Suppression, reason: str, by: str, reply: ReturnReply | None) -> FormerOptOut:
    return FormerOptOut(
        phone_number=entry.phone_number,
        reason=entry.reason,
        created_at=entry.created_at,
        added_by=entry.added_by,
        reply_id=entry.reply_id,
        ended_reason=reason,
        ended_at=reply.written_at if reply else timezone.now(),
        ended_by=by,
        ended_reply_id=reply.pk if reply else None,
    )
