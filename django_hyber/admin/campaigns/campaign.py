from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.utils import unquote
from django.db import IntegrityError, router, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.audience.audience_page import has_audiences
from django_hyber.admin.campaigns.form import FIELDSETS, SCHEDULE_FIELDS, CampaignForm
from django_hyber.admin.campaigns.preflight_page import CONFIRMED, confirm_selected, start_selected
from django_hyber.admin.campaigns.routes import campaign_urls, progress_context
from django_hyber.admin.channels.inline import ChannelInline
from django_hyber.admin.channels.unsaved import GuardedAdmin, show_unsaved
from django_hyber.admin.common.desk import CampaignDesk, Desk
from django_hyber.admin.common.filters import AttentionFilter
from django_hyber.admin.common.lists import BigTableList
from django_hyber.admin.common.paginators import grouped
from django_hyber.admin.common.personal_data import sees_personal_data
from django_hyber.admin.common.saved import mark_saved
from django_hyber.admin.common.times import short_time
from django_hyber.admin.statistics.compare_page import compare_selected
from django_hyber.models import Campaign, Message, TemplateVariant
from django_hyber.policies.four_eyes import record_author
from django_hyber.statistics.progress import count_by_status
from django_hyber.words import phone_candidates


class CampaignList(BigTableList):
    """The list of campaigns; the numbers of a page are counted in one query."""

    def get_results(self, request: HttpRequest) -> None:
        """Count the recipients of the campaigns on this page only."""
        super().get_results(request)
        campaigns = list(self.result_list)
        counts = count_by_status(campaign.pk for campaign in campaigns)
        for campaign in campaigns:
            campaign.recipients = counts[campaign.pk].total
            campaign.delivered = counts[campaign.pk].delivered
        self.result_list = campaigns


