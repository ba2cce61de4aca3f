from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator
from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_hyber.models.base import TEXT_LIMIT, ClaimModel, ExactCharField, HyberManager, PersonalDataModel
from django_hyber.models.campaign import Campaign
from django_hyber.models.doubt import DoubtModel
from django_hyber.models.reference import ReferenceModel, reference_columns
from django_hyber.models.suppression import Suppression


class MessageQuerySet(models.QuerySet["Message"]):
    """Filters by the recipient, and by the object that a message refers to."""

    def about(self, instance: models.Model) -> Self:
        """Select the messages that refer to this object."""
        type_id, key = reference_columns(instance)
        return self.filter(reference_type=type_id, reference_id=key)

    def purged(self) -> Self:
        """Select the messages whose personal data has been purged."""
        return self.filter(phone_number=None)

    def not_purged(self) -> Self:
        """Select the messages whose personal data has not been purged."""
        return self.exclude(phone_number=None)

    def opted_out(self) -> Self:
        """Select the messages whose number is on the opt-out list."""
        return self.filter(Exists(Suppression.objects.filter(phone_number=OuterRef("phone_number"))))

    def not_opted_out(self) -> Self:
        """Select the messages whose number is not on the opt-out list."""
        return self.filter(~Exists(Suppression.objects.filter(phone_number=OuterRef("phone_number"))))


MessageManager = HyberManager.from_queryset(MessageQuerySet)


class Message(PersonalDataModel, ClaimModel, DoubtModel, ReferenceModel):
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
        # The covering index below begins with the column.
        db_index=False,
    )
    account = models.CharField(_("account"), max_length=64, default="default")
    # NULL after a purge: empty strings would violate the unique constraint of phones in a campaign.
    phone_number = models.CharField(_("phone number"), max_length=15, null=True)  # noqa: DJ001
    extra_id = ExactCharField(_("extra id"), max_length=64)
    message_id = ExactCharField(_("message id"), max_length=64, null=True, blank=True)
    content = models.JSONField(
        _("content"), null=True, blank=True, help_text=_("Channels and options of a single message, as sent.")
    )
    variables = models.JSONField(_("variables"), default=dict, blank=True)
    # NULL for most messages, so that a campaign's rows stay small.
    template_version = models.CharField(  # noqa: DJ001
        _("template"),
        max_length=100,
        null=True,
        blank=True,
        editable=False,
        help_text=_("Code, language and version of the template of a single message."),
    )

    status = models.CharField(_("status"), max_length=12, choices=Status.choices, default=Status.QUEUED)
    channel = models.CharField(_("channel"), max_length=16, blank=True, help_text=_("The first one that delivered."))
    other_channels = models.CharField(
        _("other channels"),
        max_length=128,
        blank=True,
        editable=False,
        default="",
        # Bulk inserts of new messages omit this column.
        db_default="",
        help_text=_("The channels besides the one above that a report names, and how each of them ended."),
    )
    hyber_status = models.IntegerField(_("Hyber status"), null=True, blank=True)
    error_code = models.IntegerField(_("error code"), null=True, blank=True)
    error_text = models.CharField(_("error text"), max_length=TEXT_LIMIT, blank=True)
    total_sms_parts = models.PositiveIntegerField(_("SMS parts"), null=True, blank=True)
    delivered_sms_parts = models.PositiveIntegerField(_("delivered SMS parts"), null=True, blank=True)
    clicks = models.PositiveIntegerField(_("clicks"), null=True, blank=True)
    matching_template_id = models.PositiveIntegerField(
        _("matching template"),
        null=True,
        blank=True,
        help_text=_("The approved Viber template that the text matched. 0: none. Empty: not reported."),
    )

    # NULL for messages that were never retried. Where a retry is not sent after all, the message ends like this again.
    earlier_end = models.JSONField(_("end before the last retry"), null=True, blank=True, editable=False)

    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    accepted_at = models.DateTimeField(_("accepted at"), null=True, blank=True)
    reported_at = models.DateTimeField(
        _("reported at"), null=True, blank=True, help_text=_("When, by the platform's clock, the status was reached.")
    )
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    # When the package stopped querying the final report of this accepted message.
    given_up_at = models.DateTimeField(_("given up at"), null=True, blank=True, editable=False)

    objects = MessageManager()  # type: ignore[misc]  # declared on the base class too

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ("-id",)
        permissions = (
            ("view_personal_data", _("Can see phone numbers and values in full")),
            ("forget_number", _("Can download and remove what is stored under a phone number")),
            ("resolve_doubt", _("Can decide about unknown outcomes")),
        )
        # Declared here because unique=True and db_index=True on text columns create a second index on PostgreSQL.
        constraints = (
            # The number comes first, so that no other index is needed to find the messages of a number.
            models.UniqueConstraint(fields=("phone_number", "campaign"), name="hyber_phone_once_a_campaign"),
            models.UniqueConstraint(fields=("extra_id",), name="hyber_extra_id_once"),
        )
        indexes = (
            models.Index(fields=("status", "id"), name="hyber_message_status"),
            # Contains all columns that the campaign page counts, so that the index alone answers its queries.
            models.Index(
                fields=(
                    *("campaign", "status", "channel", "other_channels", "finished_at"),
                    *("clicks", "total_sms_parts", "delivered_sms_parts", "matching_template_id", "account"),
                ),
                name="hyber_message_campaign",
            ),
            models.Index(fields=("message_id",), name="hyber_message_platform_id"),
            # Finds a message that the platform certainly has, to compare the answer about an unconfirmed one with.
            models.Index(fields=("account", "accepted_at"), name="hyber_message_accepted"),
            models.Index(fields=("reference_type", "reference_id"), name="hyber_message_reference"),
        )

    def __str__(self) -> str:
        return str(self.extra_id)


#: A message whose own outcome is queried. The other unconfirmed messages are in an unconfirmed batch, which is queried.
LONE = models.Q(status=Message.Status.UNCONFIRMED, not_found_after__isnull=False)
#: Accepted messages whose final report is still queried, or no longer queried. A late report changes both.
AWAITED = models.Q(status=Message.Status.ACCEPTED, given_up_at=None)
GIVEN_UP = models.Q(status=Message.Status.ACCEPTED, given_up_at__isnull=False)
#: Messages of any status, whose Viber text matched an approved template, or none.
MATCHED = models.Q(matching_template_id__gt=0)
UNMATCHED = models.Q(matching_template_id=0)


def new_extra_id() -> str:
    """Return our own id for a message, by which reports are matched; it is safe as part of a URL."""
    return secrets.token_hex(12)


def extra_ids() -> Iterator[str]:
    """Yield extra ids with one random prefix and a counter, so that new entries are adjacent in the index."""
    beginning = secrets.token_hex(8)
    return (f"{beginning}{number:08x}" for number in itertools.count())
