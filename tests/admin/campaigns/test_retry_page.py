"""Sending failed messages again: the reasons are chosen, the number of people is confirmed, once is once."""

from __future__ import annotations

import html
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from django_hyber.campaigns import retry
from django_hyber.models import BackgroundJob, Campaign, Message, Suppression
from django_hyber.statistics.failures import failure_reasons
from django_hyber.tasks import run_job

Status = Message.Status
REASON = re.compile(r'name="reason" value="([^"]*)"( checked)?>\s*(.*?)</label>', re.DOTALL)
EXPIRED, UNDELIVERED, REJECTED = "expired:", "undelivered:36", "rejected:36024"


def url_of(campaign, page="retry"):
    return reverse(f"admin:django_hyber_campaign_{page}", args=[campaign.pk])


def reasons_on(page):
    """The reasons that a page offers: whether each is chosen, and what is said about it."""
    return {key: (bool(checked), " ".join(html.unescape(text).split())) for key, checked, text in REASON.findall(page)}


def confirmed(campaign, *reasons):
    return {"reason": list(reasons), "confirmed": "yes", "run": str(campaign.run)}


def told(response):
    return [str(message) for message in response.context["messages"]]


def opt_out(messages):
    """Let the first of these people opt out."""
    Suppression.objects.create(phone_number=messages.order_by("pk").first().phone_number)


def counted(campaign):
    rows = campaign.messages.values_list("status", flat=True)
    return {status: list(rows).count(status) for status in set(rows)}


@pytest.fixture
def finished(draft, add_recipients):
    """Failures of four kinds, beside what arrived, what was left out and what has no number any more."""
    add_recipients(draft, 3, status=Status.EXPIRED)
    add_recipients(draft, 2, status=Status.UNDELIVERED, error_code=36)
    add_recipients(draft, 2, status=Status.UNDELIVERED, error_text="Absent subscriber")
    add_recipients(draft, 1, status=Status.REJECTED, error_code=36024)
    add_recipients(draft, 2, status=Status.DELIVERED, channel="viber")
    add_recipients(draft, 1, status=Status.SUPPRESSED)
    (purged,) = add_recipients(draft, 1, status=Status.EXPIRED)
    Message.objects.filter(pk=purged.pk).update(phone_number=None)
    Campaign.objects.filter(pk=draft.pk).update(status="finished", run=1)
    draft.refresh_from_db()
    return draft


class ChoiceTests:
    def test_the_page_offers_every_reason_with_its_number(self, admin_client, finished):
        assert url_of(finished) in admin_client.get(url_of(finished, "change")).content.decode()

        found = reasons_on(admin_client.get(url_of(finished)).content.decode())

        assert {*found} == {EXPIRED, "undelivered:", "undelivered:36", REJECTED}
        assert found[EXPIRED][1] == "no reason given, expired: 3 recipients"
        assert found["undelivered:"][1] == "Absent subscriber, undelivered: 2 recipients"
        assert found[REJECTED][1] == "Phone number incorrect (36024), rejected: 1 recipient"

    def test_what_cannot_succeed_is_not_chosen_beforehand(self, admin_client, finished):
        page = admin_client.get(url_of(finished)).content.decode()

        found = reasons_on(page)
        assert {key for key, (chosen, _) in found.items() if not chosen} == {REJECTED}
        assert page.count("Another attempt would fail for the same reason.") == 1

    def test_a_number_in_a_text_is_masked_for_whoever_may_not_see_it(self, client, finished, log_in):
        finished.messages.filter(error_text="Absent subscriber").update(error_text="380671112233 is absent")
        log_in("view_campaign", "send_campaign")

        page = client.get(url_of(finished)).content.decode()

        assert "is absent" in page
        assert "380671112233" not in page

    def test_nothing_chosen_is_asked_again(self, admin_client, finished):
        page = admin_client.post(url_of(finished), {}).content.decode()

        assert "Choose at least one reason." in page
        assert not any(chosen for chosen, _ in reasons_on(page).values())
        assert counted(finished)["expired"] == 4

    @pytest.mark.parametrize("reason", ["seen:", "expired:1", "nonsense", "delivered:"])
    def test_a_reason_that_nobody_failed_for_is_none(self, admin_client, finished, reason):
        page = admin_client.post(url_of(finished), confirmed(finished, reason)).content.decode()

        assert "Choose at least one reason." in page
        assert counted(finished)["expired"] == 4

    def test_without_failures_there_is_nothing_to_choose(self, admin_client, draft, add_recipients):
        add_recipients(draft, 1, status=Status.DELIVERED)
        Campaign.objects.update(status="finished", run=1)

        assert url_of(draft) not in admin_client.get(url_of(draft, "change")).content.decode()
        assert "No message of this campaign can be sent again." in admin_client.get(url_of(draft)).content.decode()

    @pytest.mark.parametrize("status", ["draft", "scheduled", "sending", "paused", "cancelled"])
    def test_only_a_finished_campaign_is_sent_again(self, admin_client, finished, status):
        Campaign.objects.update(status=status)

        for response in (
            admin_client.get(url_of(finished), follow=True),
            admin_client.post(url_of(finished), confirmed(finished, EXPIRED), follow=True),
        ):
            assert told(response) == [f"Not possible now: the campaign is {status}."]
        assert counted(finished)["expired"] == 4


