"""The form of a campaign: when it is sent, how fast, and what replaces missing values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.utils import timezone
from django.utils.functional import lazy
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.channels.conflicts import GuardedForm
from django_hyber.admin.channels.notes import live_part
from django_hyber.admin.common.times import short_time, time_since, time_until
from django_hyber.campaigns.preflight import start_time_problem
from django_hyber.conf import account_names
from django_hyber.models import Campaign, TemplateVariant
from django_hyber.texts.rules import is_variable_name

EDITED_FIELDS = (
    "name",
    "tag",
    "division_code",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "account",
    "start_time",
    "window_start",
    "window_end",
    "throttle",
    "missing_variables",
    "variable_defaults",
)
#: These only say when the campaign is sent: a person who changes any other field, or the channels, is an author.
SCHEDULE_FIELDS = frozenset({"start_time", "window_start", "window_end", "throttle"})
#: Earlier start times are slips, such as the year 0026, and the first days of the calendar do not exist in every zone.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
MAX_DEFAULT_TEXT = 255

FIELDSETS: Any = (
    (None, {"fields": ("name", "account", "template", "seen_version", "form_key")}),
    (_("When"), {"fields": ("start_time", ("window_start", "window_end"), "throttle")}),
    (_("Missing values"), {"fields": ("missing_variables", "variable_defaults")}),
    (_("Statistics at Hyber"), {"fields": ("tag", "division_code"), "classes": ("collapse",)}),
    (
        _("UTM parameters of links"),
        {
            "fields": ("utm_source", "utm_medium", "utm_campaign"),
            "classes": ("collapse",),
            "description": _(
                "Added to the http(s) links of buttons and texts, but not to individual texts. A link that has UTM "
                "parameters, or a %variable% before its question mark, is not changed."
            ),
        },
    ),
)


class ClockTimeWidget(AdminSplitDateTime):
    """The admin's inputs for date and time, each with a label that belongs to it."""

    template_name = "admin/django_hyber/campaign/clock_time.html"

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        """Pair the labels with their inputs."""
        context: dict[str, Any] = super().get_context(name, value, attrs)
        labels = (context["date_label"], context["time_label"])
        context["widget"]["labelled"] = list(zip(labels, context["widget"]["subwidgets"], strict=True))
        return context


class ClockTimeField(forms.SplitDateTimeField):
    """A date and a time in the current time zone. A time that a clock change skips or repeats is invalid."""

    widget = ClockTimeWidget

    def compress(self, data_list: Any) -> Any:
        """Replace Django's message, which is not translated into every language."""
        try:
            return super().compress(data_list)
        except ValidationError as error:
            if error.code != "ambiguous_timezone":
                raise
            text = _(
                "In %(zone)s the clocks change on that day: this time does not exist or occurs twice. Choose another "
                "time."
            )
            raise ValidationError(text, code=error.code, params={"zone": zone_name()}) from None


class DefaultTextsWidget(forms.Widget):
    """One input for each variable in ``names``, and for any other that has a text."""

    template_name = "admin/django_hyber/campaign/default_texts.html"
    use_fieldset = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.names: tuple[str, ...] = ()

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        """Pair the names with their texts."""
        texts: Mapping[str, str] = value or {}
        context: dict[str, Any] = super().get_context(name, value, attrs)
        context["widget"]["inputs"] = [
            {"name": f"{name}-{variable}", "variable": variable, "text": texts.get(variable, "")}
            for variable in dict.fromkeys((*self.names, *texts))
        ]
        return context

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> dict[str, str]:
        """Collect all inputs that are not empty."""
        prefix = f"{name}-"
        return {key.removeprefix(prefix): data[key] for key in data if key.startswith(prefix) and data[key]}

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        """Return False: a form without inputs has no texts."""
        return False

    def id_for_label(self, id_: str) -> str:
        """Return "": each input has its own label."""
        return ""


