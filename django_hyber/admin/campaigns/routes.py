"""The pages of a campaign: the address, permission and view of each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import URLPattern, path

from django_hyber.admin.audience.audience_page import audience_view
from django_hyber.admin.audience.exports import export_view
from django_hyber.admin.audience.imports import ImportDesk, import_urls
from django_hyber.admin.audience.removal import removal_view, remove_view
from django_hyber.admin.campaigns.actions import VERB_VIEWS, buttons_of
from django_hyber.admin.campaigns.approval_page import approval_state, ask_page, send_back_page
from django_hyber.admin.campaigns.copy_page import copy_view
from django_hyber.admin.campaigns.preflight_page import check_view, preflight_page, preflight_part
from django_hyber.admin.campaigns.progress_page import draft_page, progress_page
from django_hyber.admin.campaigns.retry_page import retry_view
from django_hyber.admin.campaigns.test_page import results_page, results_part, test_page
from django_hyber.admin.channels.composer import composer_urls
from django_hyber.admin.channels.images import image_urls
from django_hyber.admin.common.desk import CampaignDesk, Desk, answer_or_list
from django_hyber.admin.common.jobs import exported_file
from django_hyber.admin.common.model_admins import HyberAdmin
from django_hyber.admin.statistics.compare_page import compare_view
from django_hyber.admin.statistics.period_page import period_view

View = Callable[..., HttpResponseBase]
ROOT = "<int:campaign_id>/"


def campaign_urls(admin: HyberAdmin) -> list[Any]:
    """Return the addresses of a campaign's pages."""
    page, of_all = partial(_campaign_page, admin), partial(_list_page, admin)
    sends, tests = attrgetter("may_send"), attrgetter("may_test")
    adds, exports = attrgetter("may_add"), attrgetter("may_export")

    def writes(desk: Desk) -> bool:
        """Allow it after the launch too: the page then explains that it is too late."""
        return HyberAdmin.has_change_permission(admin, desk.request, desk.campaign)

    return [
        of_all("compare/", "compare", compare_view, "campaign"),
        of_all("period/", "period", period_view, "campaign", "message"),
        *import_urls(admin, partial(_import_desk, admin), ROOT, "django_hyber_campaign"),
        page("remove/", "remove", remove_view, writes),
        page("remove/<int:job_id>/", "removal", removal_view, writes),
        *composer_urls(admin),
        *image_urls(admin),
        page("audience/", "audience", audience_view, attrgetter("may_change")),
        page("preflight/", "preflight", preflight_page, sends),
        page("preflight/part/", "preflight_part", preflight_part, sends),
        page("preflight/check/", "preflight_check", check_view, sends),
        page("approval/", "approval", ask_page, attrgetter("may_write")),
        page("send-back/", "send_back", send_back_page, sends),
        page("test/", "test", test_page, tests),
        page("test/<slug:token>/", "test_results", results_page, tests),
        page("test/<slug:token>/part/", "test_part", results_part, tests),
        page("export/", "export", export_view, exports),
        page("export/<int:job_id>/", "exported", exported_file, exports),
        page("progress/", "progress", progress_part, attrgetter("may_view")),
        *[page(f"{verb}/", verb, view, sends) for verb, view in VERB_VIEWS.items()],
        page("retry/", "retry", retry_view, sends),
        page("copy/", "copy", copy_view, adds),
    ]


def _campaign_page(
    admin: HyberAdmin, route: str, name: str, view: View, is_allowed: Callable[[Desk], bool]
) -> URLPattern:
    """Return the address of a page for users who may see the campaign and also pass ``is_allowed``.

    If the campaign is deleted at the same moment, it leads to the list, and says so.
    """

    def of_campaign(request: HttpRequest, campaign_id: int, **arguments: Any) -> HttpResponseBase:
        desk = find_desk(admin, request, campaign_id)
        if not desk.may_view or not is_allowed(desk):
            raise PermissionDenied
        return answer_or_list(desk, partial(view, desk, **arguments))

    return path(ROOT + route, admin.admin_site.admin_view(of_campaign), name=f"django_hyber_campaign_{name}")


def _list_page(admin: HyberAdmin, route: str, name: str, view: View, *models: str) -> URLPattern:
    """Return the address of a page for users who may see the rows of these models."""

    def of_list(request: HttpRequest) -> HttpResponseBase:
        if not request.user.has_perms([f"django_hyber.view_{model}" for model in models]):
            raise PermissionDenied
        return view(Desk(admin, request, None))

    return path(route, admin.admin_site.admin_view(of_list), name=f"django_hyber_campaign_{name}")


def find_desk(admin: HyberAdmin, request: HttpRequest, campaign_id: int | str) -> CampaignDesk:
    """Return the desk of a campaign that exists, without locking it."""
    campaign = HyberAdmin.get_object(admin, request, str(campaign_id))
    if campaign is None:
        raise Http404
    return CampaignDesk(admin, request, campaign)


def _import_desk(admin: HyberAdmin, request: HttpRequest, campaign_id: int) -> ImportDesk:
    campaign = find_desk(admin, request, campaign_id).campaign
    # Not the campaign's own rule: the report of an import can be read after the launch as well.
    if not HyberAdmin.has_change_permission(admin, request, campaign):
        raise PermissionDenied
    return ImportDesk(admin, request, campaign)


def progress_part(desk: CampaignDesk) -> HttpResponseBase:
    """Return the part of the campaign's page that changes; the page polls it."""
    return desk.part("campaign/progress/part", **progress_context(desk))


def progress_context(desk: CampaignDesk) -> dict[str, Any]:
    """Return the context of the progress part of the campaign's page."""
    found = draft_page(desk) if desk.campaign.is_editable else progress_page(desk)
    return {
        "progress": found,
        "buttons": buttons_of(desk, found.numbers),
        "approval": approval_state(desk),
        "can_change": desk.may_change,
        "can_see_messages": desk.may_see_messages,
        "can_see_batches": desk.request.user.has_perm("django_hyber.view_batch"),
    }
