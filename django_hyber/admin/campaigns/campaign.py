from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.audience.exports import export_file, export_page
from django_hyber.admin.audience.imports import ImportDesk, import_urls
from django_hyber.admin.campaigns.actions import buttons_of, cancel_view, steer_view
from django_hyber.admin.campaigns.copy_page import duplicate_view
from django_hyber.admin.campaigns.form import AUTHORED_FIELDS, FIELDSETS, CampaignForm
from django_hyber.admin.campaigns.launch_page import (
    CONFIRMED,
    check,
    confirm_selected,
    plan_part,
    send,
    send_all,
    send_page,
)
from django_hyber.admin.campaigns.progress import CampaignList, draft_page, progress_page
from django_hyber.admin.campaigns.retry_page import retry_view
from django_hyber.admin.campaigns.test_page import results_page, results_part, trial_page
from django_hyber.admin.channels.composer import composer_urls
from django_hyber.admin.channels.inline import ChannelInline
from django_hyber.admin.common.base import HyberAdmin, short_time
from django_hyber.admin.common.desk import CampaignDesk
from django_hyber.admin.common.jobs import exported_file
from django_hyber.admin.common.paginators import grouped
from django_hyber.campaigns.control import Verb
from django_hyber.models import Campaign
from django_hyber.words.options import place_of, problem_text


