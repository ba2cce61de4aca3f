"""The work of a marketing colleague, by mouse and keyboard: write, import, send, follow."""

from __future__ import annotations

import re

import pytest
from django.conf import settings

from django_hyber.models import Campaign, Contributor, Message, Template
from django_hyber.protocol import SMS, Viber

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RECIPIENTS = 30


@pytest.fixture
def recipients(tmp_path):
    """30 good numbers, one of them twice, and a bad one."""
    rows = [f"38067{number:05}{number % 50:02},Name {number}" for number in range(RECIPIENTS)]
    path = tmp_path / "recipients.csv"
    path.write_text("\n".join(["phone,name", *rows, rows[0], "12345,Ivan"]), encoding="utf-8")
    return path


def log_in(page):
    page.goto("/admin/login/?next=/admin/django_hyber/campaign/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", "password")
    page.click("input[type=submit]")


def add_channel(page, number, channel, **options):
    page.get_by_role("button", name="Add another Channel").click()
    page.select_option(f"#id_channels-{number}-channel", channel)
    for name, value in options.items():
        page.fill(f"#id_channels-{number}-{name}", value)


def visible_options(page, number):
    """The names of the option fields that are shown in a row of the form."""
    inputs = page.locator(f"#channels-{number} [data-channels]:is(input, select, textarea):visible")
    return [name.split("-")[-1] for name in inputs.evaluate_all("all => all.map(one => one.name)")]


def write_campaign(page):
    page.get_by_role("link", name="Add campaign").click()
    page.fill("#id_name", "Spring sale")
    page.select_option("#id_channels-0-channel", "sms")
    assert visible_options(page, 0) == ["text", "alpha_name", "ttl", "ctr"]
    page.fill("#id_channels-0-text", "Hi %name%, -20 % until Sunday")
    page.fill("#id_channels-0-alpha_name", "Shop")
    add_channel(page, 1, "viber", text="Hi %name%! *-20 %* until Sunday", ttl="60", caption="Choose")
    assert "title" not in visible_options(page, 1)
    page.fill("#id_channels-1-action", "https://shop.example/spring")
    page.get_by_role("button", name="Move up: Viber").press("Enter")
    page.get_by_role("button", name="Save and continue editing").click()
    page.get_by_text("was added successfully").wait_for()


def import_recipients(page, path):
    page.get_by_role("link", name="Import recipients").click()
    page.set_input_files("#id_file", path)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("Why rows were rejected").wait_for()
    assert page.locator("[data-count=accepted] b").inner_text() == str(RECIPIENTS)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the rejected rows").click()
    assert "12345" in download.value.path().read_text(encoding="utf-8-sig")


def send_from_list(page):
    page.goto("/admin/django_hyber/campaign/")
    page.get_by_role("checkbox", name=re.compile("Select this object")).check()
    page.select_option("select[name=action]", "send_selected")
    page.get_by_role("button", name=re.compile("Go|Run")).click()
    page.get_by_role("button", name=f"Send to {RECIPIENTS} people").click()
    page.get_by_text(f"Sending to {RECIPIENTS} people started.").wait_for()


def test_a_campaign_from_the_first_word_to_the_last_report(wired, open_page, admin_user, recipients, complaints):
    page = open_page()
    log_in(page)
    write_campaign(page)
    assert [channel.name for channel in Campaign.objects.get().get_channels()] == ["viber", "sms"]
    import_recipients(page, recipients)
    send_from_list(page)

    page.locator(f"[data-delivered='{RECIPIENTS}']").wait_for()
    assert page.get_by_role("link", name="Import recipients").count() == 0
    page.get_by_role("link", name="Messages of this campaign").click()
    page.get_by_text(f"Found: {RECIPIENTS}").first.wait_for()
    assert page.locator("#result_list tbody tr").count() == RECIPIENTS
    page.locator("#result_list tbody tr").last.get_by_role("link").first.click()
    page.get_by_role("cell", name="delivered: Viber message delivered").wait_for()
    page.locator(".hyber-history").get_by_text("JSON", exact=True).click()

    assert set(Message.objects.values_list("status", "channel")) == {("delivered", "viber")}
    assert complaints == []


def test_rows_survive_moving_and_removing(open_admin, complaints):
    campaign = Campaign.objects.create(name="Spring sale")
    rows = (("viber", {"text": "Hi", "ttl": 60}), ("sms", {"text": "Hi", "ttl": 300, "alpha_name": "Shop"}))
    for position, (channel, options) in enumerate(rows):
        campaign.channels.create(position=position, channel=channel, options=options)
    page = open_admin()
    page.goto(f"/admin/django_hyber/campaign/{campaign.pk}/change/")

    page.select_option("#id_channels-2-channel", "push")
    add_channel(page, 3, "whatsapp", text="Hello")
    page.get_by_role("button", name="Move up: WhatsApp").click()
    page.get_by_role("button", name="Move up: WhatsApp").click()
    page.get_by_role("button", name="Move up: WhatsApp").click()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Move down: WhatsApp"
    page.locator("#channels-2 .inline-deletelink").click()
    page.get_by_role("button", name="Save and continue editing").click()
    page.get_by_text("was changed successfully").wait_for()

    assert [(row.channel, row.options["text"]) for row in campaign.channels.all()] == [
        ("whatsapp", "Hello"),
        ("viber", "Hi"),
        ("sms", "Hi"),
    ]
    assert complaints == []