class ConfirmationTests:
    def test_it_names_the_number_of_people(self, admin_client, finished):
        opt_out(finished.messages.filter(status="expired"))

        page = admin_client.post(url_of(finished), {"reason": [EXPIRED, REJECTED]}).content.decode()

        assert 'value="Send again to 3 people"' in page
        assert "1 person has opted out and gets nothing." in page
        assert 'name="run" value="1"' in page
        assert counted(finished)["expired"] == 4

    @pytest.mark.parametrize(
        ("limits", "why"),
        [
            ({"ALLOWED_NUMBERS": ["{first}"]}, "the account sends to the numbers in ALLOWED_NUMBERS only"),
            ({"ALLOWED_COUNTRIES": ["PL"]}, "the account does not send to their countries"),
            ({"ALLOWED_NUMBER_TYPES": ["fixed_line"]}, "the account does not send to numbers of these types"),
            ({"FREQUENCY_CAP": {"messages": 1, "days": 7}}, "have reached the frequency cap"),
        ],
    )
    def test_people_to_whom_the_account_does_not_send_are_not_promised_it(
        self, admin_client, finished, settings, limits, why
    ):
        first, *others = finished.messages.filter(status="expired").not_purged().order_by("pk")
        number = first.phone_number
        if "ALLOWED_NUMBERS" in limits:
            limits = {"ALLOWED_NUMBERS": [number]}
        if "FREQUENCY_CAP" in limits:
            other = Campaign.objects.create(name="Other")
            for row in others:
                values = {"status": Status.DELIVERED, "accepted_at": timezone.now(), "extra_id": f"o{row.pk}"}
                Message.objects.create(campaign=other, phone_number=row.phone_number, **values)
        settings.HYBER = {"default": {**settings.HYBER["default"], **limits}}
        left = 1 if "ALLOWED_NUMBERS" in limits or "FREQUENCY_CAP" in limits else 0

        page = admin_client.post(url_of(finished), {"reason": EXPIRED}).content.decode()

        assert f"{3 - left} people" in page
        assert why in page
        assert ('value="Send again to 1 person"' in page) is (left == 1)

    def test_too_many_to_look_at_are_the_most_that_get_it(self, admin_client, finished, settings, monkeypatch):
        monkeypatch.setattr(retry, "IN_BACKGROUND_FROM", 3)
        settings.HYBER = {"default": {**settings.HYBER["default"], "ALLOWED_COUNTRIES": ["PL"]}}

        page = admin_client.post(url_of(finished), {"reason": EXPIRED}).content.decode()

        assert 'value="Send again to 3 people at most"' in page
        assert "These are too many to count" in page

    def test_when_all_have_opted_out_there_is_nothing_to_send(self, admin_client, finished):
        opt_out(finished.messages.filter(status="rejected"))

        page = admin_client.post(url_of(finished), {"reason": REJECTED}).content.decode()

        assert "1 person has opted out and gets nothing." in page
        assert "Send again to" not in page

    def test_one_person_is_a_person(self, admin_client, finished):
        page = admin_client.post(url_of(finished), {"reason": REJECTED}).content.decode()

        assert 'value="Send again to 1 person"' in page

    def test_what_was_not_chosen_is_not_included(self, admin_client, finished):
        page = admin_client.post(url_of(finished), {"reason": [EXPIRED, UNDELIVERED]}).content.decode()

        hidden = re.findall(r'type="hidden" name="reason" value="([^"]*)"', page)
        assert sorted(hidden) == [EXPIRED, UNDELIVERED]
        assert 'value="Send again to 5 people"' in page


