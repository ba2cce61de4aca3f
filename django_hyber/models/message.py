from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_hyber.models.base import HyberManager, PersonalDataModel
from django_hyber.models.campaign import Campaign
from django_hyber.models.doubt import DoubtModel
from django_hyber.models.suppression import Suppression


class MessageQuerySet(models.QuerySet["Message"]):
    """Messages by what is known of the person they are for."""

    def purged(self) -> Self:
        """Leave those whose personal data has been removed."""
        return self.filter(phone_number=None)

    def not_purged(self) -> Self:
        """Leave those whose number is still known."""
        return self.exclude(phone_number=None)

    def opted_out(self) -> Self:
        """Leave those whose number is on the opt-out list now."""
        return self.filter(Exists(Suppression.objects.filter(phone_number=OuterRef("phone_number"))))

    def not_opted_out(self) -> Self:
        """Leave those whose number is not on the opt-out list now."""
        return self.filter(~Exists(Suppression.objects.filter(phone_number=OuterRef("phone_number"))))


MessageManager = HyberManager.from_queryset(MessageQuerySet)


class Message(PersonalDataModel, DoubtModel):
    """One send to one person, alone or as a recipient of a campaign."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        SENDING = "sending", _("sending")
        UNCONFIRMED = "unconfirmed", _("unconfirmed")
        ACCEPTED = "accepted", _("accepted")
        DELIVERED = "delivered", _("delivered")
        SEEN = "seen", _("seen")
        EXPIRED = "expired", _("expired")
        UNDELIVERED = "undelivered", _("undelivered")
        REJECTED = "rejected", _("rejected")
        CANCELLED = "cancelled", _("cancelled")
        SUPPRESSED = "suppressed", _("suppressed")

    campaign = models.ForeignKey(
        Campaign,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="messages",
        verbose_name=_("campaign"),
        # The unique constraint below already indexes the column.
        db_index=False,
    )
    account = models.CharField(_("account"), max_length=64, default="default")
    # NULL once personal data has been removed: an empty text would be the same phone twice in one campaign.
    phone_number = models.CharField(_("phone number"), max_length=15, null=True)  # noqa: DJ001
    extra_id = models.CharField(_("extra id"), max_length=64)
    message_id = models.CharField(_("message id"), max_length=64, null=True, blank=True)  # noqa: DJ001
    content = models.JSONField(
        _("content"), null=True, blank=True, help_text=_("Channels and options of a single message, as sent.")
    )
    variables = models.JSONField(_("variables"), default=dict, blank=True)

    status = models.CharField(_("status"), max_length=12, choices=Status.choices, default=Status.QUEUED)
    channel = models.CharField(_("channel"), max_length=16, blank=True, help_text=_("The one that delivered."))
    failed_channels = models.CharField(
        _("channels that failed"),
        max_length=128,
        blank=True,
        editable=False,
        default="",
        # For the statements that write new messages in bulk, which have never failed anywhere.
        db_default="",
        help_text=_("Those of which a report says that they did not deliver, and how it ended there."),
    )
    hyber_status = models.IntegerField(_("Hyber status"), null=True, blank=True)
    error_code = models.IntegerField(_("error code"), null=True, blank=True)
    error_text = models.CharField(_("error text"), max_length=255, blank=True)
    total_sms_parts = models.PositiveIntegerField(_("SMS parts"), null=True, blank=True)
    delivered_sms_parts = models.PositiveIntegerField(_("delivered SMS parts"), null=True, blank=True)
    clicks = models.PositiveIntegerField(_("clicks"), null=True, blank=True)

    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    accepted_at = models.DateTimeField(_("accepted at"), null=True, blank=True)
    reported_at = models.DateTimeField(
        _("reported at"), null=True, blank=True, help_text=_("When, by the platform's clock, the status was reached.")
    )
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    # Since then the platform is no longer queried for the final report of this accepted message.
    given_up_at = models.DateTimeField(_("given up at"), null=True, blank=True, editable=False)

    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    # Attempts that failed at the login of the account. They do not count against MAX_ATTEMPTS.
    held_attempts = models.PositiveSmallIntegerField(
        _("attempts while held"),
        default=0,
        # For the statements that write new messages in bulk.
        db_default=0,
        editable=False,
    )
    # While it is being sent: after this the worker is presumed dead.
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)
    # When the next step is due: sending it, querying its outcome while it is unconfirmed, fetching its reports later.
    # Empty means at once.
    due_at = models.DateTimeField(_("next attempt at"), null=True, blank=True)
    enqueued_at = models.DateTimeField(
        _("enqueued at"), null=True, blank=True, help_text=_("When a task was last asked to take care of it.")
    )

    objects = MessageManager()  # type: ignore[misc]  # declared on the base class too

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ("-id",)
        permissions = (
            ("view_personal_data", _("Can see phone numbers and values in full")),
            ("resolve_doubt", _("Can decide about unknown outcomes")),
        )
        # Named here and not on the fields, where PostgreSQL would get a second index for LIKE with each of them.
        constraints = (
            models.UniqueConstraint(fields=("campaign", "phone_number"), name="hyber_phone_once_a_campaign"),
            models.UniqueConstraint(fields=("extra_id",), name="hyber_extra_id_once"),
        )
        indexes = (
            models.Index(fields=("status", "id"), name="hyber_message_status"),
            # All that the page of a campaign counts, so that no row has to be read for it.
            models.Index(
                fields=(
                    *("campaign", "status", "channel", "failed_channels", "finished_at"),
                    *("clicks", "total_sms_parts", "delivered_sms_parts"),
                ),
                name="hyber_message_campaign",
            ),
            models.Index(fields=("phone_number",), name="hyber_message_phone"),
            models.Index(fields=("message_id",), name="hyber_message_platform_id"),
        )

    def __str__(self) -> str:
        return self.extra_id


#: In doubt on its own. The other unconfirmed messages are in an unconfirmed batch, which is asked about instead.
LONE = models.Q(status=Message.Status.UNCONFIRMED, not_found_after__isnull=False)
#: Accepted, and the final report is still expected, or was given up. A late report changes both.
AWAITED = models.Q(status=Message.Status.ACCEPTED, given_up_at=None)
GIVEN_UP = models.Q(status=Message.Status.ACCEPTED, given_up_at__isnull=False)
