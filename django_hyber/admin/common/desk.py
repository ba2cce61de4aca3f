"""What a view of the admin works with, as one object: the request, its campaign, and ways to respond."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _

from django_hyber.admin.common.model_admins import HyberAdmin
from django_hyber.admin.common.personal_data import sees_personal_data
from django_hyber.errors import was_deleted
from django_hyber.models import BackgroundJob, Campaign, TestNumber

#: Seconds between two polls of a part that changes; the page polls less often while nothing changes.
REFRESH = 2


@dataclass(frozen=True)
class Desk:
    """A request to an admin. ``campaign`` is None on pages about a whole list, or about a campaign not yet saved."""

    admin: HyberAdmin
    request: HttpRequest
    campaign: Campaign | None

    @property
    def is_post(self) -> bool:
        """The user has pressed a button."""
        return self.request.method == "POST"

    @property
    def may_view(self) -> bool:
        """The user may see the campaign, or the list."""
        return self.admin.has_view_permission(self.request, self.campaign)

    @property
    def may_add(self) -> bool:
        """The user may add rows to the list."""
        return self.admin.has_add_permission(self.request)

    @property
    def may_change(self) -> bool:
        """The user may change the campaign, and it can still be changed."""
        return self.admin.has_change_permission(self.request, self.campaign)

    @property
    def may_send(self) -> bool:
        """The user may send campaigns, which is a separate permission from writing them."""
        return self.request.user.has_perm("django_hyber.send_campaign")

    @property
    def may_export(self) -> bool:
        """The user may download numbers: this takes a permission of its own, and that to see them."""
        return self.request.user.has_perm("django_hyber.export_campaign") and self.sees_personal_data

    @property
    def may_write(self) -> bool:
        """The user may write campaigns, whatever the status of this one."""
        return self.request.user.has_perm("django_hyber.change_campaign")

    @property
    def may_type_numbers(self) -> bool:
        """The user may send tests to any number. As results tell who has opted out, this takes two permissions."""
        return self.may_send and self.sees_personal_data

    @property
    def may_see_messages(self) -> bool:
        """The user may see the list of messages."""
        return self.request.user.has_perm("django_hyber.view_message")

    @property
    def may_test(self) -> bool:
        """The user may send tests: to any number, or, as somebody who writes campaigns, to the list of test numbers."""
        return self.may_type_numbers or (self.may_write and TestNumber.objects.exists())

    @property
    def sees_personal_data(self) -> bool:
        """The user may see phone numbers, values and texts in full."""
        return sees_personal_data(self.request)

    def of(self, campaign: Campaign) -> CampaignDesk:
        """Return the desk for one campaign of the list."""
        return CampaignDesk(self.admin, self.request, campaign)

    def url(self, page: str, *arguments: object) -> str:
        """Return the address of a page by the last part of its name, as in "change" or "import_job"."""
        opts = (self.campaign or self.admin.model)._meta
        keys = (self.campaign.pk, *arguments) if self.campaign else arguments
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}", args=keys)

    @property
    def home(self) -> str:
        """The address of the campaign's page, or of the list."""
        return self.url("change" if self.campaign else "changelist")

    def redirect(self, page: str = "", *arguments: object) -> HttpResponseRedirect:
        """Redirect to a page, by default to ``home``."""
        return HttpResponseRedirect(self.url(page, *arguments) if page else self.home)

    def render(self, template: str, title: str, **context: object) -> TemplateResponse:
        """Render a page; ``template`` is its path below ``admin/django_hyber``, without the extension."""
        shared = {
            **self.admin.admin_site.each_context(self.request),
            "title": title,
            "opts": self.admin.opts,
            "media": self.admin.media,
            "original": self.campaign,
        }
        return TemplateResponse(self.request, f"admin/django_hyber/{template}.html", {**shared, **context})

    def part(self, template: str, **context: object) -> TemplateResponse:
        """Return a piece of a page that the page itself polls; it is never cached."""
        path = f"admin/django_hyber/{template}.html"
        response = TemplateResponse(self.request, path, {"original": self.campaign, **context})
        patch_cache_control(response, no_store=True)
        return response

    def message_user(self, text: str, level: int = messages.INFO) -> None:
        """Show a text on the next page."""
        self.admin.message_user(self.request, text, level)

    def log_change(self, text: str) -> None:
        """Log a change of the campaign, or of the list if there is none."""
        if self.campaign:
            self.admin.log_change(self.request, self.campaign, text)
        else:
            self.admin.log_about_list(self.request, text)


def back_to_button(desk: Desk, url: str = "") -> HttpResponseRedirect:
    """Return to the page of a button, by default ``home``, that nobody has pressed here.

    After the login that an expired session requires, the browser opens the address that the button posts to.
    """
    desk.message_user(_("Nothing has been done yet. Press the button again."), messages.WARNING)
    return HttpResponseRedirect(url or desk.home)


def answer_or_list(desk: Desk, view: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Return the answer of a view. If its campaign is deleted at the same moment, lead to the list and say so."""
    try:
        return view()
    except (Campaign.DoesNotExist, BackgroundJob.DoesNotExist):
        if desk.campaign is None or Campaign.objects.filter(pk=desk.campaign.pk).exists():
            raise
        everything = Desk(desk.admin, desk.request, None)
        everything.message_user(" ".join(was_deleted(desk.campaign.name).messages), messages.ERROR)
        return everything.redirect()


@dataclass(frozen=True)
class CampaignDesk(Desk):
    """A request about a campaign that exists."""

    campaign: Campaign

    def messages_url(self, **conditions: object) -> str:
        """Return the address of the list of the campaign's messages that meet these conditions."""
        query = urlencode({"campaign": self.campaign.pk, **conditions})
        return f"{reverse('admin:django_hyber_message_changelist')}?{query}"