class RetryTests:
    def test_it_sends_again_to_those_and_to_nobody_else(self, admin_client, finished):
        before = set(finished.messages.values_list("extra_id", flat=True))

        response = admin_client.post(url_of(finished), confirmed(finished, EXPIRED, UNDELIVERED), follow=True)

        assert told(response) == ["5 failed messages are being sent again."]
        again = finished.messages.filter(status="queued")
        assert again.count() == 5
        assert not before & set(again.values_list("extra_id", flat=True))
        assert counted(finished) == {
            "queued": 5,
            "expired": 1,
            "undelivered": 2,
            "rejected": 1,
            "delivered": 2,
            "suppressed": 1,
        }
        finished.refresh_from_db()
        assert (finished.status, finished.run) == ("sending", 2)
        assert LogEntry.objects.get().get_change_message() == "5 failed messages are being sent again."

    def test_who_has_opted_out_is_not_promised_a_message(self, admin_client, finished):
        opt_out(finished.messages.filter(status="expired"))

        response = admin_client.post(url_of(finished), confirmed(finished, EXPIRED), follow=True)

        assert told(response) == ["2 failed messages are being sent again."]

    def test_a_double_click_sends_once(self, admin_client, finished):
        answer = confirmed(finished, EXPIRED)
        admin_client.post(url_of(finished), answer)
        response = admin_client.post(url_of(finished), answer, follow=True)

        assert told(response)[-1:] == ["The failed messages of “Spring sale” are already being retried."]
        finished.refresh_from_db()
        assert finished.run == 2
        assert LogEntry.objects.count() == 1

    def test_the_same_answer_after_the_next_end_sends_nothing(self, admin_client, finished):
        answer = confirmed(finished, EXPIRED)
        admin_client.post(url_of(finished), answer)
        finished.messages.filter(status="queued").update(status="expired")
        finished.batches.update(state="done")
        Campaign.objects.update(status="finished")

        response = admin_client.post(url_of(finished), answer, follow=True)

        assert "already being retried" in told(response)[-1]
        assert counted(finished)["expired"] == 4

    @pytest.mark.parametrize("run", ["", "0", "-1", "one", "²", "9" * 40])
    def test_a_made_up_run_sends_nothing(self, admin_client, finished, run):
        admin_client.post(url_of(finished), {**confirmed(finished, EXPIRED), "run": run})

        assert counted(finished)["expired"] == 4

    def test_failures_that_vanish_in_between_are_told(self, admin_client, finished, monkeypatch):
        reports_come_in = retry.retry_once

        def late(campaign, *arguments, **options):
            campaign.messages.filter(status="expired").update(status="delivered")
            return reports_come_in(campaign, *arguments, **options)

        monkeypatch.setattr("django_hyber.admin.campaigns.retry_page.retry_once", late)
        response = admin_client.post(url_of(finished), confirmed(finished, EXPIRED), follow=True)

        assert told(response) == ["No message of this campaign failed for this reason."]
        finished.refresh_from_db()
        assert (finished.status, finished.run) == ("finished", 1)
        assert not LogEntry.objects.exists()

    def test_somebody_else_was_faster(self, admin_client, finished, monkeypatch):
        retry_once = retry.retry_once

        def late(campaign, *arguments, **options):
            Campaign.objects.update(run=2)
            return retry_once(campaign, *arguments, **options)

        monkeypatch.setattr("django_hyber.admin.campaigns.retry_page.retry_once", late)
        response = admin_client.post(url_of(finished), confirmed(finished, EXPIRED), follow=True)

        assert "already being retried" in told(response)[-1]
        assert not LogEntry.objects.exists()


