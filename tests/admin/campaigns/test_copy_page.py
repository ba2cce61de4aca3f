from __future__ import annotations

import html
import re
from datetime import time

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.urls import reverse
from django.utils import timezone

from django_hyber.campaigns.copy import (
    CopyAudience,
    audience_of,
    copy_once,
    count_audiences,
    name_of_copy,
)
from django_hyber.models import Campaign, Message
from tests.queries import statements_of

Status = Message.Status
FORM_KEY = re.compile(r'name="form_key" value="([0-9a-f]{32})"')


def url_of(campaign, page="copy"):
    return reverse(f"admin:django_hyber_campaign_{page}", args=[campaign.pk])


def question(client, campaign):
    """What the form holds when it has just been opened."""
    page = client.get(url_of(campaign)).content.decode()
    return {"name": "Spring sale (copy)", "audience": "nobody", "form_key": FORM_KEY.search(page)[1]}


def copies(campaign):
    return Campaign.objects.exclude(pk=campaign.pk).order_by("pk")


def phones(campaign):
    return set(campaign.messages.values_list("phone_number", flat=True))


@pytest.fixture
def sent(draft, add_recipients):
    """Two of each end, and two whose number has been purged."""
    for status in Status.values:
        add_recipients(draft, 2, status=status, variables={"name": f"of {status}"}, attempts=3, error_code=7)
    purged = add_recipients(draft, 1, status=Status.EXPIRED) + add_recipients(draft, 1, status=Status.DELIVERED)
    for message in purged:
        Message.objects.filter(pk=message.pk).update(phone_number=None, variables={})
    Campaign.objects.filter(pk=draft.pk).update(
        status="finished",
        run=3,
        tag="spring",
        division_code="shop",
        throttle=60,
        window_start=time(9),
        window_end=time(21),
        missing_variables="default",
        variable_defaults={"name": "friend"},
        start_time=timezone.now(),
        launched_at=timezone.now(),
        finished_at=timezone.now(),
        status_reason="over",
    )
    draft.refresh_from_db()
    return draft


class FormTests:
    def test_it_offers_whose_numbers_can_go_along_and_how_many_they_are(self, admin_client, sent):
        page = " ".join(re.sub(r"<[^>]+>", " ", admin_client.get(url_of(sent)).content.decode()).split())

        assert "none: only the texts and settings" in page
        for audience, text in (
            (CopyAudience.EVERYBODY, "all"),
            (CopyAudience.FAILED, "only those whose message failed"),
            (CopyAudience.NOT_SEEN, "only those who have not seen it"),
        ):
            assert f"{text} ({audience_of(sent, audience).count()} recipients" in page

    def test_a_campaign_that_nobody_failed_in_offers_no_failures(self, admin_client, draft, add_recipients):
        add_recipients(draft, 1, status=Status.SEEN)

        page = admin_client.get(url_of(draft)).content.decode()

        assert 'value="everybody"' in page
        assert "all (1 recipient)" in page
        assert 'value="failed"' not in page
        assert 'value="not-seen"' not in page

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"name": ""}, "This field is required."),
            ({"name": "x" * 201}, "at most 200 characters"),
            ({"audience": "seen"}, "Select a valid choice"),
            ({"form_key": "x" * 33}, "at most 32 characters"),
        ],
    )
    def test_a_wrong_answer_is_told_and_copies_nothing(self, admin_client, sent, changes, error):
        response = admin_client.post(url_of(sent), {**question(admin_client, sent), **changes})

        assert error in html.unescape(response.content.decode())
        assert not copies(sent).exists()

    def test_a_look_copies_nothing(self, admin_client, sent):
        admin_client.get(url_of(sent))

        assert not copies(sent).exists()
        assert not LogEntry.objects.exists()