@admin.register(Campaign)
class CampaignAdmin(GuardedAdmin):
    """Campaigns: write them, import recipients, send and follow them."""

    form = CampaignForm
    add_label = _("Add campaign")
    inlines = (ChannelInline,)
    list_display = ("name", "status", "recipients", "delivered", "channel_names", "starts", "created")
    list_filter = ("status", AttentionFilter, "created_at")
    list_per_page = 20
    list_max_show_all = 100
    search_fields = ("name", "tag")
    actions = ("send_selected", "compare_selected", "delete_selected")
    fieldsets = FIELDSETS

    class Media:
        css = {"all": ("django_hyber/admin/campaign.css",)}
        js = ("django_hyber/admin/campaign.js",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        """Read the channels of a page of campaigns at once."""
        return super().get_queryset(request).prefetch_related("channels")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[CampaignList]:
        """Use the list with the numbers of recipients and deliveries."""
        return CampaignList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Campaign], search_term: str
    ) -> tuple[QuerySet[Campaign], bool]:
        """Find the campaigns that have a phone number among their recipients, however it is written."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        numbers = phone_candidates(search_term) if sees_personal_data(request) else set()
        if not numbers:
            return found, may_repeat
        campaigns = Message.objects.filter(phone_number__in=numbers, campaign__isnull=False).values("campaign")
        return found | queryset.filter(pk__in=campaigns), may_repeat

    @admin.display(description=_("recipients"))
    def recipients(self, campaign: Campaign) -> str:
        """The number of recipients."""
        return grouped(campaign.recipients)  # type: ignore[attr-defined]  # set by CampaignList

    @admin.display(description=_("delivered"))
    def delivered(self, campaign: Campaign) -> str:
        """The number of delivered messages."""
        return grouped(campaign.delivered)  # type: ignore[attr-defined]  # set by CampaignList

    @admin.display(description=_("channels"))
    def channel_names(self, campaign: Campaign) -> str:
        """The channels in their order."""
        return " → ".join(str(channel) for channel in campaign.channels.all())

    @admin.display(description=_("start time"), ordering="start_time")
    def starts(self, campaign: Campaign) -> str:
        """The start time, if there is one."""
        return short_time(campaign.start_time)

    @admin.display(description=_("created at"), ordering="created_at")
    def created(self, campaign: Campaign) -> str:
        """The time of creation."""
        return short_time(campaign.created_at)

    def get_fieldsets(self, request: HttpRequest, obj: Campaign | None = None) -> Any:
        """Offer templates to a new campaign, where there are any."""
        fieldsets: Any = super().get_fieldsets(request, obj)
        if obj is None and TemplateVariant.objects.exists():
            return fieldsets
        (first, options), *others = fieldsets
        fields = tuple(name for name in options["fields"] if name != "template")
        return [(first, {**options, "fields": fields}), *others]

    def has_change_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        """Allow changes until the launch only."""
        return (obj is None or obj.is_editable) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        """Allow only drafts to be deleted: the others are history."""
        return (obj is None or obj.is_editable) and super().has_delete_permission(request, obj)

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Require a separate permission: writing a text and sending it to a million people are different jobs."""
        return request.user.has_perm("django_hyber.send_campaign")

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Lead to the campaign if this form has added it already: a second click or a reload adds no other one."""
        if found := self._find_added(request):
            return found
        try:
            return super().add_view(request, *args, **kwargs)
        except IntegrityError:
            # Of two clicks at the same moment, the second one has waited for the first.
            if found := self._find_added(request):
                return found
            raise

    def _find_added(self, request: HttpRequest) -> HttpResponse | None:
        campaign = Campaign.find_added(request.POST.get("form_key", ""))
        if campaign is None:
            return None
        desk = CampaignDesk(self, request, campaign)
        unsaved = show_unsaved(desk) if desk.may_view else None
        if unsaved:
            text = _("“%(name)s” has already been added. What you have changed since was not saved.")
            desk.message_user(text % {"name": campaign}, messages.ERROR)
            return unsaved
        desk.message_user(_("“%(name)s” has already been added.") % {"name": campaign})
        home = desk.redirect() if desk.may_view else self.response_post_save_add(request, campaign)
        return mark_saved(request, home)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """Explain why the form can no longer be saved, instead of answering 403."""
        campaign = self.get_object(request, unquote(object_id)) if request.method == "POST" else None
        if campaign and not campaign.is_editable:
            desk = CampaignDesk(self, request, campaign)
            if desk.may_view:
                text = _("“%(name)s” was launched in the meantime. Your changes were not saved.")
                desk.message_user(text % {"name": campaign}, messages.ERROR)
                return show_unsaved(desk) or desk.redirect()
        return super().change_view(request, object_id, *args, **kwargs)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Add the campaign's progress and its buttons."""
        campaign = kwargs.get("obj")
        context["can_test"] = Desk(self, request, None).may_test
        if campaign:
            context |= {"title": str(campaign), "subtitle": None}
            desk = CampaignDesk(self, request, campaign)
            context |= progress_context(desk)
            context["can_import"] = desk.may_change
            context["can_add_audience"] = desk.may_change and has_audiences(desk)
            context["can_send"] = campaign.is_editable and desk.may_send
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Campaign, form: Any, change: Any) -> None:
        """Record who wrote it; warn about a start time in the past, which the platform may accept or not."""
        if not change:
            obj.added_by_form = form.cleaned_data["form_key"] or None
        super().save_model(request, obj, form, change)
        if not change or not SCHEDULE_FIELDS.issuperset(form.changed_data):
            record_author(obj, request.user)
        if obj.start_time and obj.start_time < timezone.now():
            self.message_user(request, _("The start time is in the past."), messages.WARNING)

    def response_post_save_add(self, request: HttpRequest, obj: Campaign) -> HttpResponseRedirect:
        """Redirect to the test page if its button was pressed."""
        return self._to_test(request, obj) or super().response_post_save_add(request, obj)

    def response_post_save_change(self, request: HttpRequest, obj: Campaign) -> HttpResponseRedirect:
        """Redirect to the test page if its button was pressed."""
        return self._to_test(request, obj) or super().response_post_save_change(request, obj)

    def _to_test(self, request: HttpRequest, campaign: Campaign) -> HttpResponseRedirect | None:
        desk = CampaignDesk(self, request, campaign)
        return desk.redirect("test") if "_test" in request.POST and desk.may_test else None

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: Any) -> None:
        """Record who changed the channels; a campaign without any gets those of the template."""
        super().save_formset(request, form, formset, change)
        if change and formset.has_changed():
            record_author(form.instance, request.user)
        template = form.cleaned_data.get("template")
        if template and not form.instance.channels.exists():
            form.instance.set_channels(template.get_channels())

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """List the campaigns only, not their recipients: there may be millions."""
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
        """Delete drafts, after a confirmation. A launch of the same moment waits, and finds none."""
        with transaction.atomic(using=router.db_for_write(Campaign)):
            statuses = queryset.order_by("pk").select_for_update().values_list("status", flat=True)
            if set(statuses) <= {Campaign.Status.DRAFT}:
                return delete_selected(self, request, queryset)
        text = _("Only drafts can be deleted: a sent campaign contains the history of its messages.")
        self.message_user(request, text, messages.ERROR)
        return None

    @admin.action(description=_("Send selected campaigns"), permissions=["send"])
    def send_selected(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> Any:
        """Send campaigns, after a confirmation."""
        if CONFIRMED not in request.POST:
            return confirm_selected(Desk(self, request, None), queryset.order_by("pk"))
        start_selected(Desk(self, request, None), queryset)
        return None

    @admin.action(description=_("Compare selected campaigns"), permissions=["view"])
    def compare_selected(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> Any:
        """Show the figures of two to five campaigns side by side."""
        return compare_selected(Desk(self, request, None), queryset)

    def get_urls(self) -> list[Any]:
        """Add the pages of a campaign."""
        return [*campaign_urls(self), *super().get_urls()]