def test_the_form_works_without_javascript(open_admin):
    page = open_admin(java_script_enabled=False)
    page.goto("/admin/django_hyber/campaign/add/")

    page.fill("#id_name", "Spring sale")
    page.select_option("#id_channels-0-channel", "viber")
    page.fill("#id_channels-0-text", "Hi")
    assert page.locator("#id_channels-0-position").is_visible()
    page.get_by_role("button", name="Save and continue editing").click()
    page.get_by_text("was added successfully").wait_for()

    assert Campaign.objects.get().channels.get().options == {"text": "Hi", "ttl": 3_600}
    assert page.locator("#id_channels-1-channel").is_visible()


def test_saving_what_somebody_else_wrote_without_a_change_makes_nobody_a_contributor(open_admin, complaints):
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([Viber(text="Hi", ttl=60), SMS(text="Hi", ttl=300, alpha_name="Shop")])
    positions = list(campaign.channels.values_list("position", flat=True))
    page = open_admin()
    page.goto(f"/admin/django_hyber/campaign/{campaign.pk}/change/")
    page.get_by_role("button", name="Save and continue editing").click()
    page.get_by_text("was changed successfully").wait_for()

    assert list(campaign.channels.values_list("position", flat=True)) == positions
    assert not Contributor.objects.exists()
    assert complaints == []


def test_leaving_unsaved_changes_is_asked_about(open_admin):
    campaign = Campaign.objects.create(name="Spring sale")
    page = open_admin()
    questions = []
    page.on("dialog", lambda dialog: (questions.append(dialog.type), dialog.accept()))
    address = f"/admin/django_hyber/campaign/{campaign.pk}/change/"
    page.goto(address)
    page.get_by_role("link", name="Import recipients").click()
    page.get_by_label("File").wait_for()
    assert questions == []

    page.goto(address)
    page.fill("#id_name", "Summer sale")
    page.get_by_role("link", name="Import recipients").click()
    page.get_by_label("File").wait_for()
    assert questions == ["beforeunload"]

    page.goto(address)
    page.fill("#id_name", "Summer sale")
    page.get_by_role("button", name="Save and continue editing").click()
    page.get_by_text("was changed successfully").wait_for()
    assert questions == ["beforeunload"]


def test_leaving_an_unsaved_text_of_a_template_is_asked_about(open_admin):
    template = Template.objects.create(code="order-shipped", name="Order shipped", language="en")
    variant = template.set_channels([SMS(text="Shipped", alpha_name="Shop", ttl=300)])
    page = open_admin()
    questions = []
    page.on("dialog", lambda dialog: (questions.append(dialog.type), dialog.accept()))
    page.goto(f"/admin/django_hyber/templatevariant/{variant.pk}/change/")
    page.fill("#id_channels-0-text", "Sent")
    page.goto("/admin/")

    assert questions == ["beforeunload"]


def test_second_of_two_tabs_sees_what_the_first_has_saved(open_admin, complaints):
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.channels.create(channel="viber", options={"text": "Hi", "ttl": 60})
    address = f"/admin/django_hyber/campaign/{campaign.pk}/change/"
    second = open_admin()
    second.goto(address)
    first = second.context.new_page()
    first.goto(address)
    first.fill("#id_channels-0-text", "Hi from the first tab")
    first.get_by_role("button", name="Save and continue editing").click()
    first.get_by_text("was changed successfully").wait_for()
    first.close()

    second.fill("#id_channels-0-text", "Hi from the second tab")
    second.get_by_role("button", name="Save and continue editing").click()
    row = second.get_by_role("row", name=re.compile("Viber: Text"))
    row.wait_for()
    assert row.get_by_role("cell").all_inner_texts() == ["Hi from the first tab", "Hi from the second tab"]
    assert campaign.channels.get().options["text"] == "Hi from the first tab"
    second.get_by_role("button", name="Save and continue editing").click()
    second.get_by_text("was changed successfully").wait_for()

    assert campaign.channels.get().options["text"] == "Hi from the second tab"
    assert complaints == []


def test_the_note_about_the_clock_of_the_server_stands_once(find_page, live_server, admin_user, client):
    """The reader's clock is not the server's: that matters for the start, and not for the hours of the recipients."""
    page = find_page(locale="en-US", timezone_id="America/New_York")
    client.force_login(admin_user)
    name = settings.SESSION_COOKIE_NAME
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])

    page.goto("/admin/django_hyber/campaign/add/")

    page.locator(".field-start_time .timezonewarning").first.wait_for()
    visible = page.locator(".timezonewarning:visible")
    assert visible.count() == 1
    page.goto("about:blank")
    page.context.clear_cookies()
