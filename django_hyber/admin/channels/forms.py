"""The channels of a campaign as forms. Each form has the options of all channels, and uses those of the chosen one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib.admin.widgets import AdminIntegerFieldWidget
from django.forms.formsets import DELETION_FIELD_NAME
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from django_hyber.admin.channels.fields import option_fields
from django_hyber.admin.channels.notes import live_part, note_of
from django_hyber.admin.channels.rows import join_rows, match_rows, split_rows
from django_hyber.models import CampaignChannel
from django_hyber.models.campaign import ChannelModel
from django_hyber.texts.composition import Composed, Composition, compose
from django_hyber.texts.rules import (
    Problem,
    channel_rules,
    check_channels,
    complete_options,
    is_variable_name,
)
from django_hyber.texts.samples import MADE_UP, Sample, find_sample, known_columns
from django_hyber.words import problem_text

if TYPE_CHECKING:
    from django.utils.datastructures import MultiValueDict

OPTION_NAMES = tuple(option_fields())


class ChannelForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's class takes no type at run time
    """One channel. Options that the form does not know stay as they are stored."""

    position = forms.IntegerField(
        label=pgettext_lazy("channel", "Order"),
        required=False,
        min_value=0,
        max_value=99,
        widget=AdminIntegerFieldWidget(),
        help_text=_("The channels are tried from the lowest number to the highest. Leave empty to put this one last."),
    )

    formset: ChannelFormSet

    class Meta:
        model = CampaignChannel
        fields = ("channel", "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= option_fields()
        if self.instance.pk is None:
            self.initial.setdefault("position", None)
            return
        # A saved channel keeps its kind: swapping two of them would violate the unique constraint.
        self.fields["channel"].disabled = True
        self.fields["channel"].help_text = _("To use another channel instead, delete this one and add the other.")
        self.initial = {**self.instance.options, **self.initial}

    def has_changed(self) -> bool:
        """Treat a new row with nothing but a position as empty."""
        return super().has_changed() and not (self.empty_permitted and self.changed_data == ["position"])

    def clean(self) -> dict[str, Any]:
        """Keep the options of the chosen channel and check them by the platform's rules."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        channel = cleaned.get("channel")
        if channel:
            self._forget_other_fields(channel)
            self.instance.options = self._options(channel)
            own_texts = self.formset.instance.has_own_texts
            self._show_errors(check_channels([(channel, self.instance.options)], own_texts=own_texts))
        return cleaned

    @property
    def channel_name(self) -> str:
        """The chosen channel, or "" if none is chosen."""
        name = self.cleaned_data.get("channel") if hasattr(self, "cleaned_data") else self.instance.channel
        return name or ""

    @property
    def composition(self) -> Composition | None:
        """The preview, lengths and problems of this channel, or None without a channel."""
        return self.formset.compositions.get(self.prefix or "")

    @property
    def is_removed(self) -> bool:
        """Whether the row is about to be deleted."""
        return bool(getattr(self, "cleaned_data", {}).get(DELETION_FIELD_NAME))

    @property
    def notes(self) -> str:
        """Errors and warnings about the channel as a whole."""
        return note_of(self.composition, "")

    def add_notes(self, composition: Composition | None) -> None:
        """Add the live note to the help of each option: how much of its limit is used, its errors and warnings."""
        for name in OPTION_NAMES:
            # An error of a submitted form is shown above the field already.
            note = note_of(composition, name) if name not in self.errors else ""
            field = self[name]
            field.help_text = format_html("{}{}", field.help_text, live_part(f"{self.prefix}-{name}", note))

    def validate_constraints(self) -> None:
        """Do nothing: the formset validates, because the database still has the rows that are being removed."""

    def _forget_other_fields(self, channel: str) -> None:
        """Remove the errors of fields that the chosen channel does not have."""
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
                self.add_error(field, problem_text(problem))


class ChannelFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """The channels together: each once, in their order. ``warnings`` are those of a valid form.

    With ``may_see_values``, the previews show the values of real recipients; with ``has_recipients``, the user can step
    through them; with ``is_open``, the texts can still be changed. ``is_live`` is set for the preview while the user
    types: nothing is saved, errors are shown as notes, and the rows keep the numbers that they have on the page.

    ``lost`` are the numbers of the rows whose channels somebody else has deleted since the page was opened, and
    ``unseen`` the channels that somebody else has added and the page does not have.
    """

    warnings: list[Problem]
    may_see_values = False
    is_open = True
    has_recipients = True
    compose_url = ""
    is_live = False
    lost: frozenset[int] = frozenset()
    unseen: Sequence[ChannelModel] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_bound and not self.is_live and self.management_form.is_valid():
            self._match_rows()

    def _match_rows(self) -> None:
        """Let each posted row edit the channel that is stored now."""
        stored = list(self.get_queryset())
        data, prefix = cast("MultiValueDict[str, str]", self.data), self.prefix or ""
        rows = match_rows(split_rows(data, prefix, self.total_form_count()), stored, self.initial_form_count())
        self.data = join_rows(data, prefix, rows)
        del self.management_form
        self.lost = frozenset(number for number, row in enumerate(rows) if row.lost)
        # In the order of the rows: the admin shows the two side by side.
        self._queryset = [row.stored for row in rows if row.stored]
        self.unseen = [channel for channel in stored if channel not in self._queryset]

    def add_fields(self, form: Any, index: int | None) -> None:
        """Give each form access to the formset."""
        super().add_fields(form, index)
        form.formset = self
        if index is None:
            # The empty form, which the page copies for each channel that is added.
            form.add_notes(None)

    def add_notes(self) -> None:
        """Add the live notes before the forms are shown."""
        forms: Any = self.forms
        for form in forms:
            form.add_notes(form.composition)

    @cached_property
    def sample(self) -> Sample:
        """The recipient whose values the previews show."""
        return find_sample(self.instance) if self.may_see_values else MADE_UP

    @cached_property
    def columns(self) -> list[str]:
        """The variables of the recipients, while the texts can be changed."""
        return known_columns(self.instance) if self.is_open else []

    @cached_property
    def composed(self) -> Composed:
        """All chosen channels in order, with the values of the sample."""
        contents = [(form.channel_name, form.instance.options) for form in self._chosen]
        return compose(self.instance, contents, self.sample, self.columns)

    @cached_property
    def compositions(self) -> Mapping[str, Composition]:
        """The composition of each form, by its prefix."""
        prefixes = (form.prefix for form in self._chosen)
        return dict(zip(prefixes, self.composed.channels, strict=True))

    @property
    def variables(self) -> list[str]:
        """The variables that a text can use: those of the recipients, and others already in use."""
        names = dict.fromkeys((*self.columns, *self.composed.variables))
        return [name for name in names if is_variable_name(name)]

    @property
    def _chosen(self) -> list[Any]:
        return sorted(self._remaining(), key=lambda form: form.instance.position)

    def clean(self) -> None:
        """Check the channels together."""
        super().clean()
        live = self._remaining()
        self._refuse_repeated(live)
        self._number(live)
        live.sort(key=lambda form: form.instance.position)
        contents = [(form.channel_name, form.instance.options) for form in live]
        problems = check_channels(contents, own_texts=self.instance.has_own_texts)
        self.warnings = [problem for problem in problems if not problem.is_error]

    def _remaining(self) -> list[Any]:
        forms: Any = self.forms
        return [form for form in forms if form.channel_name and not form.is_removed]

    def _refuse_repeated(self, live: list[Any]) -> None:
        seen = set()
        for form in live:
            channel = form.cleaned_data["channel"]
            if channel in seen:
                # The model's own text: the channels may be those of a campaign or of a template.
                (constraint,) = form.instance._meta.constraints
                form.add_error("channel", constraint.get_violation_error_message())
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
        """Do nothing: a repeated channel is reported at its field."""
