from __future__ import annotations

from functools import reduce
from operator import or_

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_hyber.models.base import TEXT_LIMIT, ClaimModel, HyberModel
from django_hyber.models.campaign import Campaign
from django_hyber.models.doubt import DoubtModel
from django_hyber.models.message import Message, MessageQuerySet


class Batch(HyberModel, ClaimModel, DoubtModel):
    """A range of a campaign's messages that is sent in one request.

    In a campaign with a sending window, a batch contains only messages of one time zone: those of its range whose
    numbers start with one of ``phone_prefixes``.

    Its messages stay ``queued`` during the request. The state of the batch applies to them until the answer arrives.
    """

    class State(models.TextChoices):
        PENDING = "pending", _("pending")
        SENDING = "sending", _("sending")
        UNCONFIRMED = "unconfirmed", _("unconfirmed")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    class WaitsFor(models.TextChoices):
        """The reason why a pending batch is not due yet. Empty if it only waits for its turn."""

        PLATFORM = "platform", _("Waits until the platform answers again.")
        ACCOUNT = "account", _("Waits until the platform accepts the login of the account.")
        WINDOW = "window", _("Waits for the sending window.")
        THROTTLE = "throttle", _("Waits for the throttle.")
        RETRY = "retry", _("Waits for the next attempt.")

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="batches", verbose_name=_("campaign"))
    run = models.PositiveSmallIntegerField(_("run"), default=1)
    first_id = models.BigIntegerField(_("first message"))
    last_id = models.BigIntegerField(_("last message"))
    size = models.PositiveIntegerField(_("messages"))
    zone = models.CharField(_("time zone"), max_length=64, blank=True)
    phone_prefixes = models.JSONField(_("phone prefixes"), default=list, blank=True)
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.PENDING)
    waits_for = models.CharField(_("waits for"), max_length=8, choices=WaitsFor.choices, blank=True)
    # With a spending limit: the most that the request may cost, and the day on which it was reserved.
    cost = models.DecimalField(_("cost at most"), max_digits=20, decimal_places=6, null=True, editable=False)
    charged_on = models.DateField(_("charged on"), null=True, editable=False)
    # Whether the last request was one that the platform processes as a job, whatever SYNC_LIMIT is by now.
    is_job = models.BooleanField(_("sent as a job"), default=False, editable=False)
    # The batch with an unconfirmed request, from which this one was cut.
    cut_from = models.BigIntegerField(_("cut from"), null=True, editable=False)
    # How often, and when last by the clock of the database, reports have proved that an unconfirmed request was
    # accepted: one of this batch, or of a batch that was cut from it. Counted, because an order of times needs exact
    # clocks.
    proofs = models.PositiveIntegerField(_("proofs"), default=0, editable=False)
    proved_at = models.DateTimeField(_("proved accepted at"), null=True, editable=False)
    # The proofs of the batch that this one was cut from, or of its own, when it was last queued again after a doubt.
    proofs_seen = models.PositiveIntegerField(_("proofs seen"), default=0, editable=False)
    # The status that its messages got when it failed. It is kept while a later report makes their outcome unknown.
    failed_as = models.CharField(
        _("failed as"), max_length=12, choices=Message.Status.choices, blank=True, default="", editable=False
    )
    # For a message that is sent again alone: the run of its campaign at that time.
    alone_in_run = models.PositiveSmallIntegerField(_("alone in run"), null=True, editable=False)
    job_id = models.CharField(_("job id"), max_length=64, blank=True)
    error_code = models.IntegerField(_("error code"), null=True, blank=True)
    error_text = models.CharField(_("error text"), max_length=TEXT_LIMIT, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("campaign", "run", "first_id"), name="hyber_batch_once_a_range"),
        )
        indexes = (
            models.Index(fields=("state", "due_at"), name="hyber_batch_due"),
            models.Index(fields=("charged_on",), name="hyber_batch_charged_on"),
        )

    def members(self) -> models.Q:
        """Select the messages of the batch from those of its campaign."""
        condition = models.Q(pk__gte=self.first_id, pk__lte=self.last_id)
        if not self.phone_prefixes:
            return condition
        return condition & reduce(or_, (models.Q(phone_number__startswith=prefix) for prefix in self.phone_prefixes))

    def messages(self) -> MessageQuerySet:
        """Select the messages of the batch."""
        return Message.objects.filter(self.members(), campaign=self.campaign_id)

    def holds(self, pk: int, phone_number: str | None) -> bool:
        """Return whether a message of its campaign is in the batch; of one without a number, whether it may be."""
        if not self.first_id <= pk <= self.last_id:
            return False
        return not self.phone_prefixes or phone_number is None or phone_number.startswith(tuple(self.phone_prefixes))

    def __str__(self) -> str:
        return f"{self.campaign_id}:{self.first_id}-{self.last_id}"
