from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from django_hyber.models import Campaign
from django_hyber.protocol import CHANNELS, SMS, Viber, field_rules

ADD = "/admin/django_hyber/campaign/add/"
VIBER = {"channel": "viber", "position": "1", "text": "Hi %name%", "ttl": "60"}
SMS_ROW = {"channel": "sms", "position": "2", "text": "Hi", "alpha_name": "Shop", "ttl": ""}


def change_url(campaign):
    return reverse("admin:django_hyber_campaign_change", args=[campaign.pk])


def errors_of(response, number):
    (formset,) = [item.formset for item in response.context["inline_admin_formsets"]]
    return formset.forms[number].errors


def row_of(channel, **changes):
    """The row of a saved channel as the form would post it."""
    return {
        "id": channel.pk,
        "campaign": channel.campaign_id,
        "position": channel.position,
        **channel.options,
        **changes,
    }


def test_a_campaign_is_saved_with_its_channels_in_order(admin_client, campaign_form):
    response = admin_client.post(ADD, campaign_form(SMS_ROW, VIBER, tag="spring"))

    assert response.status_code == 302
    campaign = Campaign.objects.get()
    assert (campaign.name, campaign.tag, campaign.account, campaign.status) == (
        "Spring sale",
        "spring",
        "default",
        "draft",
    )
    assert campaign.get_channels() == [
        Viber(text="Hi %name%", ttl=60),
        SMS(text="Hi", alpha_name="Shop", ttl=86_400),
    ]


def test_options_of_other_channels_are_left_out(admin_client, campaign_form):
    row = {**VIBER, "title": "of push", "latitude": "50.4", "img": "", "device": ""}

    admin_client.post(ADD, campaign_form(row))

    assert Campaign.objects.get().channels.get().options == {"text": "Hi %name%", "ttl": 60}


def test_the_only_possible_ttl_is_filled_in(admin_client, campaign_form):
    admin_client.post(ADD, campaign_form({"channel": "whatsapp", "text": "Hi", "ttl": "5"}))

    assert Campaign.objects.get().channels.get().options == {"text": "Hi", "ttl": 604_800}


def test_channels_without_a_number_come_after_the_others(admin_client, campaign_form):
    admin_client.post(ADD, campaign_form({**SMS_ROW, "position": ""}, VIBER))

    assert [channel.channel for channel in Campaign.objects.get().channels.all()] == ["viber", "sms"]


def test_empty_rows_are_no_channels(admin_client, campaign_form):
    admin_client.post(ADD, campaign_form(VIBER, {"channel": "", "position": "2"}))

    assert Campaign.objects.get().channels.count() == 1


def test_line_ends_are_one_character_as_on_a_phone(admin_client, campaign_form):
    admin_client.post(ADD, campaign_form({**VIBER, "text": "Hi\r\nthere"}))

    assert Campaign.objects.get().channels.get().options["text"] == "Hi\nthere"


def test_numbers_and_switches_have_the_types_of_the_wire(admin_client, campaign_form):
    row = {
        **VIBER,
        "thumbnail": "https://shop.example/a.jpg",
        "action": "https://shop.example/a.mp4",
        "file_size": "3",
        "duration": "60.5",
        "ctr": "on",
    }

    admin_client.post(ADD, campaign_form(row))

    options = Campaign.objects.get().channels.get().options
    assert (options["file_size"], options["duration"], options["ctr"]) == (3, 60.5, True)


@pytest.mark.parametrize(
    ("row", "field", "error"),
    [
        ({**VIBER, "text": "x" * 1001}, "text", "1001 characters"),
        ({**VIBER, "ttl": "39"}, "ttl", "from 40 to 86400"),
        ({**VIBER, "ttl": "0"}, "ttl", "from 40 to 86400"),
        ({**VIBER, "ttl": "soon"}, "ttl", "whole number"),
        ({**VIBER, "img": "ftp://shop.example/a.png"}, "img", "web address"),
        ({**VIBER, "caption": "Buy"}, "caption", "Button link"),
        ({**SMS_ROW, "alpha_name": ""}, "alpha_name", "required"),
        ({**SMS_ROW, "text": "ї" * 336}, "text", "segments"),
        ({"channel": "push", "text": "Hi"}, "title", "required"),
        ({"channel": "viber"}, "__all__", "empty"),
        ({"channel": "whatsapp", "latitude": "50.4"}, "latitude", "Longitude"),
        ({"channel": "", "text": "Hi"}, "channel", "required"),
    ],
)
def test_a_mistake_is_shown_beside_its_field(admin_client, campaign_form, row, field, error):
    good = VIBER if row["channel"] == "whatsapp" else {"channel": "whatsapp", "text": "Hi"}

    response = admin_client.post(ADD, campaign_form(good, row))

    assert response.status_code == 200
    assert errors_of(response, 0) == {}
    assert list(errors_of(response, 1)) == [field]
    assert error in str(errors_of(response, 1)[field])
    assert not Campaign.objects.exists()


