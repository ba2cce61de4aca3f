"""Templates in the admin: written with the composer of campaigns, and the beginning of a campaign."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Permission, User

from django_hyber.models import Campaign, Template
from django_hyber.protocol import SMS, Viber

pytestmark = pytest.mark.django_db(transaction=True)

BASE = "/admin/django_hyber/templatevariant/"
CHANNELS = [Viber(text="Shipped %order%", ttl=60), SMS(text="Shipped %order%", alpha_name="GMSU", ttl=300)]


@pytest.fixture
def template():
    return Template.objects.create(code="order-shipped", name="Order shipped", language="en")


def form_of(template, *texts, language="en", approved="", **changes):
    """The posted form, with one Viber channel for each text."""
    data = {
        "template": template.pk,
        "language": language,
        "approved_text": approved,
        "channels-TOTAL_FORMS": len(texts),
        "channels-INITIAL_FORMS": 0,
        "channels-MIN_NUM_FORMS": 0,
        "channels-MAX_NUM_FORMS": 4,
    }
    for index, text in enumerate(texts):
        data |= {f"channels-{index}-channel": "viber", f"channels-{index}-text": text, f"channels-{index}-ttl": 60}
    return data | changes


def changed(variant, text, **changes):
    saved = {"channels-INITIAL_FORMS": 1, "channels-0-id": variant.channels.get().pk, "channels-0-variant": variant.pk}
    return form_of(variant.template, text, **saved | changes)


def test_template_is_created_and_leads_to_its_first_text(admin_client):
    data = {"code": "order-shipped", "name": "Order shipped", "language": "en"}
    admin_client.post("/admin/django_hyber/template/add/", data)
    template = Template.objects.get()
    page = admin_client.get(f"/admin/django_hyber/template/{template.pk}/change/").content.decode()

    assert f'href="{BASE}add/?template={template.pk}"' in page


def test_text_is_only_offered_to_those_who_may_add_it(client, log_in, template):
    page = f"/admin/django_hyber/template/{template.pk}/change/"
    user = log_in("view_template")
    for address in ("/admin/django_hyber/template/", page):
        assert "Add a text" not in client.get(address).content.decode()
    user.user_permissions.add(Permission.objects.get(codename="add_template"))
    assert "Add a text" in client.get(page).content.decode()


def test_code_with_spaces_is_refused_with_the_reason(admin_client):
    data = {"code": "order shipped", "name": "Order shipped", "language": "en"}
    page = admin_client.post("/admin/django_hyber/template/add/", data).content.decode()

    assert "Use Latin letters, digits" in page
    assert not Template.objects.exists()


def test_text_is_written_with_the_composer(admin_client, template):
    page = admin_client.get(f"{BASE}add/?template={template.pk}").content.decode()
    assert f'data-compose="{BASE}compose/"' in page

    admin_client.post(f"{BASE}add/", form_of(template, "Shipped %order%", language="uk_UA"))
    variant = template.variants.get()
    assert (variant.language, variant.version) == ("uk-ua", 1)
    assert template.get_channels("uk-UA") == [Viber(text="Shipped %order%", ttl=60)]
    page = admin_client.get(f"{BASE}{variant.pk}/change/").content.decode()
    assert "Shipped Order" in page
    assert f'data-compose="{BASE}{variant.pk}/compose/"' in page


def test_preview_follows_what_is_typed(admin_client, template):
    answer = admin_client.post(f"{BASE}compose/", form_of(template, "Typed %order%")).json()

    assert "Typed Order" in answer["parts"]["hyber-live-channels-0-preview"]
    assert answer["variables"] == ["order"]
    template.set_channels(CHANNELS[:1])
    variant = template.variants.get()
    answer = admin_client.post(f"{BASE}{variant.pk}/compose/", changed(variant, "Changed %order%")).json()
    assert "Changed Order" in answer["parts"]["hyber-live-channels-0-preview"]
    assert variant.get_channels() == CHANNELS[:1]


def test_change_of_a_text_is_a_new_version_and_saving_it_unchanged_is_none(admin_client, template):
    variant = template.set_channels(CHANNELS[:1])
    admin_client.post(f"{BASE}{variant.pk}/change/", changed(variant, "Shipped %order%"))
    variant.refresh_from_db()
    assert variant.version == 1

    admin_client.post(f"{BASE}{variant.pk}/change/", changed(variant, "Sent %order%"))
    variant.refresh_from_db()
    assert variant.version == 2
    assert variant.get_channels()[0].text == "Sent %order%"


@pytest.mark.parametrize(("approved", "is_warned"), [("Shipped %number%", False), ("Sent %order%", True), ("", False)])
def test_text_that_departs_from_the_approved_one_is_warned_about(admin_client, template, approved, is_warned):
    data = form_of(template, "Shipped %order%", approved=approved)
    page = admin_client.post(f"{BASE}add/", data, follow=True).content.decode()

    assert ("The Viber text is not the approved one" in page) is is_warned


def test_second_text_in_a_language_is_refused(admin_client, template):
    template.set_channels(CHANNELS)
    page = admin_client.post(f"{BASE}add/", form_of(template, "Again", language="EN")).content.decode()

    assert "already has a text in this language" in page
    assert template.variants.count() == 1


def test_channel_twice_is_refused(admin_client, template):
    page = admin_client.post(f"{BASE}add/", form_of(template, "One", "Two")).content.decode()

    assert "This text already has this channel" in page
    assert not template.variants.exists()


def campaign_form(**changes):
    return {
        "name": "Spring sale",
        "account": "default",
        "missing_variables": "refuse",
        "channels-TOTAL_FORMS": 0,
        "channels-INITIAL_FORMS": 0,
        **changes,
    }


def test_campaign_starts_from_a_template(admin_client, template):
    variant = template.set_channels(CHANNELS)
    assert "Start from a template" in admin_client.get("/admin/django_hyber/campaign/add/").content.decode()

    admin_client.post("/admin/django_hyber/campaign/add/", campaign_form(template=variant.pk))
    campaign = Campaign.objects.get()
    assert campaign.get_channels() == CHANNELS
    page = admin_client.get(f"/admin/django_hyber/campaign/{campaign.pk}/change/").content.decode()
    assert "Start from a template" not in page


def test_channels_that_were_typed_go_before_the_template(admin_client, template):
    variant = template.set_channels(CHANNELS)
    typed = {"channels-TOTAL_FORMS": 1, "channels-0-channel": "viber", "channels-0-text": "Own", "channels-0-ttl": 60}
    admin_client.post("/admin/django_hyber/campaign/add/", campaign_form(template=variant.pk, **typed))

    assert [channel.text for channel in Campaign.objects.get().get_channels()] == ["Own"]


def test_project_without_templates_sees_nothing_of_them_in_the_campaign_form(admin_client):
    assert "Start from a template" not in admin_client.get("/admin/django_hyber/campaign/add/").content.decode()


@pytest.mark.parametrize("codename", ["view_template", "change_template", "add_template", "view_campaign"])
def test_each_page_takes_the_permission_of_the_template(client, template, codename):
    variant = template.set_channels(CHANNELS)
    user = User.objects.create_user("colleague", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename=codename))
    client.force_login(user)
    reads = codename in {"view_template", "change_template"}

    assert (client.get(f"{BASE}{variant.pk}/change/").status_code == 200) is reads
    assert (client.get(f"{BASE}add/").status_code == 200) is (codename == "add_template")
    is_composer = client.post(f"{BASE}{variant.pk}/compose/", changed_many(variant)).status_code == 200
    assert is_composer is (codename == "change_template")


def changed_many(variant):
    return form_of(variant.template, "Typed")


def seen_on(page):
    return re.search(r'name="seen_version" value="([0-9a-f]*)"', page.content.decode())[1]


@pytest.fixture
def overtaken(admin_client, template):
    """Two tabs change a text. Return the text, what the second tab posts, and the answer to it."""
    variant = template.set_channels(CHANNELS[:1])
    url = f"{BASE}{variant.pk}/change/"
    seen = seen_on(admin_client.get(url))
    admin_client.post(url, changed(variant, "First tab", seen_version=seen))
    posted = changed(variant, "Second tab", seen_version=seen)
    return variant, posted, admin_client.post(url, posted)


def test_text_that_another_tab_has_saved_is_not_replaced_unseen(overtaken):
    variant, _posted, _response = overtaken

    assert [channel.text for channel in variant.get_channels()] == ["First tab"]


def test_text_that_another_tab_has_saved_is_shown_beside_ones_own(overtaken):
    _variant, _posted, response = overtaken
    differences = [(line.label, line.saved, line.yours) for line in response.context["conflict"].differences]

    assert ("Viber: Text", "First tab", "Second tab") in differences
    assert "This text was changed after you opened this page." in response.content.decode()
    assert "Saved by admin" in response.content.decode()


def test_second_attempt_replaces_the_text_of_the_other_tab(admin_client, overtaken):
    variant, posted, response = overtaken
    admin_client.post(f"{BASE}{variant.pk}/change/", posted | {"seen_version": seen_on(response)})

    assert [channel.text for channel in variant.get_channels()] == ["Second tab"]


def test_approved_text_of_another_tab_is_not_replaced_unseen(admin_client, template):
    variant = template.set_channels(CHANNELS[:1])
    url = f"{BASE}{variant.pk}/change/"
    seen = seen_on(admin_client.get(url))
    admin_client.post(url, changed(variant, "Shipped", approved_text="First tab", seen_version=seen))
    admin_client.post(url, changed(variant, "Shipped", approved_text="Second tab", seen_version=seen))

    variant.refresh_from_db()
    assert variant.approved_text == "First tab"
