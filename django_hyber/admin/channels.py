"""The channels of a campaign, edited in place: the form has every option, the chosen channel says which ones count."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminIntegerFieldWidget
from django.forms.formsets import DELETION_FIELD_NAME
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.channel_fields import CHANNEL_NAMES, CHOICE_TEXTS, in_form_order, label_of, option_fields
from django_hyber.models import CampaignChannel
from django_hyber.services.channel_forms import Problem, channel_rules, check_channels, complete_options, translate


class ChannelFormBase(forms.ModelForm):  # type: ignore[type-arg]  # Django's class takes no type at run time
    """One channel. Options that the form does not know stay as they are stored."""

    position = forms.IntegerField(
        label=pgettext_lazy("channel", "Order"),
        required=False,
        min_value=0,
        max_value=99,
        widget=AdminIntegerFieldWidget(),
        help_text=_("The channels are tried from the lowest number to the highest. Empty: after the others."),
    )

    class Meta:
        model = CampaignChannel
        fields = ("channel", "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            self.initial.setdefault("position", None)
            return
        # A saved channel keeps its kind, so that two of them can never change places in the unique index.
        self.fields["channel"].disabled = True
        self.fields["channel"].help_text = _("To use another channel instead, delete this one and add the other.")
        self.initial = {**self.instance.options, **self.initial}

    def has_changed(self) -> bool:
        """A new row that has got nothing but a number is an empty row."""
        return super().has_changed() and not (self.empty_permitted and self.changed_data == ["position"])

    def clean(self) -> dict[str, Any]:
        """Keep the options of the chosen channel and check them by the platform's rules."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        channel = cleaned.get("channel")
        if channel:
            self._forget_other_fields(channel)
            self.instance.options = self._options(channel)
            self._show_errors(check_channels([(channel, self.instance.options)]))
        return cleaned

    def validate_constraints(self) -> None:
        """Leave it to the formset: the database still holds the rows that are being removed."""

    def _forget_other_fields(self, channel: str) -> None:
        """Let nobody search for a mistake in a field that the chosen channel does not show."""
        others = set(OPTION_NAMES) - {rule.name for rule in channel_rules(channel)}
        for name in others & set(self.errors):
            del self.errors[name]

    def _options(self, channel: str) -> dict[str, Any]:
        names = [rule.name for rule in channel_rules(channel)]
        known = set(complete_options(channel, dict.fromkeys(names)))
        unknown = {name: value for name, value in self.instance.options.items() if name not in known}
        values = {name: self.cleaned_data.get(name) for name in names}
        # 0 is a value: a TTL of 0 has to be refused, not replaced by the default.
        given = {
            name: value for name, value in values.items() if value is not None and value is not False and value != ""
        }
        return unknown | complete_options(channel, given)

    def _show_errors(self, problems: list[Problem]) -> None:
        for problem in problems:
            field = problem.field if problem.field in self.fields else None
            if problem.is_error and field not in self.errors:
                self.add_error(field, translate(problem))


ChannelForm = type("ChannelForm", (ChannelFormBase,), option_fields())
OPTION_NAMES = tuple(option_fields())


class ChannelFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """The channels together: each once, in their order. ``warnings`` are the doubts about a valid form."""

    warnings: list[Problem]

    def clean(self) -> None:
        """Check what concerns several channels."""
        super().clean()
        live = [form for form in self.forms if self._is_live(form)]
        self._refuse_repeated(live)
        self._number(live)
        live.sort(key=lambda form: form.instance.position)
        problems = check_channels((form.cleaned_data["channel"], form.instance.options) for form in live)
        self.warnings = [problem for problem in problems if not problem.is_error]

    def _is_live(self, form: forms.BaseForm) -> bool:
        return bool(form.cleaned_data.get("channel")) and not form.cleaned_data.get(DELETION_FIELD_NAME)

    def _refuse_repeated(self, live: list[Any]) -> None:
        seen = set()
        for form in live:
            channel = form.cleaned_data["channel"]
            if channel in seen:
                form.add_error(
                    "channel", gettext("This campaign already has this channel: each channel is tried once.")
                )
                form.cleaned_data["channel"] = channel
            seen.add(channel)

    def _number(self, live: list[Any]) -> None:
        positions = [form.cleaned_data.get("position") for form in live]
        last = max((position for position in positions if position is not None), default=0)
        for form, position in zip(live, positions, strict=True):
            if position is None:
                last += 1
            form.instance.position = last if position is None else position

    def validate_unique(self) -> None:
        """Do without: a repeated channel is shown beside its own field instead."""


class ChannelInline(admin.StackedInline):  # type: ignore[type-arg]
    """A part of the campaign: whoever may change the campaign may change its channels, until it is launched."""

    model = CampaignChannel
    form = ChannelForm
    formset = ChannelFormSet
    template = "admin/django_hyber/campaignchannel/inline.html"
    readonly_fields = ("content",)
    extra = 1
    max_num = len(CHANNEL_NAMES)

    class Media:
        css = {"all": ("django_hyber/admin/hyber.css",)}
        js = ("django_hyber/admin/channels.js",)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the options as fields while they can be changed, and as text afterwards."""
        if self.has_change_permission(request, obj):
            return [(None, {"fields": ("channel", "position", *OPTION_NAMES)})]
        return [(None, {"fields": ("channel", "content")})]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Follow the campaign."""
        return _may(request, "view") or _may(request, "change")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Follow the campaign."""
        return self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Follow the campaign, up to its launch."""
        is_open = obj is None or obj.is_editable
        return is_open and _may(request, "change" if obj else "add")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Follow the campaign."""
        return self.has_change_permission(request, obj)

    @admin.display(description=_("content"))
    def content(self, channel: CampaignChannel) -> SafeString:
        """The options in words."""
        return format_html_join("", '<p class="hyber-option"><b>{}</b> {}</p>', described_options(channel))


def described_options(channel: CampaignChannel) -> list[tuple[str, Any]]:
    """Return label and value of every option, in the order of the form's fields; unknown ones last."""
    names = in_form_order(channel.options)
    return [(str(label_of(name)), _in_words(channel.options[name])) for name in names]


def _in_words(value: Any) -> Any:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    return CHOICE_TEXTS.get(value, value) if isinstance(value, str) else value


def _may(request: HttpRequest, action: str) -> bool:
    return request.user.has_perm(f"django_hyber.{action}_campaign")
