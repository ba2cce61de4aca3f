"""Two tabs, or two colleagues, with the same campaign: nobody's work is replaced unseen or lost."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse, reverse_lazy

from django_hyber.admin.common.saved import SAVED_COOKIE
from django_hyber.models import Campaign, Template
from django_hyber.protocol import SMS, Viber

pytestmark = pytest.mark.django_db


def url_of(campaign):
    return reverse("admin:django_hyber_campaign_change", args=[campaign.pk])


def seen_on(response):
    return re.search(r'name="seen_version" value="([0-9a-f]*)"', response.content.decode())[1]


def differences_on(response):
    return {line.label: (line.saved, line.yours) for line in response.context["conflict"].differences}


@pytest.fixture
def post(admin_client, campaign_form):
    """Save the form of the campaign with these values for its two channels."""

    def post(campaign, seen, viber="Hi", sms="Hi", **fields):
        rows = [
            {
                "id": row.pk,
                "campaign": campaign.pk,
                "position": row.position,
                **row.options,
                "text": viber if row.channel == "viber" else sms,
            }
            for row in campaign.channels.all()
        ]
        fields = {"missing_variables": "refuse", "seen_version": seen, **fields}
        return admin_client.post(url_of(campaign), campaign_form(*rows, initial=2, **fields))

    return post


def test_form_that_shows_the_newest_version_is_saved(admin_client, draft, post):
    seen = seen_on(admin_client.get(url_of(draft)))

    assert post(draft, seen, viber="Hello").status_code == 302
    assert draft.channels.get(channel="viber").options["text"] == "Hello"


def test_later_save_does_not_replace_an_earlier_one_unseen(admin_client, draft, post):
    seen = seen_on(admin_client.get(url_of(draft)))
    post(draft, seen, viber="First tab")

    response = post(draft, seen, viber="Second tab", name="Renamed")

    assert "changed after you opened this page" in response.content.decode()
    assert draft.channels.get(channel="viber").options["text"] == "First tab"
    assert differences_on(response) == {
        "Name": ("Spring sale", "Renamed"),
        "Viber: Text": ("First tab", "Second tab"),
    }
    assert response.context["conflict"].user == "admin"


def test_second_attempt_replaces_what_was_shown(admin_client, draft, post):
    seen = seen_on(admin_client.get(url_of(draft)))
    post(draft, seen, viber="First tab")
    refused = post(draft, seen, viber="Second tab")

    assert post(draft, seen_on(refused), viber="Second tab").status_code == 302
    assert draft.channels.get(channel="viber").options["text"] == "Second tab"


def test_third_version_is_shown_again(admin_client, draft, post):
    seen = seen_on(admin_client.get(url_of(draft)))
    post(draft, seen, viber="First tab")
    refused = post(draft, seen, viber="Second tab")
    draft.set_channels([Viber(text="From code", ttl=60), SMS(text="Hi", ttl=300, alpha_name="Shop")])

    response = post(draft, seen_on(refused), viber="Second tab")

    assert response.status_code == 200
    assert differences_on(response)["Viber: Text"] == ("From code", "Second tab")


def test_change_from_code_counts_as_well(admin_client, draft, post):
    seen = seen_on(admin_client.get(url_of(draft)))
    Campaign.objects.filter(pk=draft.pk).update(throttle=60)

    response = post(draft, seen)

    assert differences_on(response) == {"Throttle": ("60", "")}
    assert "It was changed outside of the admin." in response.content.decode()


def test_progress_of_the_campaign_is_no_change_of_it(admin_client, draft, post):
    seen = seen_on(admin_client.get(url_of(draft)))
    Campaign.objects.filter(pk=draft.pk).update(status_reason="Something happened")

    assert post(draft, seen).status_code == 302


def test_program_that_posts_no_version_is_not_held_up(draft, post):
    assert post(draft, "", viber="Hello").status_code == 302


def test_version_is_not_logged_as_a_change(admin_client, draft, post):
    seen = seen_on(admin_client.get(url_of(draft)))
    post(draft, seen, name="Renamed")

    history = admin_client.get(reverse("admin:django_hyber_campaign_history", args=[draft.pk])).content.decode()
    assert "Changed Name." in history
    assert "version" not in history.lower()


def test_title_is_the_name_of_the_campaign(admin_client, draft):
    page = admin_client.get(url_of(draft)).content.decode()

    assert "<h1>Spring sale</h1>" in page
    assert page.count("<h2>Spring sale</h2>") == 0


@pytest.fixture
def sms_only(draft):
    draft.set_channels([SMS(text="Hi", ttl=300, alpha_name="Shop")])
    return draft


def row_of(channel, **values):
    """The fields that a browser posts for a channel that its page shows."""
    return {
        "id": channel.pk,
        "campaign": channel.campaign_id,
        "channel": channel.channel,
        "position": channel.position,
        **channel.options,
        **values,
    }


def new_viber(text):
    return {"channel": "viber", "position": 5, "text": text, "ttl": 60}


@pytest.fixture
def post_rows(admin_client, campaign_form):
    """Save the form as one tab has it: these rows, of which the first ones were stored when it was opened."""

    def post_rows(campaign, seen, *rows, initial):
        fields = {"missing_variables": "refuse", "seen_version": seen}
        return admin_client.post(url_of(campaign), campaign_form(*rows, initial=initial, **fields))

    return post_rows


@pytest.fixture
def both_add_viber(admin_client, sms_only, post_rows):
    """Both tabs add Viber. Return the answer to the second one."""
    seen = seen_on(admin_client.get(url_of(sms_only)))
    sms = row_of(sms_only.channels.get())
    assert post_rows(sms_only, seen, sms, new_viber("First tab"), initial=1).status_code == 302
    return post_rows(sms_only, seen, sms, new_viber("Second tab"), initial=1)


def posted_again(response):
    """What a browser posts if the shown form is submitted without a change."""
    (inline,) = response.context["inline_admin_formsets"]
    formset = inline.formset
    data = {f"{formset.prefix}-TOTAL_FORMS": formset.total_form_count()}
    data[f"{formset.prefix}-INITIAL_FORMS"] = formset.management_form["INITIAL_FORMS"].value()
    bound = [response.context["adminform"].form, *formset.forms]
    for field in (field for form in bound for field in form):
        value = field.value()
        if value is not None and value is not False and not isinstance(value, dict | list):
            data[field.html_name] = value
    return data


def test_channel_that_both_tabs_added_is_shown_with_both_texts(both_add_viber):
    assert differences_on(both_add_viber)["Viber: Text"] == ("First tab", "Second tab")


def test_channel_that_both_tabs_added_is_not_replaced_unseen(both_add_viber, sms_only):
    assert sms_only.channels.get(channel="viber").options["text"] == "First tab"


def test_channel_that_both_tabs_added_is_replaced_by_the_second_attempt(admin_client, both_add_viber, sms_only):
    assert admin_client.post(url_of(sms_only), posted_again(both_add_viber)).status_code == 302
    assert sms_only.channels.get(channel="viber").options["text"] == "Second tab"


def test_channel_that_only_the_other_tab_added_is_named(admin_client, sms_only, post_rows):
    seen = seen_on(admin_client.get(url_of(sms_only)))
    sms = row_of(sms_only.channels.get())
    post_rows(sms_only, seen, sms, new_viber("First tab"), initial=1)

    response = post_rows(sms_only, seen, {**sms, "text": "Second tab"}, initial=1)

    assert differences_on(response) == {
        "SMS: Text": ("Hi", "Second tab"),
        "Viber": ("added", "not on your page, and stays"),
    }


@pytest.fixture
def viber_deleted_meanwhile(admin_client, draft, post_rows):
    """One tab deletes Viber, the other one changes its text. Return the answer to the second one."""
    seen = seen_on(admin_client.get(url_of(draft)))
    viber, sms = (row_of(draft.channels.get(channel=name)) for name in ("viber", "sms"))
    assert post_rows(draft, seen, {**viber, "DELETE": "on"}, sms, initial=2).status_code == 302
    return post_rows(draft, seen, {**viber, "text": "Second tab"}, sms, initial=2)


def test_deletion_in_the_other_tab_is_named(viber_deleted_meanwhile):
    assert differences_on(viber_deleted_meanwhile) == {"Viber": ("deleted", "added again")}


def test_deletion_in_the_other_tab_leaves_no_error_at_the_row(viber_deleted_meanwhile):
    (inline,) = viber_deleted_meanwhile.context["inline_admin_formsets"]
    assert inline.formset.errors == [{}, {}]


def test_channel_deleted_in_the_other_tab_is_added_by_the_second_attempt(admin_client, viber_deleted_meanwhile, draft):
    assert admin_client.post(url_of(draft), posted_again(viber_deleted_meanwhile)).status_code == 302
    assert {row.channel: row.options["text"] for row in draft.channels.all()} == {"viber": "Second tab", "sms": "Hi"}


def test_channel_deleted_in_both_tabs_stays_deleted(admin_client, draft, post_rows):
    seen = seen_on(admin_client.get(url_of(draft)))
    viber, sms = (row_of(draft.channels.get(channel=name)) for name in ("viber", "sms"))
    post_rows(draft, seen, {**viber, "DELETE": "on"}, sms, initial=2)
    refused = post_rows(draft, seen, {**viber, "DELETE": "on"}, sms, initial=2)

    assert differences_on(refused) == {}
    admin_client.post(url_of(draft), posted_again(refused))
    assert [row.channel for row in draft.channels.all()] == ["sms"]


def test_new_row_that_was_removed_again_does_not_delete_the_channel_of_the_other_tab(admin_client, sms_only, post_rows):
    seen = seen_on(admin_client.get(url_of(sms_only)))
    sms = row_of(sms_only.channels.get())
    post_rows(sms_only, seen, sms, new_viber("First tab"), initial=1)

    post_rows(sms_only, "", sms, {**new_viber("Second tab"), "DELETE": "on"}, initial=1)

    assert sms_only.channels.get(channel="viber").options["text"] == "First tab"


def test_page_says_which_channel_a_row_is_in_a_way_that_browsers_post(admin_client, sms_only):
    page = admin_client.get(url_of(sms_only)).content.decode()

    assert '<input type="hidden" name="channels-0-channel" value="sms">' in page


def test_form_without_the_number_of_its_rows_is_still_refused(admin_client, sms_only, campaign_form):
    data = campaign_form(missing_variables="refuse")
    del data["channels-TOTAL_FORMS"]

    assert "ManagementForm data is missing" in admin_client.post(url_of(sms_only), data).content.decode()


@pytest.fixture
def post_after_launch(admin_client, draft, post_rows):
    """Launch the campaign while its form is open, and save the form with these values for SMS."""

    def post_after_launch(**values):
        seen = seen_on(admin_client.get(url_of(draft)))
        viber, sms = (row_of(draft.channels.get(channel=name)) for name in ("viber", "sms"))
        Campaign.objects.filter(pk=draft.pk).update(status=Campaign.Status.SENDING)
        return post_rows(draft, seen, viber, sms | values, initial=2)

    return post_after_launch


def test_text_that_comes_after_the_launch_is_shown_to_be_copied(post_after_launch):
    response = post_after_launch(text="Typed\r\nfor an hour")

    assert response.context["typed"] == [("SMS: Text", "Typed\nfor an hour")]
    assert "Typed\nfor an hour" in response.content.decode()
    assert "was launched in the meantime" in response.content.decode()


def test_text_that_comes_after_the_launch_is_not_saved(post_after_launch, draft):
    post_after_launch(text="Typed for an hour")

    assert draft.channels.get(channel="sms").options["text"] == "Hi"


def test_form_without_changes_after_the_launch_leads_to_the_campaign(post_after_launch, draft):
    assert post_after_launch().url == url_of(draft)


ADD = reverse_lazy("admin:django_hyber_campaign_add")
VIBER = {"channel": "viber", "text": "Typed\r\nfor an hour", "ttl": 60}
TYPED = [("Name", "Summer sale"), ("Viber: Text", "Typed\nfor an hour"), ("Viber: Try for (TTL, seconds)", "60")]


@pytest.fixture
def typed_form(campaign_form):
    """The form of a campaign with what somebody has typed for an hour."""
    return campaign_form(VIBER, name="Summer sale", missing_variables="refuse")


def test_text_for_a_campaign_that_was_deleted_meanwhile_is_shown_to_be_copied(admin_client, draft, typed_form):
    url = url_of(draft)
    draft.delete()

    response = admin_client.post(url, typed_form)

    assert response.status_code == 404
    assert response.context["typed"] == TYPED
    assert "It was deleted in the meantime. Your changes were not saved." in response.content.decode()


def test_text_for_a_text_of_a_template_that_was_deleted_meanwhile_is_shown_to_be_copied(admin_client, typed_form):
    template = Template.objects.create(code="order-shipped", name="Order shipped", language="en")
    variant = template.set_channels([SMS(text="Shipped", alpha_name="Shop", ttl=300)])
    url = reverse("admin:django_hyber_templatevariant_change", args=[variant.pk])
    variant.delete()

    response = admin_client.post(url, {**typed_form, "name": "", "approved_text": "Approved"})

    assert response.status_code == 404
    assert response.context["typed"] == [("Approved text", "Approved"), *TYPED[1:]]


@pytest.mark.parametrize("left", [(), ("view_campaign",)])
def test_text_of_somebody_whose_permission_was_taken_meanwhile_is_shown_to_be_copied(
    client, log_in, draft, typed_form, left
):
    log_in(*left)

    response = client.post(url_of(draft), typed_form)

    assert response.status_code == 403
    assert response.context["typed"] == TYPED
    assert "You no longer have permission for this." in response.content.decode()
    assert list(draft.channels.values_list("options__text", flat=True)) == ["Hi", "Hi"]


def test_text_for_a_new_campaign_of_somebody_whose_permission_was_taken_is_shown_to_be_copied(
    client, log_in, typed_form
):
    log_in("view_campaign")

    response = client.post(ADD, typed_form)

    assert response.status_code == 403
    assert response.context["typed"] == TYPED
    assert not Campaign.objects.exists()


def test_page_with_the_texts_says_nothing_of_the_campaign_without_permission(client, log_in, draft, campaign_form):
    """Not even whether it exists, nor whether its texts are those that were typed."""
    log_in()
    form = campaign_form({**VIBER, "text": "Hi"}, name="Spring sale")
    answers = []
    for url in (url_of(draft), reverse("admin:django_hyber_campaign_change", args=[draft.pk + 1])):
        response = client.post(url, form)
        answers.append((response.status_code, response.context["typed"]))

    assert answers == [(403, [("Name", "Spring sale"), ("Viber: Text", "Hi"), TYPED[2]])] * 2


@pytest.fixture
def new_form(admin_client, typed_form):
    """The filled form of a new campaign, as its page was opened."""
    page = admin_client.get(ADD).content.decode()
    return typed_form | {"form_key": re.search(r'name="form_key" value="([0-9a-f]{32})"', page)[1]}


def test_form_that_is_sent_twice_adds_one_campaign(admin_client, new_form):
    admin_client.post(ADD, new_form)
    response = admin_client.post(ADD, new_form, follow=True)

    assert Campaign.objects.count() == 1
    assert "“Summer sale” has already been added." in response.content.decode()


@pytest.mark.django_db(transaction=True)
def test_form_that_is_sent_twice_at_the_same_moment_adds_one_campaign(admin_client, admin_user, new_form):
    def send(client):
        try:
            return client.post(ADD, new_form).status_code
        finally:
            connections.close_all()

    for number in range(5):
        clients = [Client(), Client()]
        for client in clients:
            client.force_login(admin_user)
        new_form["form_key"] = f"{number:032x}"
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(send, clients)) == [302, 302]

    assert Campaign.objects.count() == 5


def test_change_after_a_form_was_sent_is_shown_when_it_is_sent_again(admin_client, new_form):
    """As after the browser's button to go back."""
    admin_client.post(ADD, new_form)
    response = admin_client.post(ADD, {**new_form, "channels-0-text": "Better"})

    assert response.context["typed"] == [("Viber: Text", "Better")]
    assert "What you have changed since was not saved." in response.content.decode()


def test_form_whose_key_no_database_stores_is_refused(admin_client, new_form):
    response = admin_client.post(ADD, {**new_form, "form_key": "\x00"})

    assert "Null characters are not allowed." in response.content.decode()
    assert not Campaign.objects.exists()


def test_two_forms_with_the_same_content_add_two_campaigns(admin_client, new_form):
    admin_client.post(ADD, new_form)
    admin_client.post(ADD, {**new_form, "form_key": "0" * 32})

    assert Campaign.objects.count() == 2


@pytest.mark.parametrize(
    ("change", "is_saved"),
    [({}, True), ({"name": ""}, False), ({"form_key": "x" * 32}, True), ({"form_key": "0;" * 16}, True)],
)
def test_browser_is_told_which_form_was_saved(admin_client, new_form, change, is_saved):
    data = new_form | change
    response = admin_client.post(ADD, data)

    assert (response.status_code == 302) is is_saved
    is_told = response.cookies.get(SAVED_COOKIE) is not None
    assert is_told is (is_saved and "form_key" not in change)