@admin.register(Campaign)
class CampaignAdmin(HyberAdmin):
    """Campaigns: written, filled with recipients, sent, and followed."""

    form = CampaignForm
    inlines = (ChannelInline,)
    list_display = ("name", "status", "recipients", "delivered", "channel_names", "starts", "created")
    list_filter = ("status", "created_at")
    list_per_page = 20
    list_max_show_all = 100
    search_fields = ("name", "tag")
    actions = ("send_selected", "delete_selected")
    fieldsets = FIELDSETS

    class Media:
        css = {"all": ("django_hyber/admin/campaign.css",)}
        js = ("django_hyber/admin/campaign.js",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        """Read the channels of a page of campaigns at once."""
        return super().get_queryset(request).prefetch_related("channels")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[CampaignList]:
        """Use the list that counts."""
        return CampaignList

    @admin.display(description=_("recipients"))
    def recipients(self, campaign: Campaign) -> str:
        """How many people are in it."""
        return grouped(campaign.recipients)  # type: ignore[attr-defined]  # set by CampaignList

    @admin.display(description=_("delivered"))
    def delivered(self, campaign: Campaign) -> str:
        """How many messages have arrived."""
        return grouped(campaign.delivered)  # type: ignore[attr-defined]  # set by CampaignList

    @admin.display(description=_("channels"))
    def channel_names(self, campaign: Campaign) -> str:
        """The channels in their order."""
        return " → ".join(str(channel) for channel in campaign.channels.all())

    @admin.display(description=_("start time"), ordering="start_time")
    def starts(self, campaign: Campaign) -> str:
        """When it is to start, if not at once."""
        return short_time(campaign.start_time)

    @admin.display(description=_("created at"), ordering="created_at")
    def created(self, campaign: Campaign) -> str:
        """When it was begun."""
        return short_time(campaign.created_at)

    def has_change_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        """Refuse to change what has been sent."""
        return (obj is None or obj.is_editable) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        """Refuse to delete history: only a draft can go."""
        return (obj is None or obj.is_editable) and super().has_delete_permission(request, obj)

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission of its own: writing a text and sending it to a million people are two things."""
        return request.user.has_perm("django_hyber.send_campaign")

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission of its own: a list of numbers that leaves the house is more than a look at it."""
        return request.user.has_perm("django_hyber.export_campaign")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Campaign | None:
        """Lock the campaign while a form of it is saved: an older form must not undo a launch of the same second."""
        campaign: Campaign | None = super().get_object(request, object_id, from_field)
        if campaign and request.method == "POST" and transaction.get_connection(campaign._state.db).in_atomic_block:
            campaign.refresh_from_db(from_queryset=Campaign.objects.select_for_update())
        return campaign

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """Say why a form comes too late, instead of refusing it without a word."""
        if request.method == "POST":
            campaign = self._find(request, object_id)
            if not campaign.is_editable and self.has_view_permission(request, campaign):
                text = _("“%(name)s” has been started meanwhile: your changes were not saved.")
                self.message_user(request, text % {"name": campaign}, messages.ERROR)
                return HttpResponseRedirect(_url("change", campaign))
        return super().change_view(request, object_id, *args, **kwargs)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Add how the campaign goes and what can be done with it."""
        campaign = kwargs.get("obj")
        context["can_test"] = self.has_send_permission(request)
        if campaign:
            context |= self._progress_context(request, campaign)
            context["can_import"] = self.has_change_permission(request, campaign)
            context["can_send"] = campaign.is_editable and self.has_send_permission(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def _progress_context(self, request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
        page = draft_page(request, campaign) if campaign.is_editable else progress_page(request, campaign)
        return {
            "progress": page,
            "buttons": buttons_of(self, request, campaign, page.numbers),
            "can_see_messages": request.user.has_perm("django_hyber.view_message"),
            "can_see_batches": request.user.has_perm("django_hyber.view_batch"),
        }

    def save_model(self, request: HttpRequest, obj: Campaign, form: Any, change: Any) -> None:
        """Note who wrote it; doubt a start time that is over: the platform decides what it does with it."""
        if not change or AUTHORED_FIELDS.intersection(form.changed_data):
            obj.author = request.user  # type: ignore[assignment]  # nobody else gets in here
        super().save_model(request, obj, form, change)
        if obj.start_time and obj.start_time < timezone.now():
            self.message_user(request, _("The start time is in the past."), messages.WARNING)

    def response_post_save_add(self, request: HttpRequest, obj: Campaign) -> HttpResponseRedirect:
        """Go on to the test, if that was the button."""
        return self._to_test(request, obj) or super().response_post_save_add(request, obj)

    def response_post_save_change(self, request: HttpRequest, obj: Campaign) -> HttpResponseRedirect:
        """Go on to the test, if that was the button."""
        return self._to_test(request, obj) or super().response_post_save_change(request, obj)

    def _to_test(self, request: HttpRequest, campaign: Campaign) -> HttpResponseRedirect | None:
        is_wanted = "_test" in request.POST and self.has_send_permission(request)
        return HttpResponseRedirect(_url("test", campaign)) if is_wanted else None

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: Any) -> None:
        """Show what is doubtful about the channels, though it does not forbid sending."""
        super().save_formset(request, form, formset, change)
        if change and formset.has_changed():
            form.instance.author = request.user
            form.instance.save(update_fields=["author"])
        for problem in formset.warnings:
            self.message_user(request, f"{place_of(problem)}: {problem_text(problem)}", messages.WARNING)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name the campaigns only: a list of their recipients would have no end."""
        campaigns = list(objs)
        launched = [str(campaign) for campaign in campaigns if not campaign.is_editable]
        return (
            [str(campaign) for campaign in campaigns],
            {self.opts.verbose_name_plural: len(campaigns)},
            set(),
            launched,
        )

    @admin.action(description=_("Delete selected drafts"), permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> Any:
        """Delete drafts, after a confirmation."""
        if queryset.exclude(status=Campaign.Status.DRAFT).exists():
            text = _("Only drafts can be deleted: a campaign that has been sent holds the history of its messages.")
            self.message_user(request, text, messages.ERROR)
            return None
        return delete_selected(self, request, queryset)

    @admin.action(description=_("Send selected campaigns"), permissions=["send"])
    def send_selected(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> Any:
        """Send campaigns, after a confirmation."""
        if CONFIRMED not in request.POST:
            return confirm_selected(self, request, queryset.order_by("pk"))
        send_all(self, request, queryset)
        return None

    def get_urls(self) -> list[Any]:
        """Add the pages of a campaign."""
        return [
            *import_urls(self, self._import_desk, "<int:campaign_id>/", "django_hyber_campaign"),
            self._page("<int:campaign_id>/send/", self.send_view, "send"),
            self._page("<int:campaign_id>/send/plan/", self.plan_view, "plan"),
            self._page("<int:campaign_id>/send/check/", self.check_view, "check"),
            self._page("<int:campaign_id>/test/", self.test_view, "test"),
            self._page("<int:campaign_id>/test/<slug:token>/", self.test_results_view, "test_results"),
            self._page("<int:campaign_id>/test/<slug:token>/part/", self.test_part_view, "test_part"),
            self._page("<int:campaign_id>/export/", self.export_view, "export"),
            *composer_urls(self),
            self._page("<int:campaign_id>/export/<int:job_id>/", self.exported_view, "exported"),
            self._page("<int:campaign_id>/progress/", self.progress_view, "progress"),
            self._page("<int:campaign_id>/pause/", self.pause_view, "pause"),
            self._page("<int:campaign_id>/resume/", self.resume_view, "resume"),
            self._page("<int:campaign_id>/withdraw/", self.withdraw_view, "withdraw"),
            self._page("<int:campaign_id>/cancel/", self.cancel_view, "cancel"),
            self._page("<int:campaign_id>/retry/", self.retry_view, "retry"),
            self._page("<int:campaign_id>/duplicate/", self.duplicate_view, "duplicate"),
            *super().get_urls(),
        ]

    def _page(self, route: str, view: Any, name: str) -> Any:
        return path(route, self.admin_site.admin_view(view), name=f"django_hyber_campaign_{name}")

    def _import_desk(self, request: HttpRequest, campaign_id: int) -> ImportDesk:
        campaign = self._find(request, campaign_id)
        # Of the class above: the report of an import can be read after the launch as well.
        if not super().has_change_permission(request, campaign):
            raise PermissionDenied
        return ImportDesk(self, request, campaign)

    def send_view(self, request: HttpRequest, campaign_id: int) -> HttpResponseBase:
        """Show what would go out; on POST, send it."""
        campaign = self._find_for(request, campaign_id, self.has_send_permission)
        return (send if request.method == "POST" else send_page)(self, request, campaign)

    def plan_view(self, request: HttpRequest, campaign_id: int) -> HttpResponseBase:
        """Give the part of that page which changes while the campaign is checked."""
        return plan_part(self, request, self._find_for(request, campaign_id, self.has_send_permission))

    def check_view(self, request: HttpRequest, campaign_id: int) -> HttpResponseBase:
        """Check a big campaign in the background."""
        return check(self, request, self._find_for(request, campaign_id, self.has_send_permission))

    def test_view(self, request: HttpRequest, campaign_id: int) -> HttpResponseBase:
        """Ask for a few numbers and show what they would get; on POST, send it to them."""
        return trial_page(self, request, self._find_for(request, campaign_id, self.has_send_permission))

    def test_results_view(self, request: HttpRequest, campaign_id: int, token: str) -> HttpResponseBase:
        """Show what becomes of a test."""
        return results_page(self, request, self._find_for(request, campaign_id, self.has_send_permission), token)

    def test_part_view(self, request: HttpRequest, campaign_id: int, token: str) -> HttpResponseBase:
        """Give the part of that page which changes."""
        return results_part(request, self._find_for(request, campaign_id, self.has_send_permission), token)

    def export_view(self, request: HttpRequest, campaign_id: int) -> HttpResponseBase:
        """Offer the recipients as a file; on POST, give it."""
        campaign = self._find_for(request, campaign_id, self.has_export_permission)
        if request.method != "POST":
            return export_page(self, request, campaign)
        return export_file(self, request, campaign)

    def exported_view(self, request: HttpRequest, campaign_id: int, job_id: int) -> HttpResponseBase:
        """Give a file that has been made in the background."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        campaign = self._find_for(request, campaign_id, self.has_export_permission)
        return exported_file(CampaignDesk(self, request, campaign), job_id)

    def progress_view(self, request: HttpRequest, campaign_id: int) -> HttpResponseBase:
        """Give the part of the page that tells how the campaign goes; the page asks for it again and again."""
        campaign = self._find_for(request, campaign_id)
        context = {"original": campaign, **self._progress_context(request, campaign)}
        response = TemplateResponse(request, "admin/django_hyber/campaign/progress.html", context)
        patch_cache_control(response, no_store=True)
        return response

    def pause_view(self, request: HttpRequest, campaign_id: int) -> HttpResponseBase:
        """Stop before the next request."""
        campaign = self._find_for(request, campaign_id, self.has_send_permission)
        return steer_view(self, request, campaign, Verb.PAUSE)

    def resume_view(self, request: HttpRequest, campaign_id: int) -> HttpResponseBase:
        """Go on."""
        campaign = self._find_for(request, campaign_id, self.has_send_permission)
        return steer_view(self, request, campaign, Verb.RESUME)

    def withdraw_view(self, request: HttpRequest, campaign_id: int) -> HttpResponseBase:
        """Make a scheduled campaign a draft again."""
        campaign = self._find_for(request, campaign_id, self.has_send_permission)
        return steer_view(self, request, campaign, Verb.WITHDRAW)

    def cancel_view(self, request: HttpRequest, campaign_id: int) -> HttpResponseBase:
        """Ask whether to stop for good; on POST, do it."""
        return cancel_view(self, request, self._find_for(request, campaign_id, self.has_send_permission))

    def retry_view(self, request: HttpRequest, campaign_id: int) -> HttpResponseBase:
        """Ask which failed messages to send again; when that is confirmed, do it."""
        return retry_view(self, request, self._find_for(request, campaign_id, self.has_send_permission))

    def duplicate_view(self, request: HttpRequest, campaign_id: int) -> HttpResponseBase:
        """Ask for the name and the recipients of a copy; on POST, make it."""
        return duplicate_view(self, request, self._find_for(request, campaign_id, self.has_add_permission))

    def _find_for(
        self, request: HttpRequest, campaign_id: int, is_allowed: Callable[[HttpRequest], bool] | None = None
    ) -> Campaign:
        """Find a campaign for whoever may see it and, besides, do what ``is_allowed`` says."""
        campaign = self._find(request, campaign_id)
        if not self.has_view_permission(request, campaign) or (is_allowed and not is_allowed(request)):
            raise PermissionDenied
        return campaign

    def _find(self, request: HttpRequest, campaign_id: int | str) -> Campaign:
        campaign: Campaign | None = super().get_object(request, str(campaign_id))
        if campaign is None:
            raise Http404
        return campaign


def _url(name: str, campaign: Campaign) -> str:
    return reverse(f"admin:django_hyber_campaign_{name}", args=[campaign.pk])
