from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models, router, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from django_hyber import protocol
from django_hyber.models.base import ExactCharField, HyberModel
from django_hyber.models.campaign import Campaign, ChannelModel, stored_options

_VARIABLE = re.compile(r"%\w+%")


def default_language() -> str:
    """Return the language of the project."""
    return settings.LANGUAGE_CODE


def language_key(language: str) -> str:
    """Return a language as it is stored and compared: "uk_UA" becomes "uk-ua"."""
    return language.strip().replace("_", "-").lower()


validate_language = RegexValidator(
    r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*\Z", _("Enter the code of a language, as in uk or en-gb.")
)


class Template(HyberModel):
    """A message that the project's code sends by its code, with texts in several languages."""

    code = ExactCharField(
        _("code"),
        max_length=64,
        unique=True,
        validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", _("Use Latin letters, digits and . _ - only."))],
        help_text=_("The name by which your code sends it, as in order-shipped."),
    )
    name = models.CharField(pgettext_lazy("template", "name"), max_length=200)
    language = models.CharField(
        _("language to fall back to"),
        max_length=16,
        default=default_language,
        validators=[validate_language],
        help_text=_("The text in this language is used where there is none in the wanted one."),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        ordering = ("code",)

    def __str__(self) -> str:
        return self.name

    def find_text(self, language: str | None = None) -> TemplateText | None:
        """Return the text in this language, else in the language without its region, else in the template's own."""
        # One query: an edit between two would pair the number of one version with the channels of another. A text
        # without channels, which is still to be written, does not hide the text in another language.
        found: dict[str, list[TemplateChannel]] = {}
        for channel in TemplateChannel.objects.filter(variant__template=self).select_related("variant"):
            found.setdefault(channel.variant.language, []).append(channel)
        wanted = (language, self.language) if language else (self.language,)
        for key in map(language_key, wanted):
            while key not in found and "-" in key:
                key = key.rpartition("-")[0]  # noqa: PLW2901  uk-latn-ua, uk-latn, uk
            if key in found:
                variant = found[key][0].variant
                variant.template = self
                return TemplateText(variant, [channel.content for channel in found[key]])
        return None

    def get_channels(self, language: str | None = None) -> list[protocol.Channel]:
        """Return the channels of ``find_text``, in fallback order; none if there is no text."""
        text = self.find_text(language)
        return text.channels if text else []

    def set_channels(self, channels: Iterable[protocol.Channel], language: str | None = None) -> TemplateVariant:
        """Replace the channels of one language, given in fallback order. A change makes a new version.

        Raises ValidationError for characters that no database stores.
        """
        with transaction.atomic(using=router.db_for_write(Template)):
            variant, _is_new = self.variants.get_or_create(language=language_key(language or self.language))
            variant.set_channels(channels)
        return variant


class TemplateVariant(HyberModel):
    """The text of a template in one language."""

    template = models.ForeignKey(
        Template, on_delete=models.CASCADE, related_name="variants", verbose_name=_("template")
    )
    language = models.CharField(
        _("language"), max_length=16, validators=[validate_language], help_text=_("A code, as in uk or en-gb.")
    )
    approved_text = models.TextField(
        _("approved Viber text"),
        blank=True,
        help_text=_("The text that was approved for Viber, with %variables%. A warning appears if the text differs."),
    )
    version = models.PositiveIntegerField(_("version"), default=0, editable=False)

    # What the composer asks of a campaign: a text has no recipients, and can always be changed.
    is_editable = True
    has_own_texts = False
    missing_variables = Campaign.MissingVariables.REFUSE
    variable_defaults: dict[str, str] = {}
    link_parameters: dict[str, str] = {}

    class Meta:
        verbose_name = _("template text")
        verbose_name_plural = _("template texts")
        ordering = ("template", "language")
        constraints = (
            models.UniqueConstraint(
                fields=("template", "language"),
                name="hyber_language_once_a_template",
                violation_error_message=_("This template already has a text in this language."),
            ),
        )

    def __str__(self) -> str:
        return f"{self.template} ({self.language})"

    @property
    def label(self) -> str:
        """What a message keeps of it: code, language and version."""
        return f"{self.template.code} {self.language} {self.version}"

    def get_channels(self) -> list[protocol.Channel]:
        """Return the channels in fallback order."""
        return [channel.content for channel in self.channels.all()]

    def set_channels(self, channels: Iterable[protocol.Channel]) -> bool:
        """Replace the channels, given in fallback order. Return whether that made a new version."""
        wanted = [(channel.name, stored_options(channel)) for channel in channels]
        rows = [
            TemplateChannel(variant=self, position=position, channel=name, options=options)
            for position, (name, options) in enumerate(wanted)
        ]
        with transaction.atomic(using=router.db_for_write(TemplateVariant)):
            # Programs that set the same text at once wait for each other here.
            TemplateVariant.objects.filter(pk=self.pk).update(version=models.F("version"))
            if wanted == self.contents():
                return False
            self.channels.all().delete()
            TemplateChannel.objects.bulk_create(rows)
            self.count_version()
        return True

    def departs_from_approved(self, channels: Iterable[protocol.Channel]) -> bool:
        """Return whether a Viber text was approved and these channels have another one.

        White space, and the names of variables, make no difference.
        """
        approved = _without_names(self.approved_text)
        texts = [channel.text for channel in channels if isinstance(channel, protocol.Viber)]
        return bool(approved) and any(_without_names(text or "") != approved for text in texts)

    def contents(self) -> list[tuple[str, dict[str, Any]]]:
        """Return name and options of the stored channels, in fallback order."""
        return list(self.channels.order_by("position", "id").values_list("channel", "options"))

    def count_version(self) -> None:
        """Begin a new version, after the channels have changed."""
        TemplateVariant.objects.filter(pk=self.pk).update(version=models.F("version") + 1)
        self.refresh_from_db()


def _without_names(text: str) -> str:
    return " ".join(_VARIABLE.sub("%%", text).split())


class TemplateText(NamedTuple):
    """A version of a text, with its channels in fallback order."""

    variant: TemplateVariant
    channels: list[protocol.Channel]


class TemplateChannel(ChannelModel):
    """One channel of a text."""

    variant = models.ForeignKey(
        TemplateVariant, on_delete=models.CASCADE, related_name="channels", verbose_name=_("template text")
    )

    class Meta(ChannelModel.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=("variant", "channel"),
                name="hyber_channel_once_a_text",
                violation_error_message=_("This text already has this channel: each channel is tried once."),
            ),
        )
