"""Every page of the admin, in both languages, themes and widths: it fits, everybody can read it, nothing complains."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from tests.browser.csp import POLICY
from tests.browser.scenes import busy_jobs, open_doubts, open_imports, open_shop
from tests.browser.views import LOCALES, problems_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def pages_of(shop):
    """Every page by name: the lists, the page of one row of each, and what can be opened of a campaign."""
    rows = {
        "batch": shop.batch,
        "campaign": shop.finished,
        "message": shop.message,
        "deliveryreport": shop.report,
        "unreadablecallback": shop.callback,
        "reply": shop.reply,
        "suppression": shop.suppression,
        "formeroptout": shop.former,
        "template": shop.template,
        "templatevariant": shop.variant,
        "testnumber": shop.test_number,
    }
    pages = {"index": reverse("admin:app_list", args=["django_hyber"])}
    for name, row in rows.items():
        pages[f"{name}: list"] = reverse(f"admin:django_hyber_{name}_changelist")
        pages[f"{name}: page"] = reverse(f"admin:django_hyber_{name}_change", args=[row.pk])
    of_campaign = (
        *((shop.draft, page) for page in ("change", "import", "test", "preflight", "preview", "delete", "history")),
        *((shop.finished, page) for page in ("retry", "copy", "export")),
        *((shop.sending, page) for page in ("change", "cancel")),
    )
    for campaign, page in of_campaign:
        name = f"campaign: {page} of {campaign.status}"
        pages[name] = reverse(f"admin:django_hyber_campaign_{page}", args=[campaign.pk])
    pages |= {
        "campaign: compare": f"{reverse('admin:django_hyber_campaign_compare')}"
        f"?ids={shop.finished.pk},{shop.sending.pk}",
        "campaign: figures": reverse("admin:django_hyber_campaign_period"),
        "deliveryreport: codes": reverse("admin:django_hyber_deliveryreport_codes"),
        "campaign: add": reverse("admin:django_hyber_campaign_add"),
        "suppression: add": reverse("admin:django_hyber_suppression_add"),
        "suppression: import": reverse("admin:django_hyber_suppression_import"),
        "suppression: export": reverse("admin:django_hyber_suppression_export"),
        "message: single": reverse("admin:django_hyber_message_change", args=[shop.single.pk]),
        "message: narrowed": f"{pages['message: list']}?campaign={shop.finished.pk}&status__exact=rejected",
        "message: person": reverse("admin:django_hyber_message_person"),
        "message: nobody": f"{pages['message: list']}?q=nobody",
    }
    return pages


def test_every_kind_of_row_has_its_pages_here(live_server, admin_user):
    pages = pages_of(open_shop("en", admin_user, size=0.05))

    models = {model._meta.model_name for model in admin.site._registry if model._meta.app_label == "django_hyber"}
    assert {name.partition(":")[0] for name in pages} == models | {"index"}


@pytest.fixture
def short_lists(monkeypatch):
    """Ten rows look like fifty, and axe is done with them sooner."""
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label == "django_hyber":
            monkeypatch.setattr(model_admin, "list_per_page", 10)


def addresses_of(imports):
    """Of each import, the page that it has now."""
    return {
        f"import: {name}": reverse("admin:django_hyber_campaign_import_job", args=[job.campaign_id, job.pk])
        if job.campaign_id
        else reverse("admin:django_hyber_suppression_import_job", args=[job.pk])
        for name, job in imports.items()
    }


def decisions_about(doubted):
    """The page of each row in doubt, and those on which the decision is confirmed."""
    return {
        f"{row._meta.model_name}: {page} of what is in doubt": reverse(
            f"admin:django_hyber_{row._meta.model_name}_{page}", args=[row.pk]
        )
        for row in doubted
        for page in ("change", "sent", "again")
    }


@pytest.mark.usefixtures("short_lists")
@pytest.mark.parametrize("language", LOCALES)
def test_every_page_fits_and_can_be_read(open_admin, admin_user, complaints, settings, tmp_path, language):
    settings.MEDIA_ROOT = tmp_path / "media"
    shop = open_shop(language, admin_user, size=0.05)
    for campaign in (shop.finished, None):
        busy_jobs(campaign, admin_user)
    pages = pages_of(shop) | decisions_about(open_doubts(shop)) | addresses_of(open_imports(shop, admin_user))
    page = open_admin(language)
    wrong = []
    for name, address in pages.items():
        response = page.goto(address)
        assert (response.status, response.headers["content-security-policy"]) == (200, POLICY), name
        wrong += [f"{name}: {problem}" for problem in [*problems_of(page, language), *complaints]]
        complaints.clear()

    assert not wrong, "\n".join(wrong)