class DefaultTextsField(forms.Field):
    """Texts by the name of their variable, as inputs and not as JSON."""

    widget = DefaultTextsWidget
    default_error_messages = {"too-long": _("The text for “%(name)s” is longer than %(limit)d characters.")}

    def to_python(self, value: Any) -> dict[str, str]:
        """Keep the texts of valid variable names."""
        return {name: self._text(name, text) for name, text in (value or {}).items() if is_variable_name(name)}

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare the texts."""
        return dict(initial or {}) != dict(data or {})

    def _text(self, name: str, text: str) -> str:
        if len(text) > MAX_DEFAULT_TEXT:
            params = {"name": name, "limit": MAX_DEFAULT_TEXT}
            raise forms.ValidationError(self.error_messages["too-long"], code="too-long", params=params)
        return str(forms.CharField(strip=False).clean(text))


class CampaignForm(GuardedForm):
    """The campaign itself; its channels are inline forms."""

    account = forms.ChoiceField(
        label=_("Account"), help_text=_("The GMS account that sends the campaign and pays for it.")
    )
    template = forms.ModelChoiceField(
        TemplateVariant.objects.select_related("template"),
        label=_("Start from a template"),
        required=False,
        help_text=_("Its channels are copied into the campaign when it is saved without channels of its own."),
    )
    start_time = ClockTimeField(label=_("Start time"), required=False, validators=[MinValueValidator(EARLIEST)])
    variable_defaults = DefaultTextsField(
        label=_("Default texts"),
        required=False,
        help_text=_("Used in the text if a recipient has no value."),
    )

    guarded_fields = EDITED_FIELDS
    overtaken_text = _("This campaign was changed after you opened this page. Your changes are not saved yet.")

    class Meta:
        model = Campaign
        fields = EDITED_FIELDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "missing_variables" not in self.fields:
            # A read-only page has hardly any fields.
            return
        self.fields["account"].choices = account_choices(self.instance)  # type: ignore[attr-defined]
        # If a program posts the form without it, the value is kept.
        self.fields["missing_variables"].required = False
        self.fields["start_time"].help_text = _lazy_start_help(self)
        self.show_default_texts(self.instance.get_variables() if self.instance.pk else ())

    def show_default_texts(self, names: Iterable[str]) -> None:
        """Offer an input for each of these variables."""
        self.fields["variable_defaults"].widget.names = tuple(names)

    def clean_start_time(self) -> datetime | None:
        """Refuse a time that is too far ahead."""
        start_time: datetime | None = self.cleaned_data["start_time"]
        if problem := start_time_problem(start_time):
            raise problem
        return start_time

    def clean(self) -> dict[str, Any]:
        """Report an incomplete sending window beside the missing field."""
        cleaned = super().clean()
        cleaned["missing_variables"] = cleaned.get("missing_variables") or self.instance.missing_variables
        start, end = cleaned.get("window_start"), cleaned.get("window_end")
        complete = gettext("A sending window needs both a start and an end.")
        if start and not end and "window_end" not in self.errors:
            self.add_error("window_end", complete)
        if end and not start and "window_start" not in self.errors:
            self.add_error("window_start", complete)
        if start and start == end:
            self.add_error("window_end", gettext("The window must not start and end at the same time."))
        return cleaned


def account_choices(campaign: Campaign) -> list[tuple[str, str]]:
    """Return the configured accounts, and the campaign's own if it is no longer configured."""
    names = account_names()
    choices = [(name, name) for name in names]
    if campaign.pk and campaign.account not in names:
        text = gettext("%(name)s (not configured)") % {"name": campaign.account}
        choices.append((campaign.account, text))
    return choices


def start_time_note(campaign: Campaign) -> str:
    """Return the start time with its zone and its distance from now, or "" without one."""
    return described_moment(campaign.start_time) if campaign.start_time else ""


def _start_help(form: CampaignForm) -> str:
    text = gettext("Leave empty to start at launch. The time is in the %(zone)s time zone.") % {"zone": zone_name()}
    note = "" if form.errors.get("start_time") else start_time_note(form.instance)
    return format_html("{} {}", text, live_part("start_time", note))


_lazy_start_help = lazy(_start_help, str)


def zone_name() -> str:
    """Return the name of the current time zone."""
    return str(timezone.get_current_timezone())


def described_moment(moment: datetime) -> str:
    """Return a time with its zone and distance, as in "05/02/2026 noon Europe/Kyiv (UTC+03:00), in 2 days"."""
    local = timezone.localtime(moment)
    offset = local.strftime("%z")
    params = {
        "time": short_time(moment),
        "zone": zone_name(),
        "offset": f"{offset[:3]}:{offset[3:5]}",
        "distance": distance_from_now(moment),
    }
    return gettext("%(time)s %(zone)s (UTC%(offset)s), %(distance)s") % params


def distance_from_now(moment: datetime) -> str:
    """Return the distance of a moment, as in "in 2 days, 3 hours" or "5 minutes ago"."""
    now = timezone.now()
    if moment > now:
        return gettext("in %(distance)s") % {"distance": time_until(moment, now)}
    return gettext("%(distance)s ago") % {"distance": time_since(moment, now)}
