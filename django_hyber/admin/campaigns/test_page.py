"""A test of a campaign in the admin: its texts are sent to typed numbers, with the values of one recipient."""

from __future__ import annotations

from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_hyber.admin.campaigns.actions import refuse
from django_hyber.admin.campaigns.preflight_facts import problem_lines
from django_hyber.admin.channels.composer import asked_sample, is_key
from django_hyber.admin.common.desk import REFRESH, CampaignDesk
from django_hyber.admin.common.personal_data import for_reader
from django_hyber.campaigns.test_send import (
    MAX_NUMBERS,
    SentTest,
    is_live,
    is_testable,
    is_token,
    latest_numbers,
    messages_of_test,
    new_token,
    parse_numbers,
    problems_of_test,
    send_test,
)
from django_hyber.models import Campaign, Message, TestNumber
from django_hyber.privacy import mask_phone, mask_phones_in
from django_hyber.texts.composition import compose_saved
from django_hyber.texts.samples import MADE_UP, Sample
from django_hyber.words import describe_end, name_of_channel

EXAMPLES = "examples"


class TestForm(forms.Form):
    """The numbers, and the token that identifies a second submission."""

    numbers: forms.Field = forms.CharField(
        label=gettext_lazy("Phone numbers"),
        max_length=1_000,
        widget=forms.Textarea(attrs={"rows": 4, "cols": 30, "autocomplete": "off", "inputmode": "tel"}),
    )
    token = forms.CharField(widget=forms.HiddenInput())

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.campaign = campaign
        self.fields["numbers"].help_text = _("Up to %(limit)d, each on a line of its own.") % {"limit": MAX_NUMBERS}

    def clean_numbers(self) -> list[str]:
        """Return the numbers. The error names each invalid one."""
        numbers = parse_numbers(self.cleaned_data["numbers"], self.campaign)
        if not numbers:
            raise ValidationError(self.fields["numbers"].error_messages["required"], code="required")
        return numbers

    def clean_token(self) -> str:
        """Reject a token that was not generated here."""
        if not is_token(self.cleaned_data["token"]):
            raise ValidationError(_("This page is out of date. Try again."))
        return str(self.cleaned_data["token"])


