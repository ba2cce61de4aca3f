"""Two-person approval: whoever has worked on a campaign, in whatever way, does not launch it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.test import Client

from django_hyber.audience.files.file_type import ReadOptions
from django_hyber.audience.removal_jobs import confirm_removal, keep_pasted_removal
from django_hyber.audience.uploads import read_again
from django_hyber.models import Campaign, Contributor, Message
from django_hyber.services import CampaignError, confirm_upload, keep_upload, start_campaign
from tests.admin.pages import button_of, confirm, seen_on, text_of, url_of
from tests.builders import make_campaign
from tests.samples import phone

pytestmark = pytest.mark.django_db
PEOPLE = b"phone\n380671234567\n"
BARRED = "You have worked on this campaign"


@pytest.fixture(autouse=True)
def four_eyes(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.HYBER = {"default": {**settings.HYBER["default"], "FOUR_EYES": True}}


@pytest.fixture
def colleague(django_user_model):
    """A function that returns the browser of somebody who may do everything."""

    def colleague(name):
        user, _ = django_user_model.objects.get_or_create(username=name, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(content_type__app_label="django_hyber"))
        browser = Client()
        browser.force_login(user)
        browser.user = user
        return browser

    return colleague


@pytest.fixture
def campaign(draft, add_recipients, colleague):
    """A campaign that Olena has written."""
    add_recipients(draft, 1)
    Campaign.objects.update(author=colleague("olena").user)
    draft.refresh_from_db()
    return draft


def rows_of(campaign):
    return [
        {"id": row.pk, "campaign": campaign.pk, "position": row.position, **row.options}
        for row in campaign.channels.all()
    ]


def save(browser, campaign, campaign_form, text="", **fields):
    rows = [row | ({"text": text} if text else {}) for row in rows_of(campaign)]
    response = browser.post(url_of(campaign, "change"), campaign_form(*rows, initial=len(rows), **fields))
    assert response.status_code == 302


def status_of(campaign):
    campaign.refresh_from_db()
    return campaign.status


def is_barred(browser, campaign):
    """Whether the page has no button and the service refuses; otherwise, both launch."""
    page = browser.get(url_of(campaign))
    is_told = BARRED in text_of(page)
    assert (button_of(page) is None) == is_told
    if is_told:
        with pytest.raises(CampaignError, match=BARRED):
            start_campaign(Campaign.objects.get(pk=campaign.pk), user=browser.user)
    else:
        confirm(browser, campaign)
    assert status_of(campaign) == ("draft" if is_told else "sending")
    return is_told


@pytest.mark.parametrize(
    "fields",
    [{"name": "Other"}, {"tag": "t"}, {"division_code": "d"}, {"missing_variables": "skip"}],
    ids=lambda fields: next(iter(fields)),
)
def test_whoever_changes_a_field_is_barred(colleague, campaign, campaign_form, fields):
    ivan = colleague("ivan")
    save(ivan, campaign, campaign_form, **fields)

    assert is_barred(ivan, campaign)


def test_whoever_changes_a_text_is_barred(colleague, campaign, campaign_form):
    ivan = colleague("ivan")
    save(ivan, campaign, campaign_form, text="Come")

    assert is_barred(ivan, campaign)


def test_the_first_author_stays_barred_when_another_changes_it(colleague, campaign_form):
    olena, ivan = colleague("olena"), colleague("ivan")
    channel = {"channel": "viber", "position": 0, "text": "Hi", "ttl": 60}
    olena.post("/admin/django_hyber/campaign/add/", campaign_form(channel))
    campaign = Campaign.objects.get()
    Message.objects.create(campaign=campaign, phone_number=phone(1), extra_id="1")
    save(ivan, campaign, campaign_form, text="Come")

    assert is_barred(olena, campaign)
    assert is_barred(ivan, campaign)
    assert not is_barred(colleague("maria"), campaign)


def test_whoever_only_sets_when_it_goes_may_launch(colleague, campaign, campaign_form):
    ivan = colleague("ivan")
    window = {"window_start": "09:00", "window_end": "20:00"}
    save(ivan, campaign, campaign_form, throttle="100", missing_variables="refuse", **window)
    campaign.refresh_from_db()

    assert campaign.throttle == 100
    assert not is_barred(ivan, campaign)


def test_whoever_imports_recipients_is_barred(colleague, campaign):
    ivan = colleague("ivan")
    page = ivan.post(url_of(campaign, "import"), {"file": ContentFile(PEOPLE, name="people.csv")})
    ivan.post(page.url, {"use-0": "phone", "name-0": ""})

    assert is_barred(ivan, campaign)


def test_whoever_uploads_and_whoever_confirms_are_both_barred(colleague, campaign):
    ivan, maria = colleague("ivan"), colleague("maria")
    page = ivan.post(url_of(campaign, "import"), {"file": ContentFile(PEOPLE, name="people.csv")})
    maria.post(page.url, {"use-0": "phone", "name-0": ""})

    assert is_barred(ivan, campaign)
    assert is_barred(maria, campaign)


def test_a_discarded_upload_bars_nobody(colleague, campaign):
    ivan = colleague("ivan")
    page = ivan.post(url_of(campaign, "import"), {"file": ContentFile(PEOPLE, name="people.csv")})
    ivan.post(f"{page.url}discard/")

    assert not is_barred(ivan, campaign)


def test_a_copy_bars_its_maker_and_whoever_worked_on_the_original(colleague, campaign, campaign_form):
    olena, ivan, maria = (colleague(name) for name in ("olena", "ivan", "maria"))
    save(ivan, campaign, campaign_form, text="Come")
    maria.post(url_of(campaign, "copy"), {"name": "Copy", "audience": "everybody"})
    copy = Campaign.objects.get(name="Copy")

    assert [is_barred(browser, copy) for browser in (olena, ivan, maria)] == [True, True, True]
    assert not is_barred(colleague("petro"), copy)


def test_the_author_of_the_original_is_barred_from_its_copy(colleague, campaign):
    maria = colleague("maria")
    maria.post(url_of(campaign, "copy"), {"name": "Copy", "audience": "everybody"})

    assert is_barred(colleague("olena"), Campaign.objects.get(name="Copy"))


def test_where_no_contributor_is_known_nobody_launches(colleague, campaign):
    Campaign.objects.update(author=None)
    ivan = colleague("ivan")
    seen = seen_on(ivan.get(url_of(campaign)))

    assert seen == {}
    assert "It is unknown who wrote this campaign" in text_of(ivan.get(url_of(campaign)))
    with pytest.raises(CampaignError, match="It is unknown who"):
        start_campaign(campaign, user=ivan.user)


def test_a_contributor_stays_one_after_the_account_is_deleted(colleague, campaign, campaign_form):
    ivan = colleague("ivan")
    save(ivan, campaign, campaign_form, text="Come")
    Campaign.objects.update(author=None)
    ivan.user.delete()

    assert Contributor.objects.count() == 2
    assert not is_barred(colleague("maria"), campaign)


def test_what_was_approved_is_what_starts(colleague, campaign, campaign_form):
    olena, maria = colleague("olena"), colleague("maria")
    seen = seen_on(maria.get(url_of(campaign)))
    save(olena, campaign, campaign_form, text="Another text")

    answer = maria.post(url_of(campaign), seen, follow=True)

    assert "have changed since you opened the page" in text_of(answer)
    assert status_of(campaign) == "draft"


def test_recipients_that_come_after_the_approval_are_not_sent_to(colleague, campaign, add_recipients):
    maria = colleague("maria")
    seen = seen_on(maria.get(url_of(campaign)))
    add_recipients(campaign, 1)
    maria.post(url_of(campaign), seen)

    assert status_of(campaign) == "draft"


def test_code_without_a_user_is_outside_of_it(campaign, platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"FOUR_EYES": True}}
    start_campaign(campaign)

    assert campaign.status == "sending"


def test_code_may_name_who_confirms_an_upload(django_user_model):
    campaign = make_campaign([])
    job = keep_upload(campaign, None, ContentFile(PEOPLE, name="people.csv"))
    user = django_user_model.objects.create_user("ivan")
    confirm_upload(job, {}, at_once=True, user=user)

    assert Contributor.objects.get().user_key == str(user.pk)


def test_whose_list_is_removed_and_who_confirms_it_have_contributed(django_user_model):
    campaign = make_campaign([phone(1), phone(2)])
    olena, ivan = (django_user_model.objects.create_user(name) for name in ("olena", "ivan"))
    confirm_removal(keep_pasted_removal(campaign, olena, f"+{phone(1)}"), ivan)

    assert {item.user_key for item in Contributor.objects.all()} == {str(olena.pk), str(ivan.pk)}


def test_who_chooses_how_a_file_is_read_has_contributed(django_user_model):
    campaign = make_campaign([])
    job = keep_upload(campaign, None, ContentFile(PEOPLE, name="people.csv"))
    user = django_user_model.objects.create_user("ivan")
    read_again(job, ReadOptions(separator=";"), user)

    assert Contributor.objects.get().user_key == str(user.pk)


def test_without_the_setting_the_author_launches(colleague, campaign, settings):
    settings.HYBER = {"default": {**settings.HYBER["default"], "FOUR_EYES": False}}
    confirm(colleague("olena"), campaign)

    assert status_of(campaign) == "sending"
