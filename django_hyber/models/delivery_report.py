from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_hyber.models.base import ExactCharField, HyberModel, PersonalDataModel
from django_hyber.models.message import Message


class DeliveryReport(PersonalDataModel):
    """A statement of the platform about a message, as received. Repeated reports are stored once.

    ``message`` is empty until a message with one of the report's ids exists; then the report is matched.
    """

    message = models.ForeignKey(
        Message,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="delivery_reports",
        verbose_name=_("message"),
    )
    account = models.CharField(_("account"), max_length=64)
    fingerprint = models.CharField(_("fingerprint"), max_length=32, editable=False)
    hyber_message_id = ExactCharField(_("message id"), max_length=64, blank=True)
    extra_id = ExactCharField(_("extra id"), max_length=64, blank=True)
    phone_number = models.CharField(_("phone number"), max_length=15, blank=True)
    channel = models.CharField(_("channel"), max_length=16, blank=True)
    status = models.IntegerField(_("status"), null=True, blank=True)
    hyber_status = models.IntegerField(_("Hyber status"), null=True, blank=True)
    error_code = models.IntegerField(_("error code"), null=True, blank=True)
    reported_at = models.DateTimeField(_("reported at"), null=True, blank=True, help_text=_("By the platform's clock."))
    received_at = models.DateTimeField(_("received at"), default=timezone.now, db_index=True)
    raw = models.JSONField(_("as received"))

    class Meta:
        verbose_name = _("delivery report")
        verbose_name_plural = _("delivery reports")
        ordering = ("reported_at", "id")
        permissions = (("explain_codes", _("Can explain status codes")),)
        constraints = (models.UniqueConstraint(fields=("fingerprint",), name="hyber_report_once"),)
        indexes = (
            models.Index(fields=("hyber_message_id",), name="hyber_report_platform_id"),
            models.Index(fields=("extra_id",), name="hyber_report_extra_id"),
            # Counts the codes of a million reports without their rows.
            models.Index(fields=("account", "hyber_status", "status"), name="hyber_report_codes"),
        )

    def __str__(self) -> str:
        return str(self.hyber_message_id or self.extra_id)


class StatusCode(HyberModel):
    """What a status code of the platform means, as people have entered it in the admin. The settings come first."""

    account = models.CharField(_("account"), max_length=64)
    code = models.IntegerField(_("code"))
    name = models.CharField(_("meaning"), max_length=100, blank=True)
    means_seen = models.BooleanField(_("means seen"), default=False)

    class Meta:
        verbose_name = _("status code")
        verbose_name_plural = _("status codes")
        ordering = ("account", "code")
        constraints = (models.UniqueConstraint(fields=("account", "code"), name="hyber_code_once_an_account"),)

    def __str__(self) -> str:
        return str(self.code)
