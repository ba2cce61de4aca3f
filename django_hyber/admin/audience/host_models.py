"""For the admin of the project's own models: a campaign to the selected objects, and the messages about an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.contenttypes.admin import GenericTabularInline
from django.contrib.contenttypes.forms import BaseGenericInlineFormSet
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_hyber.admin.audience.audience_page import added_texts
from django_hyber.admin.common.model_admins import link_to
from django_hyber.admin.common.times import short_time
from django_hyber.audience.objects import draft_for
from django_hyber.checks.audience_mixin import check_audience
from django_hyber.conf import DEFAULT_ACCOUNT
from django_hyber.conf.audiences import Audience
from django_hyber.models import BackgroundJob, Message
from django_hyber.words import name_of_channel

NAME_LENGTH = 200


class CampaignAudienceMixin(admin.ModelAdmin):  # type: ignore[type-arg]  # Django's class takes no type at run time
    """Adds the action that begins a campaign to the selected objects.

    ``audience_phone`` is the field with the number, ``audience_variables`` maps names of variables to fields; both may
    follow relations. The campaign belongs to ``audience_account``.
    """

    audience_phone = "phone"
    audience_variables: Mapping[str, str] = {}
    audience_account = DEFAULT_ACCOUNT

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        """Check the account and the fields; a queryset of its own may have annotations that nobody knows yet."""
        is_known = type(self).get_queryset is admin.ModelAdmin.get_queryset
        selected = self._audience_of(self.model._default_manager.all()) if is_known else None
        return [*super().check(**kwargs), *check_audience(str(self), self.audience_account, selected)]

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> Any:
        """Add the action to the list, for users who may write campaigns. Since Django 6.1 there are other places."""
        located = {} if action_location is None else {"action_location": action_location}
        actions: dict[str, Any] = super().get_actions(request, **located)
        if getattr(action_location, "name", "CHANGE_LIST") != "CHANGE_LIST":
            return actions
        if self.actions is not None and IS_POPUP_VAR not in request.GET and self.has_campaign_permission(request):
            name = "send_campaign_to_selected"
            description = _("Send a campaign to the selected %(verbose_name_plural)s")
            actions[name] = (type(self).send_campaign_to_selected, name, description)
        return actions

    def has_campaign_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may write campaigns. Sending one takes another permission."""
        return request.user.has_perms(("django_hyber.add_campaign", "django_hyber.change_campaign"))

    def send_campaign_to_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponseRedirect | None:
        """Make a draft with the selected objects as recipients and open it: nothing is sent yet."""
        name = f"{capfirst(self.opts.verbose_name_plural)}, {short_time(timezone.now())}"
        selected = self._audience_of(queryset)
        try:
            campaign, added = draft_for(selected, self.audience_account, name[:NAME_LENGTH], request.user)
        except ImproperlyConfigured as error:
            self.message_user(request, str(error), messages.ERROR)
            return None
        if isinstance(added, BackgroundJob):
            page = reverse("admin:django_hyber_campaign_import_job", args=[campaign.pk, added.pk])
            return HttpResponseRedirect(page)
        for text, level in added_texts(added):
            self.message_user(request, text, level)
        return HttpResponseRedirect(reverse("admin:django_hyber_campaign_change", args=[campaign.pk]))

    def _audience_of(self, queryset: QuerySet[Any]) -> Audience:
        return Audience(queryset=queryset, phone=self.audience_phone, variables=self.audience_variables)


class LatestMessages(BaseGenericInlineFormSet):  # type: ignore[type-arg]  # it takes no type at run time
    """The newest messages about an object."""

    most = 20

    def get_queryset(self) -> QuerySet[Any]:
        """Cut the list: an object may have any number of messages."""
        return super().get_queryset().order_by("-pk")[: self.most]


class MessageInline(GenericTabularInline):
    """The newest messages that refer to an object, on the page of the object. They show no personal data."""

    model = Message
    formset = LatestMessages  # type: ignore[assignment]  # a generic inline has formsets of its own
    ct_field = "reference_type"
    ct_fk_field = "reference_id"
    extra = max_num = 0
    can_delete = False
    fields = readonly_fields = ("link", "campaign_name", "status", "channel_label", "created")
    verbose_name_plural = gettext_lazy("messages")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: only services write messages."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: messages are history."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        """Read the campaigns at once."""
        return super().get_queryset(request).select_related("campaign")

    @admin.display(description=gettext_lazy("message"))
    def link(self, message: Message) -> str:
        """A link to the message."""
        return link_to(message, message.extra_id)

    @admin.display(description=gettext_lazy("campaign"))
    def campaign_name(self, message: Message) -> str:
        """The campaign that the message belongs to."""
        return str(message.campaign or "")

    @admin.display(description=gettext_lazy("channel"))
    def channel_label(self, message: Message) -> str:
        """The channel that delivered."""
        return name_of_channel(message.channel)

    @admin.display(description=gettext_lazy("created at"))
    def created(self, message: Message) -> str:
        """When it was created."""
        return short_time(message.created_at)
