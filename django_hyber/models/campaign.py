from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models, router, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from django_hyber import protocol
from django_hyber.models.base import TEXT_LIMIT, HyberModel, plain_value
from django_hyber.protocol.wire.incoming_values import is_storable

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise  # a name of the stubs only


def _utm_field(name: str, example: StrPromise) -> models.CharField[str, str]:
    return models.CharField(
        name,
        max_length=64,
        blank=True,
        # Others would have to be percent-encoded, which the platform could take for variables.
        validators=[
            RegexValidator(r"^[A-Za-z0-9_.-]*\Z", _("Use Latin letters, digits, dots, hyphens and underscores."))
        ],
        help_text=example,
    )


class Campaign(HyberModel):
    """One text for many people. Each of its messages is a recipient."""

    #: Options of a campaign other than its name, start time, channels and recipients.
    SETTINGS = (
        "tag",
        "division_code",
        "account",
        "throttle",
        "window_start",
        "window_end",
        "missing_variables",
        "variable_defaults",
        "has_own_texts",
        "number_types",
        "utm_source",
        "utm_medium",
        "utm_campaign",
    )

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        SCHEDULED = "scheduled", _("scheduled")
        SENDING = "sending", _("sending")
        PAUSED = "paused", _("paused")
        FINISHED = "finished", _("finished")
        CANCELLED = "cancelled", _("cancelled")

    class Approval(models.TextChoices):
        """The last step of the approval. A launch that nobody was asked to approve, and a withdrawal, clear it."""

        ASKED = "asked", _("waits for approval")
        GIVEN = "given", _("approved")
        SENT_BACK = "sent_back", _("sent back")

    class MissingVariables(models.TextChoices):
        """What to do with a recipient whose value for a variable of the text is missing or empty."""

        REFUSE = "refuse", _("do not launch")
        SKIP = "skip", _("skip the recipient")
        DEFAULT = "default", _("use the default text")

    # With a context, because a project may translate "name" as the name of a person.
    name = models.CharField(pgettext_lazy("campaign", "name"), max_length=200)
    tag = models.CharField(
        _("tag"),
        max_length=64,
        blank=True,
        help_text=_("Campaign name in Hyber's statistics. Leave empty to use the name above."),
    )
    division_code = models.CharField(
        _("division code"),
        max_length=100,
        blank=True,
        help_text=_("Splits Hyber's statistics. Only codes created beforehand in Hyber's web interface work."),
    )
    account = models.CharField(
        _("account"),
        max_length=64,
        default="default",
        help_text=_("The GMS account that sends the campaign and pays for it."),
    )
    start_time = models.DateTimeField(
        _("start time"), null=True, blank=True, help_text=_("Leave empty to start at launch.")
    )
    throttle = models.PositiveIntegerField(
        _("throttle"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Maximum recipients per minute. Leave empty for no limit."),
    )
    window_start = models.TimeField(
        _("not before"),
        null=True,
        blank=True,
        help_text=_("The earliest time of day to send, in the recipient's time zone."),
    )
    window_end = models.TimeField(_("not after"), null=True, blank=True)
    missing_variables = models.CharField(
        _("when a value is missing"),
        max_length=8,
        choices=MissingVariables.choices,
        default=MissingVariables.REFUSE,
        help_text=_("For recipients without a value for a %variable% of the text."),
    )
    variable_defaults = models.JSONField(_("default texts"), default=dict, blank=True)
    has_own_texts = models.BooleanField(
        _("individual texts"),
        default=False,
        editable=False,
        help_text=_("Every recipient has an individual text in the variable “text”; the channels have none."),
    )
    number_types = models.JSONField(
        _("types of numbers"),
        default=list,
        blank=True,
        editable=False,
        help_text=_("Types of numbers that imports accept besides mobile numbers."),
    )
    audience = models.CharField(
        _("audience"),
        max_length=100,
        blank=True,
        default="",
        editable=False,
        help_text=_("The project's audience that was added last."),
    )
    utm_source = _utm_field("utm_source", _("For example: viber. Leave empty to omit it."))
    utm_medium = _utm_field("utm_medium", _("For example: messenger. Leave empty to omit it."))
    utm_campaign = _utm_field("utm_campaign", _("For example: spring-sale. Leave empty to omit it."))
    status = models.CharField(
        _("status"), max_length=12, choices=Status.choices, default=Status.DRAFT, editable=False, db_index=True
    )
    status_reason = models.CharField(_("reason"), max_length=TEXT_LIMIT, blank=True, editable=False)
    run = models.PositiveSmallIntegerField(
        _("run"), default=0, editable=False, help_text=_("0 before the launch; each retry of failed messages adds one.")
    )
    next_send_at = models.DateTimeField(
        _("next request at"), null=True, editable=False, help_text=_("The earliest time that the throttle allows.")
    )
    sending_since = models.DateTimeField(_("sending since"), null=True, editable=False)
    # When the first time of sending_since was, since the launch.
    begun_at = models.DateTimeField(_("begun at"), null=True, editable=False)
    stalled_at = models.DateTimeField(_("stalled at"), null=True, editable=False)
    # Users may be stored in another database, where deleting one cannot change this table: the key then stays.
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("author"),
        help_text=_("The user who edited it last."),
    )
    launched_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("launched by"),
    )
    approval = models.CharField(_("approval"), max_length=9, choices=Approval.choices, blank=True, editable=False)
    approval_note = models.CharField(_("note"), max_length=500, blank=True, editable=False)
    approval_by = models.CharField(max_length=150, blank=True, editable=False)
    approval_at = models.DateTimeField(null=True, editable=False)
    approval_asker = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        editable=False,
        related_name="+",
        help_text=_("The user who requested approval last."),
    )
    approval_content = models.CharField(
        max_length=64, blank=True, editable=False, help_text=_("What was to be approved, as a fingerprint.")
    )
    # Of two requests with the same form, the second adds nothing. NULL, because a campaign of code has no form.
    added_by_form = models.CharField(max_length=32, null=True, unique=True, editable=False)  # noqa: DJ001
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    launched_at = models.DateTimeField(_("launched at"), null=True, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, editable=False)

    #: Recipients in batches being sent, set by ``pause_campaign`` and ``cancel_campaign``.
    on_the_wire = 0

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ("-id",)
        permissions = (
            ("send_campaign", _("Can send campaigns")),
            ("export_campaign", _("Can export the recipients of campaigns")),
        )
        constraints = (
            models.CheckConstraint(
                name="hyber_window_has_both_ends",
                condition=models.Q(window_start=None, window_end=None)
                | models.Q(window_start__isnull=False, window_end__isnull=False),
                violation_error_message=_("A sending window needs both a start and an end."),
            ),
        )

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def find_added(form_key: str) -> Campaign | None:
        """Return the campaign that the form with this key has added, or None. A form without a key is always new."""
        if not form_key or not is_storable(form_key):
            return None
        return Campaign.objects.filter(added_by_form=form_key).first()

    @property
    def is_editable(self) -> bool:
        """Whether text and recipients may still change, which is the case only before the launch."""
        return self.status == self.Status.DRAFT

    @property
    def started_at(self) -> datetime | None:
        """When it began to reach people. None if it has not got so far, or was stopped before.

        Its requests may be sent ahead of the start time, for which the platform waits.
        """
        if not self.begun_at:
            return None
        started = max(self.begun_at, self.start_time or self.begun_at)
        return started if started <= timezone.now() else None

    def start_time_on_wire(self, now: datetime) -> datetime | None:
        """Return the start time for a request made now, or None if the start was reached during the hand-over.

        A start time that was already past at the launch is sent unchanged.
        """
        if self.start_time and self.launched_at and self.launched_at < self.start_time <= now:
            return None
        return self.start_time

    @property
    def link_parameters(self) -> dict[str, str]:
        """The parameters for web statistics that are added to links; empty by default."""
        values = {name: getattr(self, name) for name in ("utm_source", "utm_medium", "utm_campaign")}
        return {name: value for name, value in values.items() if value}

    def get_channels(self) -> list[protocol.Channel]:
        """Return the channels in fallback order, as they are sent: with the UTM parameters in their links."""
        parameters = self.link_parameters
        return [protocol.tag_links(channel.content, parameters) for channel in self.channels.all()]

    def get_variables(self) -> list[str]:
        """Return the names of the variables in the channels, sorted."""
        return sorted(protocol.find_variables(self.get_channels()))

    def set_channels(self, channels: Iterable[protocol.Channel]) -> None:
        """Replace the channels, given in fallback order.

        Raises ValidationError after the launch of the campaign, and for characters that no database stores.
        """
        drafts = Campaign.objects.filter(pk=self.pk, status=self.Status.DRAFT)
        rows = [
            CampaignChannel(campaign=self, position=position, channel=channel.name, options=stored_options(channel))
            for position, channel in enumerate(channels)
        ]
        with transaction.atomic(using=router.db_for_write(Campaign)):
            # A launch, and programs that set the channels at once, wait for each other here.
            if not drafts.update(status=self.Status.DRAFT):
                raise ValidationError(_("The channels of a launched campaign cannot be changed."), code="launched")
            self.channels.all().delete()
            CampaignChannel.objects.bulk_create(rows)