class BackgroundTests:
    @pytest.fixture(autouse=True)
    def many(self, monkeypatch):
        monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", 3)

    def test_many_are_sent_again_by_a_job(self, admin_client, finished, admin_user):
        response = admin_client.post(url_of(finished), confirmed(finished, EXPIRED, REJECTED), follow=True)

        assert told(response) == ["4 failed messages are being sent again."]
        job = BackgroundJob.objects.get()
        assert (job.kind, job.state, job.created_by) == ("retry", "waiting", admin_user)
        assert counted(finished)["expired"] == 4
        run_job.call(job.pk)
        assert counted(finished) == {"queued": 4, "expired": 1, "undelivered": 4, "delivered": 2, "suppressed": 1}

    def test_a_double_click_asks_for_one_job(self, admin_client, finished):
        for _ in range(2):
            response = admin_client.post(url_of(finished), confirmed(finished, EXPIRED), follow=True)

        assert "already being retried" in told(response)[-1]
        assert BackgroundJob.objects.count() == 1

    def test_the_page_follows_the_job(self, admin_client, finished):
        admin_client.post(url_of(finished), confirmed(finished, EXPIRED))

        page = admin_client.get(url_of(finished, "progress")).content.decode()

        assert 'data-job="waiting"' in page
        assert 'data-refresh="2"' in page


class ReasonsTests:
    def test_a_code_that_nobody_has_named_is_unknown_and_leads_to_the_codes(
        self, admin_client, finished, add_recipients
    ):
        add_recipients(finished, 1, status=Status.REJECTED, error_code=36099)
        codes = reverse("admin:django_hyber_deliveryreport_codes")

        offered = reasons_on(admin_client.get(url_of(finished)).content.decode())
        page = admin_client.get(url_of(finished, "change")).content.decode()

        assert offered["rejected:36099"][1].startswith("unknown code (<a ")
        [row] = re.findall(r'<tr data-failure="rejected:36099">(.*?)</tr>', page, re.DOTALL)
        assert "unknown code" in row
        assert codes in row
        assert codes not in re.findall(r'<tr data-failure="rejected:36024">(.*?)</tr>', page, re.DOTALL)[0]

    def test_the_codes_are_linked_only_for_those_who_may_see_them(self, client, log_in, finished, add_recipients):
        add_recipients(finished, 1, status=Status.REJECTED, error_code=36099)
        log_in("view_campaign")

        page = client.get(url_of(finished, "change")).content.decode()
        assert "unknown code" in page
        assert reverse("admin:django_hyber_deliveryreport_codes") not in page

    def test_the_campaign_page_leads_to_exactly_these_messages(self, admin_client, finished):
        page = admin_client.get(url_of(finished, "change")).content.decode()

        rows = re.findall(r'<tr data-failure="([^"]*)">(.*?)</tr>', page, re.DOTALL)
        assert len(rows) == 5
        for _name, row in rows:
            url = html.unescape(re.search(r'href="([^"]+)"', row)[1])
            count = int(re.findall(r'<td class="hyber-number">(.*?)</td>', row)[1])
            assert admin_client.get(url).context["cl"].result_count == count

    def test_the_rarest_reasons_are_counted_together(self, draft, add_recipients, monkeypatch):
        monkeypatch.setattr("django_hyber.statistics.failures.SHOWN_REASONS", 2)
        for code, count in ((1, 4), (2, 3), (3, 2), (4, 1)):
            add_recipients(draft, count, status=Status.UNDELIVERED, error_code=code)

        found = failure_reasons(draft)

        assert [(reason.code, reason.count) for reason in found.reasons] == [(1, 4), (2, 3)]
        assert found.others == 3


class PermissionTests:
    def test_it_takes_the_permission_to_send(self, client, finished, log_in):
        log_in("view_campaign", "change_campaign", "add_campaign", "export_campaign")

        assert url_of(finished) not in client.get(url_of(finished, "change")).content.decode()
        assert client.get(url_of(finished)).status_code == 403
        assert client.post(url_of(finished), confirmed(finished, EXPIRED)).status_code == 403
        assert counted(finished)["expired"] == 4

    def test_it_takes_to_see_the_campaign(self, client, finished, log_in):
        log_in("send_campaign")

        assert client.post(url_of(finished), confirmed(finished, EXPIRED)).status_code == 403

    def test_whoever_may_send_need_not_write(self, client, finished, log_in):
        log_in("view_campaign", "send_campaign")

        client.post(url_of(finished), confirmed(finished, EXPIRED))

        assert counted(finished)["queued"] == 3
