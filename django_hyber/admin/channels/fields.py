"""The form fields of the channels' options, built from the protocol's rules: one form field per option name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin import widgets
from django.utils.functional import lazy
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_hyber.texts.rules import DEFAULT_TTL, FieldRule, channel_rules
from django_hyber.words import CHANNEL_NAMES, LABELS, label_of

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise  # a name of the stubs only

NOTES: Mapping[str, str | StrPromise] = {
    "text": _("Write %name% to put in each recipient's own value from the column “name”."),
    "ttl": _("How long to try this channel before the next one. Leave empty for the default."),
    "action": _("The address that the button opens. For a Viber file or video: the address of the file or video."),
    "device": _("Only for one-way Viber senders. Leave empty to use the setting agreed with GMS."),
    "alpha_name": _("The sender's name, registered with GMS. Viber needs it only if you have several senders."),
    "file_name": _("With its extension. A file is sent without text and image. Its address is the button link."),
    "thumbnail": _("A video needs its preview, size and length, and its address as the button link."),
    "ctr": _("Replaces links with short ones and counts the clicks."),
}
CHOICE_TEXTS: Mapping[str, str | StrPromise] = {"all": _("all devices"), "phone": _("the phone only")}
#: Rarely needed, so collapsed at first.
MORE_OPTIONS = frozenset(
    {
        *("file_name", "thumbnail", "file_size", "duration", "doc", "doc_name", "audio", "video", "video_name"),
        *("latitude", "longitude", "device"),
    }
)
#: Options that hold a text of several lines.
LONG_TEXTS = frozenset({"text", "img_name", "doc_name", "video_name"})


class TextField(forms.CharField):
    """Text with LF line ends: browsers send CRLF, and both characters would count towards the limit."""

    def to_python(self, value: Any) -> str:
        """Turn CRLF into LF."""
        return (super().to_python(value) or "").replace("\r\n", "\n").replace("\r", "\n")


class NumberField(forms.FloatField):
    """A float, converted to an integer if it is whole, as in the vendor's samples."""

    def to_python(self, value: Any) -> Any:
        """Turn 3.0 into 3."""
        number = super().to_python(value)
        return int(number) if number is not None and number.is_integer() else number


def option_fields() -> dict[str, forms.Field]:
    """Return a form field for every option that any channel has, in the order of the form."""
    rules: dict[str, dict[str, FieldRule]] = {}
    for channel in CHANNEL_NAMES:
        for rule in channel_rules(channel):
            rules.setdefault(rule.name, {})[channel] = rule
    return {name: _build(name, rules[name]) for name in in_form_order(rules)}


def in_form_order(names: Iterable[str]) -> list[str]:
    """Sort the names of options; those that have no label come last."""
    order = list(LABELS)
    return sorted(names, key=lambda name: order.index(name) if name in LABELS else len(order))


def limit_text(channel: str, rule: FieldRule) -> str:
    """Return the limits of a field in words, or "" if it has none."""
    parts = [_size_text(rule)]
    if rule.name == "ttl" and channel in DEFAULT_TTL:
        parts.append(gettext("empty means %(seconds)d") % {"seconds": DEFAULT_TTL[channel]})
    elif rule.required:
        parts.append(gettext("required"))
    return capfirst("; ".join(part for part in parts if part))


def _size_text(rule: FieldRule) -> str:
    if rule.name == "ttl":
        return gettext("%(minimum)d to %(maximum)d seconds") % {"minimum": rule.minimum, "maximum": rule.maximum}
    if rule.max_length is not None:
        return gettext("up to %(limit)d characters") % {"limit": rule.max_length}
    if rule.minimum is not None and rule.maximum is not None:
        return gettext("%(minimum)d to %(maximum)d degrees") % {"minimum": rule.minimum, "maximum": rule.maximum}
    return ""


def _build(name: str, by_channel: Mapping[str, FieldRule]) -> forms.Field:
    rule = next(iter(by_channel.values()))
    field = _FIELDS[rule.kind](rule)
    field.label = label_of(name)
    field.required = False
    field.help_text = _lazy_help(name, tuple(by_channel.items()))
    required_by = (channel for channel, rule in by_channel.items() if rule.required and name != "ttl")
    field.widget.attrs |= {"data-channels": " ".join(by_channel), "data-required-by": " ".join(required_by)}
    return field


def _text(rule: FieldRule) -> forms.Field:
    if rule.name in LONG_TEXTS:
        return TextField(widget=widgets.AdminTextareaWidget(attrs={"rows": 4}))
    return TextField(widget=widgets.AdminTextInputWidget())


def _link(_rule: FieldRule) -> forms.Field:
    # Not a URLField: a link may hold %variables%, and a button may lead to viber:// or tel:.
    return TextField(widget=widgets.AdminTextInputWidget(attrs={"inputmode": "url"}))


def _choice(rule: FieldRule) -> forms.Field:
    choices = [(choice, CHOICE_TEXTS.get(choice, choice)) for choice in rule.choices]
    return forms.ChoiceField(choices=[("", "---------"), *choices])


def _integer(_rule: FieldRule) -> forms.Field:
    return forms.IntegerField(widget=widgets.AdminIntegerFieldWidget())


def _number(_rule: FieldRule) -> forms.Field:
    return NumberField(widget=forms.NumberInput(attrs={"step": "any"}))


def _boolean(_rule: FieldRule) -> forms.Field:
    return forms.BooleanField()


_FIELDS: Mapping[str, Callable[[FieldRule], forms.Field]] = {
    "text": _text,
    "url": _link,
    "action": _link,
    "choice": _choice,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "coordinate": _text,
}


def _help_text(name: str, by_channel: Sequence[tuple[str, FieldRule]]) -> SafeString:
    channels_by_limit: dict[str, list[str]] = {}
    for channel, rule in by_channel:
        channels_by_limit.setdefault(limit_text(channel, rule), []).append(channel)
    limits = format_html_join(
        " ",
        '<span class="hyber-limit" data-channels="{}"><span class="hyber-names">{}: </span>{}.</span>',
        (
            (" ".join(channels), ", ".join(str(CHANNEL_NAMES[channel]) for channel in channels), text)
            for text, channels in channels_by_limit.items()
            if text
        ),
    )
    return format_html("{} {}", NOTES.get(name, ""), limits)


_lazy_help = lazy(_help_text, str)