def stored_options(channel: protocol.Channel) -> Any:
    """Return the options of a channel as they are stored. Raises ValidationError for characters that cannot be."""
    options = plain_value(channel.to_wire())
    if not is_storable(options):
        text = _("%(channel)s: This contains characters that cannot be stored: NUL or half a character.")
        raise ValidationError(text, code="characters", params={"channel": ChannelModel.Name(channel.name).label})
    return options


class ChannelModel(HyberModel):
    """One channel of a campaign or a template, with its options in the wire format."""

    class Name(models.TextChoices):
        PUSH = "push", _("Push")
        VIBER = "viber", _("Viber")
        SMS = "sms", _("SMS")
        WHATSAPP = "whatsapp", _("WhatsApp")

    position = models.PositiveSmallIntegerField(_("position"), default=0)
    channel = models.CharField(_("channel"), max_length=16, choices=Name.choices)
    options = models.JSONField(_("options"), default=dict, blank=True)

    class Meta:
        abstract = True
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ("position", "id")

    def __str__(self) -> str:
        return self.get_channel_display()

    @property
    def content(self) -> protocol.Channel:
        """The channel as an object of the protocol. Unknown options are passed through."""
        return protocol.channel_from_wire(self.channel, self.options)


class CampaignChannel(ChannelModel):
    """One channel of a campaign."""

    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="channels", verbose_name=_("campaign")
    )

    class Meta(ChannelModel.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=("campaign", "channel"),
                name="hyber_channel_once_a_campaign",
                violation_error_message=_("This campaign already has this channel: each channel is tried once."),
            ),
        )
