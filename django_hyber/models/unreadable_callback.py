from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_hyber.models.base import TEXT_LIMIT, HyberModel, PersonalDataModel


class UnreadableCallback(PersonalDataModel):
    """A callback, or one item of it, that could not be parsed. It is stored so that no data is lost."""

    class Kind(models.TextChoices):
        REPORTS = "reports", _("delivery reports")
        REPLIES = "replies", _("replies")

    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    account = models.CharField(_("account"), max_length=64)
    body = models.TextField(_("as received"))
    reason = models.CharField(_("reason"), max_length=TEXT_LIMIT)
    received_at = models.DateTimeField(_("received at"), default=timezone.now, db_index=True)

    class Meta:
        verbose_name = _("unreadable report")
        verbose_name_plural = _("unreadable reports")
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.reason


class CallbackQuota(HyberModel):
    """How much unusable data an account has received on one day (UTC)."""

    account = models.CharField(max_length=64)
    day = models.DateField()
    unreadable = models.BigIntegerField(default=0, help_text="Characters of unreadable callbacks.")
    unmatched = models.BigIntegerField(default=0, help_text="Reports that matched no message when they came.")

    class Meta:
        # The admin has no page for it.
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("account", "day"), name="hyber_callback_quota_once_a_day"),)

    def __str__(self) -> str:
        return f"{self.account}: {self.day}"