class ListedNumbersForm(TestForm):
    """For users who may not test with any number: they choose from the list of test numbers."""

    numbers = forms.ModelMultipleChoiceField(
        label=gettext_lazy("Test numbers"), queryset=TestNumber.objects.all(), widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["numbers"]
        field.label_from_instance = lambda entry: f"{entry.name}, {mask_phone(entry.phone_number)}"

    def clean_numbers(self) -> list[str]:
        """Return the chosen numbers. The error names those that the account may not send to."""
        chosen = list(self.cleaned_data["numbers"])
        errors = [error for entry in chosen for error in self._errors_of(entry)]
        if len(chosen) > MAX_NUMBERS:
            errors.append(ValidationError(_("Choose up to %(limit)d numbers."), params={"limit": MAX_NUMBERS}))
        if errors:
            raise ValidationError(errors)
        return [entry.phone_number for entry in chosen]

    def _errors_of(self, entry: TestNumber) -> list[ValidationError]:
        try:
            parse_numbers(f"+{entry.phone_number}", self.campaign)
        except ValidationError as error:
            return [ValidationError(f"{entry.name}: {mask_phones_in(text)}") for text in error.messages]
        return []


class ResultLine(NamedTuple):
    """The result of the test for one number."""

    phone_number: str
    status: str
    state: str
    channel: str
    meaning: str
    url: str


def test_page(desk: CampaignDesk) -> HttpResponseBase:
    """Ask for the numbers and show a preview; on POST, send the test or show the preview of another recipient."""
    campaign = desk.campaign
    if not is_testable(campaign):
        return refuse(desk)
    sample = _sample(desk)
    is_submitted = desk.is_post and "step" not in desk.request.POST
    form = _form(desk, is_submitted=is_submitted)
    problems = problems_of_test(campaign, sample)
    if is_submitted and not problems and form.is_valid():
        response = _send(desk, form, sample)
        if response:
            return response
    return _page(desk, form, sample, problems)


def results_page(desk: CampaignDesk, token: str) -> HttpResponseBase:
    """Show the results of a test."""
    return desk.render("campaign/test/results", _("Test of the campaign"), **_results(desk, token))


def results_part(desk: CampaignDesk, token: str) -> HttpResponseBase:
    """Return the part of that page which changes; the page polls it."""
    return desk.part("campaign/test/results_part", **_results(desk, token))


def _sample(desk: CampaignDesk) -> Sample:
    step, recipient = desk.request.POST.get("step", ""), desk.request.POST.get("recipient", "")
    is_made_up = (step or recipient) == EXAMPLES
    return MADE_UP if is_made_up else asked_sample(desk.request, desk.campaign)


def _form(desk: CampaignDesk, *, is_submitted: bool) -> TestForm:
    form_class = TestForm if desk.may_type_numbers else ListedNumbersForm
    if is_submitted:
        return form_class(desk.request.POST, campaign=desk.campaign)
    token = desk.request.POST.get("token", "")
    initial = {"numbers": _initial_numbers(desk), "token": token if is_token(token) else new_token()}
    return form_class(initial=initial, campaign=desk.campaign)


def _initial_numbers(desk: CampaignDesk) -> str | list[str]:
    """Return what the user has typed or chosen; at first, the numbers of the user's last test."""
    if not desk.may_type_numbers:
        return list(filter(is_key, desk.request.POST.getlist("numbers")))
    typed = desk.request.POST.get("numbers")
    return "\n".join(f"+{number}" for number in latest_numbers(desk.request.user)) if typed is None else typed


def _page(desk: CampaignDesk, form: TestForm, sample: Sample, problems: list[ValidationError]) -> HttpResponseBase:
    campaign = desk.campaign
    return desk.render(
        "campaign/test/page",
        _("Send a test"),
        form=form,
        sample=sample,
        recipient=EXAMPLES if sample.pk is None else str(sample.pk),
        has_recipients=campaign.messages.exists(),
        composed=compose_saved(campaign, sample),
        problems=problem_lines(desk, problems),
    )


def _send(desk: CampaignDesk, form: TestForm, sample: Sample) -> HttpResponseBase | None:
    """Send the test and redirect to its results; return None if nothing was sent: the form has the errors."""
    numbers, token = form.cleaned_data["numbers"], form.cleaned_data["token"]
    try:
        test = send_test(desk.campaign, numbers, sample, token, user=desk.request.user)
    except ValidationError as error:
        texts = error.messages if desk.sees_personal_data else list(map(mask_phones_in, error.messages))
        form.add_error(None, ValidationError(texts))
        return None
    if not test.messages:
        form.add_error("numbers", _opted_out_text(test.opted_out))
        return None
    _report(desk, test)
    return desk.redirect("test_results", token)


def _report(desk: CampaignDesk, test: SentTest) -> None:
    if test.is_repeated:
        text = _("This test has already been sent. These are its results. To send another one, start again.")
        desk.message_user(text, messages.INFO)
        return
    count = len(test.messages)
    numbers = ", ".join(mask_phone(message.phone_number or "") for message in test.messages)
    desk.log_change(_("Sent a test to %(numbers)s.") % {"numbers": numbers})
    text = ngettext(
        "The test is on its way to %(count)d number.", "The test is on its way to %(count)d numbers.", count
    )
    desk.message_user(text % {"count": count}, messages.SUCCESS)
    if test.opted_out:
        desk.message_user(_opted_out_text(test.opted_out), messages.WARNING)


def _opted_out_text(numbers: list[str]) -> str:
    text = ngettext(
        "%(numbers)s has opted out: nothing was sent to it.",
        "%(numbers)s have opted out: nothing was sent to them.",
        len(numbers),
    )
    # Masked: the text waits in a cookie or a session until it is shown.
    return text % {"numbers": ", ".join(mask_phone(f"+{number}") for number in numbers)}


def _results(desk: CampaignDesk, token: str) -> dict[str, Any]:
    found = for_reader(desk.request, messages_of_test(desk.campaign, token)) if is_token(token) else []
    if not found:
        raise Http404
    lines = [_line(desk, message) for message in found]
    arrived = sum(message.status in (Message.Status.DELIVERED, Message.Status.SEEN) for message in found)
    return {
        "token": token,
        "lines": lines,
        "refresh": str(REFRESH) if is_live(found, timezone.now()) else "",
        "milestone": ":".join(line.state for line in lines),
        "summary": _("Delivered: %(arrived)d of %(total)d.") % {"arrived": arrived, "total": len(found)},
    }


def _line(desk: CampaignDesk, message: Message) -> ResultLine:
    code = message.hyber_status if message.error_code is None else message.error_code
    return ResultLine(
        phone_number=message.phone_number or "",
        status=str(message.get_status_display()),
        state=message.status,
        channel=name_of_channel(message.channel),
        meaning=describe_end(code, message.error_text, message.account),
        url=reverse("admin:django_hyber_message_change", args=[message.pk]) if desk.may_see_messages else "",
    )