class CopyTests:
    def test_texts_and_settings_are_those_of_the_original_without_its_history(self, admin_client, sent, admin_user):
        response = admin_client.post(url_of(sent), question(admin_client, sent), follow=True)

        (copy,) = copies(sent)
        assert response.redirect_chain[-1][0] == url_of(copy, "change")
        assert "This is the copy of “Spring sale”." in response.content.decode()
        assert (copy.name, copy.status, copy.run, copy.author) == ("Spring sale (copy)", "draft", 0, admin_user)
        assert (copy.start_time, copy.launched_at, copy.finished_at, copy.status_reason) == (None, None, None, "")
        for name in Campaign.SETTINGS:
            assert getattr(copy, name) == getattr(sent, name), name
        assert copy.get_channels() == sent.get_channels()
        assert not copy.messages.exists()

    @pytest.mark.parametrize(
        ("audience", "wanted"),
        [
            ("everybody", set(Status.values)),
            ("failed", {"expired", "undelivered", "rejected"}),
            ("not-seen", set(Status.values) - {"seen", "suppressed"}),
        ],
    )
    def test_the_chosen_recipients_go_along_as_new_ones(self, admin_client, sent, audience, wanted):
        admin_client.post(url_of(sent), {**question(admin_client, sent), "audience": audience})

        (copy,) = copies(sent)
        originals = sent.messages.not_purged().filter(status__in=wanted)
        assert dict(copy.messages.values_list("phone_number", "variables")) == dict(
            originals.values_list("phone_number", "variables")
        )
        states = set(copy.messages.values_list("status", "channel", "attempts", "error_code", "account"))
        assert states == {("queued", "", 0, None, "default")}
        extra_ids = list(Message.objects.values_list("extra_id", flat=True))
        assert len(extra_ids) == len(set(extra_ids))
        assert max(map(len, extra_ids)) <= 64

    def test_people_who_clicked_have_seen_it(self, admin_client, draft, add_recipients):
        add_recipients(draft, 2, status=Status.DELIVERED, channel="viber", clicks=1)
        (unseen,) = add_recipients(draft, 1, status=Status.DELIVERED, channel="viber", clicks=0)
        Campaign.objects.update(status="finished", run=1, launched_at=timezone.now())
        admin_client.post(url_of(draft), {**question(admin_client, draft), "audience": "not-seen"})

        (copy,) = copies(draft)
        assert phones(copy) == {unseen.phone_number}
        assert count_audiences(draft).sizes[CopyAudience.NOT_SEEN] == 1

    def test_people_of_a_channel_that_reports_no_seen_are_named(self, admin_client, draft, add_recipients, settings):
        settings.HYBER = {"default": settings.HYBER["default"] | {"SEEN_CODES": [23099]}}
        add_recipients(draft, 3, status=Status.DELIVERED, channel="sms")
        add_recipients(draft, 2, status=Status.DELIVERED, channel="viber")
        page = html.unescape(admin_client.get(url_of(draft)).content.decode())

        assert "only those who have not seen it (5 recipients; 3 of them got it by channels that do not report" in page

    def test_the_numbers_promised_are_those_copied(self, sent):
        sizes = count_audiences(sent).sizes

        for audience in CopyAudience:
            assert sizes[audience] == audience_of(sent, audience).count(), audience

    def test_a_double_click_makes_one_copy(self, admin_client, sent):
        answer = {**question(admin_client, sent), "audience": "everybody"}
        admin_client.post(url_of(sent), answer)
        response = admin_client.post(url_of(sent), answer, follow=True)

        (copy,) = copies(sent)
        assert "has already been duplicated: this is the copy." in response.content.decode()
        assert response.redirect_chain[-1][0] == url_of(copy, "change")
        assert LogEntry.objects.count() == 2

    def test_what_was_changed_before_the_second_click_makes_no_other_copy(self, admin_client, sent):
        answer = question(admin_client, sent)
        admin_client.post(url_of(sent), answer)
        response = admin_client.post(url_of(sent), {**answer, "name": "Summer sale"}, follow=True)

        (copy,) = copies(sent)
        assert copy.name == "Spring sale (copy)"
        assert response.redirect_chain[-1][0] == url_of(copy, "change")

    def test_a_second_copy_may_be_wanted(self, admin_client, sent):
        for _ in range(2):
            admin_client.post(url_of(sent), question(admin_client, sent))

        assert [copy.name for copy in copies(sent)] == ["Spring sale (copy)"] * 2

    def test_both_campaigns_remember_it(self, admin_client, sent):
        admin_client.post(url_of(sent), question(admin_client, sent))

        (copy,) = copies(sent)
        told = {(entry.object_id, entry.action_flag, entry.get_change_message()) for entry in LogEntry.objects.all()}
        assert told == {
            (str(copy.pk), ADDITION, "Duplicated from “Spring sale”."),
            (str(sent.pk), CHANGE, "Duplicated as “Spring sale (copy)”."),
        }

    def test_a_name_that_is_full_already_is_cut(self, draft):
        draft.name = "x" * 200

        assert name_of_copy(draft) == "x" * 193 + " (copy)"

    def test_it_takes_the_same_statements_for_any_number_of_recipients(self, draft, add_recipients):
        used = []
        for count in (2, 50):
            add_recipients(draft, count)
            answer = {"name": f"{count}", "audience": CopyAudience.EVERYBODY, "user": None, "form_key": f"{count}"}
            used.append(len(statements_of(copy_once, draft, **answer)))

        assert used[0] == used[1]


class PermissionTests:
    def test_it_takes_the_permission_to_add_campaigns(self, client, sent, log_in):
        log_in("view_campaign", "change_campaign", "send_campaign")

        assert url_of(sent) not in client.get(url_of(sent, "change")).content.decode()
        assert client.get(url_of(sent)).status_code == 403
        assert client.post(url_of(sent), {"name": "Mine", "audience": "nobody"}).status_code == 403
        assert not copies(sent).exists()

    def test_it_takes_to_see_the_original(self, client, sent, log_in):
        log_in("add_campaign")

        assert client.get(url_of(sent)).status_code == 403

    def test_whoever_may_not_see_numbers_may_copy_them(self, client, sent, log_in):
        log_in("view_campaign", "add_campaign")

        client.post(url_of(sent), {**question(client, sent), "audience": "failed"})

        (copy,) = copies(sent)
        assert phones(copy) <= phones(sent)
        assert not any("•" in number or "*" in number for number in phones(copy))