def test_mistakes_in_fields_of_other_channels_do_not_matter(admin_client, campaign_form):
    admin_client.post(ADD, campaign_form({**SMS_ROW, "file_size": "big", "device": "watch"}))

    assert set(Campaign.objects.get().channels.get().options) == {"text", "alpha_name", "ttl"}


def test_a_channel_cannot_be_used_twice(admin_client, campaign_form):
    response = admin_client.post(ADD, campaign_form(VIBER, {**VIBER, "position": "2"}))

    assert "each channel is tried once" in str(errors_of(response, 1)["channel"])


def test_doubts_do_not_forbid_saving_and_are_told(admin_client, campaign_form):
    response = admin_client.post(
        ADD, campaign_form({**VIBER, "ttl": "45", "position": "2"}, {**SMS_ROW, "position": "1"})
    )

    assert response.status_code == 302
    page = admin_client.get(response["Location"]).content.decode()
    assert "SMS should be the last channel." in page
    assert "Below 60 seconds" in page


def test_a_start_time_in_the_past_is_doubted(admin_client, campaign_form):
    yesterday = timezone.localtime() - timedelta(days=1)

    response = admin_client.post(
        ADD, campaign_form(VIBER, start_time_0=f"{yesterday:%Y-%m-%d}", start_time_1="10:00:00"), follow=True
    )

    assert "The start time is in the past." in response.content.decode()


def test_unknown_options_survive_an_edit(admin_client, campaign_form, draft):
    viber, sms = draft.channels.all()
    viber.options["ios_expirity_text"] = "Too late"
    viber.save()

    admin_client.post(change_url(draft), campaign_form(row_of(viber, text="Hello"), row_of(sms), initial=2))

    viber.refresh_from_db()
    assert viber.options == {"text": "Hello", "ttl": 60, "ios_expirity_text": "Too late"}


def test_an_emptied_field_is_forgotten(admin_client, campaign_form, draft):
    viber, sms = draft.channels.all()
    viber.options["alpha_name"] = "Shop"
    viber.save()

    admin_client.post(change_url(draft), campaign_form(row_of(viber, alpha_name=""), row_of(sms), initial=2))

    viber.refresh_from_db()
    assert "alpha_name" not in viber.options


def test_a_channel_can_be_removed_and_added_anew_at_once(admin_client, campaign_form, draft):
    viber, sms = draft.channels.all()

    response = admin_client.post(
        change_url(draft),
        campaign_form(row_of(viber, DELETE="on"), row_of(sms), {**VIBER, "text": "New"}, initial=2),
    )

    assert response.status_code == 302
    assert draft.channels.get(channel="viber").options["text"] == "New"


def test_channels_can_change_places(admin_client, campaign_form, draft):
    viber, sms = draft.channels.all()

    admin_client.post(change_url(draft), campaign_form(row_of(viber, position=2), row_of(sms, position=1), initial=2))

    assert [channel.channel for channel in draft.channels.all()] == ["sms", "viber"]


def test_every_option_has_a_field_with_its_limits(admin_client):
    page = admin_client.get(ADD).content.decode()

    for name, channel in CHANNELS.items():
        for rule in field_rules(channel):
            if (name, rule.name) != ("whatsapp", "ttl"):
                field = re.search(rf'<(?:input|textarea|select)[^>]* name="channels-0-{rule.name}"[^>]*>', page)
                assert name in re.search(r'data-channels="([^"]*)"', field[0])[1].split()
    assert "Up to 1000 characters" in page
    assert "40 to 86400 seconds" in page


def test_accounts_are_chosen_from_the_setting(admin_client, campaign_form, settings):
    settings.HYBER = {"default": {}, "loyalty": {}}
    page = admin_client.get(ADD).content.decode()
    assert '<option value="loyalty">loyalty</option>' in page

    admin_client.post(ADD, campaign_form(VIBER, account="loyalty"))
    assert Campaign.objects.get().account == "loyalty"

    response = admin_client.post(ADD, campaign_form(VIBER, account="other"))
    assert "account" in response.context["adminform"].form.errors


def test_the_pages_run_no_inline_code(admin_client, draft, add_recipients):
    add_recipients(draft, 1)
    pages = (ADD, change_url(draft), f"{change_url(draft)[:-7]}import/", f"{change_url(draft)[:-7]}preflight/")
    for url in pages:
        page = admin_client.get(url).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=", page), url


def test_texts_are_escaped(admin_client, draft, add_recipients):
    attack = "<script>alert(1)</script>"
    draft.name = attack
    draft.save()
    draft.set_channels([Viber(text=attack, ttl=60)])
    add_recipients(draft, 1, variables={"name": attack})
    for status in ("draft", "sending"):
        Campaign.objects.update(status=status, status_reason=attack)
        for suffix in ("change/", "preflight/", "import/"):
            page = admin_client.get(change_url(draft).replace("change/", suffix), follow=True).content.decode()
            assert "alert(1)" in page
            assert attack not in page
    for url in ("/admin/django_hyber/campaign/", f"/admin/django_hyber/message/{draft.messages.get().pk}/change/"):
        assert attack not in admin_client.get(url).content.decode()
