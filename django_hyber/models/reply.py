from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_hyber.models.base import PersonalDataModel
from django_hyber.models.message import Message
from django_hyber.storage import hyber_storage, private_name


def reply_file_name(reply: Reply, file_name: str) -> str:
    """Return the name under which an attachment is stored."""
    return private_name("replies", file_name)


class Reply(PersonalDataModel):
    """A reply of a recipient in Viber or WhatsApp."""

    message = models.ForeignKey(
        Message,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="replies",
        verbose_name=_("message"),
        help_text=_("The one that was answered, when it is known."),
    )
    account = models.CharField(_("account"), max_length=64)
    fingerprint = models.CharField(_("fingerprint"), max_length=32, unique=True, editable=False)
    channel = models.CharField(_("channel"), max_length=16, blank=True)
    phone_number = models.CharField(_("phone number"), max_length=15, blank=True, db_index=True)
    text = models.TextField(_("text"), blank=True)
    media_kind = models.CharField(_("attachment"), max_length=16, blank=True)
    media_url = models.TextField(
        _("link to the attachment"), blank=True, help_text=_("The platform keeps attachments for one day.")
    )
    file_name = models.CharField(_("file name"), max_length=255, blank=True)
    location = models.CharField(_("location"), max_length=64, blank=True)
    replied_at = models.DateTimeField(_("replied at"), null=True, blank=True)
    media_file = models.FileField(
        _("stored attachment"), upload_to=reply_file_name, storage=hyber_storage, max_length=255, blank=True
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0, editable=False)
    lease_until = models.DateTimeField(_("reserved until"), null=True, blank=True, editable=False)
    read_at = models.DateTimeField(_("read at"), null=True, blank=True, db_index=True)
    received_at = models.DateTimeField(_("received at"), default=timezone.now, db_index=True)
    raw = models.JSONField(_("as received"))

    class Meta:
        verbose_name = _("reply")
        verbose_name_plural = _("replies")
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.text[:50] or self.media_kind or self.location or self.channel
