"""The live part of the campaign's form: the unsaved form is posted while the user types, and previews come back.

Nothing is saved here. Counters, previews and notes come from the same code as on the page itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_hyber.admin.campaigns.form import CampaignForm, start_time_note
from django_hyber.admin.channels.forms import OPTION_NAMES, ChannelFormSet
from django_hyber.admin.channels.notes import live_id, note_of
from django_hyber.admin.common.desk import CampaignDesk, Desk
from django_hyber.admin.common.model_admins import HyberAdmin
from django_hyber.admin.common.personal_data import sees_personal_data
from django_hyber.models import Campaign
from django_hyber.texts.composition import compose_saved
from django_hyber.texts.samples import MADE_UP, Sample, find_sample

STEPS = {"previous": -1, "next": 1}
MAX_KEY_DIGITS = 19
PREVIEW = "admin/django_hyber/campaignchannel/preview.html"
SAMPLE = "admin/django_hyber/campaignchannel/sample.html"


def composer_urls(model_admin: HyberAdmin) -> list[Any]:
    """Return the addresses of the live part and of the preview page, which needs no script."""

    def page(route: str, view: Callable[..., HttpResponse], name: str) -> Any:
        def of_campaign(request: HttpRequest, campaign_id: int | None = None) -> HttpResponse:
            desk = Desk(model_admin, request, None)
            if campaign_id is None:
                return view(desk)
            campaign = model_admin.get_object(request, str(campaign_id))
            if campaign is None:
                raise Http404
            return view(desk.of(campaign))

        return path(route, model_admin.admin_site.admin_view(of_campaign), name=f"django_hyber_campaign_{name}")

    return [
        page("compose/", compose_view, "compose_new"),
        page("<int:campaign_id>/compose/", compose_view, "compose"),
        page("<int:campaign_id>/preview/", preview_page, "preview"),
    ]


def compose_view(desk: Desk) -> HttpResponse:
    """Return the parts of the page that depend on the unsaved form."""
    campaign = desk.campaign
    if not desk.is_post:
        return HttpResponseNotAllowed(["POST"])
    if not (desk.may_change if campaign else desk.may_add):
        raise PermissionDenied
    form_class = desk.admin.get_form(desk.request, campaign, change=campaign is not None)
    form = cast("CampaignForm", form_class(desk.request.POST, instance=campaign or Campaign()))
    form.is_valid()
    formset = posted_formset(desk, campaign, form.instance, asked_sample(desk.request, form.instance))
    form.show_default_texts(formset.composed.variables)
    sample = formset.sample
    return JsonResponse(
        {
            "parts": {**dict(channel_parts(formset)), live_id("start_time"): _start_note(form)},
            "variables": formset.variables,
            "recipient": sample.pk,
            "hasPrevious": sample.has_previous,
            "hasNext": sample.has_next,
            "defaultTexts": str(form["variable_defaults"]),
            "defaultNames": formset.composed.variables,
        }
    )


def preview_page(desk: CampaignDesk) -> TemplateResponse:
    """Show the saved texts as one recipient sees them, without any script."""
    if not desk.may_view:
        raise PermissionDenied
    sample = asked_sample(desk.request, desk.campaign)
    composed = compose_saved(desk.campaign, sample)
    return desk.render("campaign/preview", _("Preview"), composed=composed, sample=sample)


def asked_sample(request: HttpRequest, campaign: Campaign) -> Sample:
    """Return the requested recipient; made-up values for users who may not see real ones."""
    if not sees_personal_data(request):
        return MADE_UP
    asked = request.POST if request.method == "POST" else request.GET
    pk = asked.get("recipient", "")
    return find_sample(campaign, int(pk) if is_key(pk) else None, STEPS.get(asked.get("step", ""), 0))


def is_key(text: str) -> bool:
    """Return whether the text can be a primary key."""
    return text.isascii() and text.isdecimal() and len(text) < MAX_KEY_DIGITS


def posted_formset(desk: Desk, saved: Model | None, instance: Model, sample: Sample) -> ChannelFormSet:
    """Return the posted channels of a campaign or a text, checked and not saved."""
    inline = desk.admin.get_inline_instances(desk.request, saved)[0]
    formset_class: Any = inline.get_formset(desk.request, saved)
    prefix = formset_class.get_default_prefix()
    formset_class.is_live = True
    formset = cast("ChannelFormSet", formset_class(desk.request.POST, instance=instance, prefix=prefix))
    formset.sample = sample
    formset.is_valid()
    return formset


def channel_parts(formset: ChannelFormSet) -> Iterator[tuple[str, str]]:
    """Yield the id and the HTML of each part of the page that depends on the channels."""
    for channel_form in formset.forms:
        composition = formset.compositions.get(channel_form.prefix or "")
        for name in OPTION_NAMES:
            yield live_id(f"{channel_form.prefix}-{name}"), note_of(composition, name)
        yield live_id(f"{channel_form.prefix}-notes"), note_of(composition, "")
        preview = render_to_string(PREVIEW, {"preview": composition.preview}) if composition else ""
        yield live_id(f"{channel_form.prefix}-preview"), preview
    yield live_id("sample"), render_to_string(SAMPLE, {"sample": formset.sample, "composed": formset.composed})


def _start_note(form: CampaignForm) -> SafeString | str:
    errors = form.errors.get("start_time")
    if errors:
        return format_html('<span class="hyber-problem hyber-error">{}</span>', " ".join(map(str, errors)))
    return start_time_note(form.instance) if form.cleaned_data.get("start_time") else ""
