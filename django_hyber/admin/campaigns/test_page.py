"""A test of a campaign from the admin: typed numbers, the values of one recipient, and what becomes of each message."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_hyber.admin.campaigns.actions import page, to_campaign
from django_hyber.admin.campaigns.mending import problem_lines
from django_hyber.admin.campaigns.progress import REFRESH, VIEW_MESSAGE
from django_hyber.admin.channels.composer import asked_sample
from django_hyber.admin.common.masking import masked_copies, sees_personal_data
from django_hyber.campaigns.test_send import (
    MAX_NUMBERS,
    Trial,
    is_live,
    is_testable,
    is_token,
    new_token,
    parse_numbers,
    send_trial,
    trial_messages,
    trial_problems,
)
from django_hyber.models import Campaign, Message
from django_hyber.privacy import mask_phone
from django_hyber.services import CampaignError
from django_hyber.texts.composition import compose
from django_hyber.texts.samples import MADE_UP, Sample, known_columns
from django_hyber.words.lookups import describe_end
from django_hyber.words.options import name_of_channel

#: Where the session keeps the numbers that were typed last, and when how many tests were sent.
NUMBERS = "django_hyber_test_numbers"
SENT = "django_hyber_tests_sent"
MAX_PER_SESSION = 50
PERIOD = 10 * 60
EXAMPLES = "examples"


class TrialForm(forms.Form):
    """The numbers, and the token by which a second press of the button is recognised."""

    numbers = forms.CharField(
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
        """Return the numbers; the message names each that is none."""
        numbers = parse_numbers(self.cleaned_data["numbers"], self.campaign)
        if not numbers:
            raise ValidationError(self.fields["numbers"].error_messages["required"], code="required")
        return numbers

    def clean_token(self) -> str:
        """Refuse a token that no page of ours has given."""
        if not is_token(self.cleaned_data["token"]):
            raise ValidationError(_("This page is too old. Try again."))
        return str(self.cleaned_data["token"])


class ResultLine(NamedTuple):
    """What became of the message to one number."""

    phone_number: str
    status: str
    state: str
    channel: str
    meaning: str
    url: str


def trial_page(model_admin: Any, request: HttpRequest, campaign: Campaign) -> HttpResponseBase:
    """Ask for the numbers and show what they would get; on POST, send it or show it as another recipient sees it."""
    if not is_testable(campaign):
        text = _("Not possible now: the campaign is %(status)s.") % {"status": campaign.get_status_display()}
        model_admin.message_user(request, text, messages.ERROR)
        return to_campaign(campaign)
    sample = _sample(request, campaign)
    is_answer = request.method == "POST" and "step" not in request.POST
    form = _form(request, campaign, is_answer=is_answer)
    problems = trial_problems(campaign, sample)
    if is_answer and not problems and form.is_valid():
        response = _send(model_admin, request, campaign, form, sample)
        if response:
            return response
    return _page(model_admin, request, campaign, form, sample, problems)


def results_page(model_admin: Any, request: HttpRequest, campaign: Campaign, token: str) -> HttpResponseBase:
    """Show what becomes of a test."""
    return page(model_admin, request, campaign, "test_results", _results(request, campaign, token))


def results_part(request: HttpRequest, campaign: Campaign, token: str) -> HttpResponseBase:
    """Return the part of that page which changes; the page asks for it again and again."""
    context = {"original": campaign, **_results(request, campaign, token)}
    response = TemplateResponse(request, "admin/django_hyber/campaign/test_results_part.html", context)
    patch_cache_control(response, no_store=True)
    return response


def _sample(request: HttpRequest, campaign: Campaign) -> Sample:
    step, recipient = request.POST.get("step", ""), request.POST.get("recipient", "")
    return MADE_UP if step == EXAMPLES or (not step and recipient == EXAMPLES) else asked_sample(request, campaign)


def _form(request: HttpRequest, campaign: Campaign, *, is_answer: bool) -> TrialForm:
    if is_answer:
        return TrialForm(request.POST, campaign=campaign)
    token = request.POST.get("token", "")
    initial = {
        "numbers": request.POST.get("numbers", request.session.get(NUMBERS, "")),
        "token": token if is_token(token) else new_token(),
    }
    return TrialForm(initial=initial, campaign=campaign)


def _page(
    model_admin: Any,
    request: HttpRequest,
    campaign: Campaign,
    form: TrialForm,
    sample: Sample,
    problems: list[ValidationError],
) -> HttpResponseBase:
    contents = [(channel.channel, channel.options) for channel in campaign.channels.all()]
    may_change = model_admin.has_change_permission(request, campaign)
    context = {
        "title": _("Send a test"),
        "form": form,
        "sample": sample,
        "recipient": EXAMPLES if sample.pk is None else str(sample.pk),
        "has_recipients": sees_personal_data(request) and campaign.messages.exists(),
        "composed": compose(campaign, contents, sample, known_columns(campaign)),
        "problems": problem_lines(campaign, problems, may_change=may_change),
    }
    return page(model_admin, request, campaign, "test", context)


def _send(
    model_admin: Any, request: HttpRequest, campaign: Campaign, form: TrialForm, sample: Sample
) -> HttpResponseBase | None:
    """Send, and go to the page of the results; None if nothing was sent, and the form says why."""
    numbers, token = form.cleaned_data["numbers"], form.cleaned_data["token"]
    request.session[NUMBERS] = "\n".join(f"+{number}" for number in numbers)
    if _sent_lately(request) + len(numbers) > MAX_PER_SESSION:
        text = _("You have sent %(limit)d tests in ten minutes. Wait a little.")
        form.add_error(None, text % {"limit": MAX_PER_SESSION})
        return None
    try:
        trial = send_trial(campaign, numbers, sample, token)
    except CampaignError as error:
        form.add_error(None, error)
        return None
    if not trial.messages:
        form.add_error("numbers", _opted_out_text(trial.opted_out))
        return None
    _tell(model_admin, request, campaign, trial)
    return HttpResponseRedirect(reverse("admin:django_hyber_campaign_test_results", args=[campaign.pk, token]))


def _tell(model_admin: Any, request: HttpRequest, campaign: Campaign, trial: Trial) -> None:
    if trial.is_repeated:
        text = _("This test has already been sent: here is what becomes of it. For another one, start anew.")
        model_admin.message_user(request, text, messages.INFO)
        return
    count = len(trial.messages)
    request.session[SENT] = [*_stamps(request), *[time.time()] * count]
    numbers = ", ".join(mask_phone(message.phone_number or "") for message in trial.messages)
    model_admin.log_change(request, campaign, _("Sent a test to %(numbers)s.") % {"numbers": numbers})
    text = ngettext(
        "The test is on its way to %(count)d number.", "The test is on its way to %(count)d numbers.", count
    )
    model_admin.message_user(request, text % {"count": count}, messages.SUCCESS)
    if trial.opted_out:
        model_admin.message_user(request, _opted_out_text(trial.opted_out), messages.WARNING)


def _opted_out_text(numbers: list[str]) -> str:
    text = ngettext(
        "%(numbers)s has opted out: nothing was sent there.",
        "%(numbers)s have opted out: nothing was sent there.",
        len(numbers),
    )
    return text % {"numbers": ", ".join(f"+{number}" for number in numbers)}


def _stamps(request: HttpRequest) -> list[float]:
    since = time.time() - PERIOD
    return [moment for moment in request.session.get(SENT, []) if moment > since]


def _sent_lately(request: HttpRequest) -> int:
    return len(_stamps(request))


def _results(request: HttpRequest, campaign: Campaign, token: str) -> dict[str, Any]:
    found = trial_messages(campaign, token) if is_token(token) else []
    if not found:
        raise Http404
    lines = [_line(request, message) for message in found]
    arrived = sum(message.status in (Message.Status.DELIVERED, Message.Status.SEEN) for message in found)
    return {
        "title": _("Test of the campaign"),
        "token": token,
        "lines": lines,
        "refresh": str(REFRESH) if is_live(found, timezone.now()) else "",
        "milestone": ":".join(line.state for line in lines),
        "summary": _("Delivered: %(arrived)d of %(total)d.") % {"arrived": arrived, "total": len(found)},
    }


def _line(request: HttpRequest, message: Message) -> ResultLine:
    seen = message if sees_personal_data(request) else masked_copies([message])[0]
    code = message.hyber_status if message.error_code is None else message.error_code
    may_see = request.user.has_perm(VIEW_MESSAGE)
    return ResultLine(
        phone_number=seen.phone_number or "",
        status=str(message.get_status_display()),
        state=message.status,
        channel=name_of_channel(message.channel),
        meaning=describe_end(code, seen.error_text, message.account),
        url=reverse("admin:django_hyber_message_change", args=[message.pk]) if may_see else "",
    )
