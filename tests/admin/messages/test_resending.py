"""Sending chosen messages of the list again: those of the page, or all of a list of many pages."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from django.contrib.admin.models import LogEntry

from django_hyber.admin.messages import resending
from django_hyber.models import BackgroundJob, Campaign, Message, Suppression
from django_hyber.tasks import run_job
from tests.queries import statements_of

LIST = "/admin/django_hyber/message/"
HIDDEN = re.compile(r'<input type="hidden" name="(?!csrfmiddlewaretoken)(\w+)" value="([^"]*)">')
Status = Message.Status


def address(query):
    return f"{LIST}?{urlencode(query or {})}"


def choose(client, messages=(), *, everything=False, query=None, **extra):
    """Choose messages in the list, or all that it holds, and ask for the action."""
    pks = [message.pk for message in messages] or [Message.objects.order_by("-pk").first().pk]
    data = {"action": "retry_selected", "_selected_action": pks, "select_across": "1" if everything else "0"}
    return client.post(address(query), data, **extra)


def answer(client, page, query=None):
    """Press the button of the page that asks."""
    data = {}
    for name, value in HIDDEN.findall(page.content.decode()):
        data.setdefault(name, []).append(value)
    return client.post(address(query), data, follow=True)


def told(response):
    return [str(message) for message in response.context["messages"]]


def button(page):
    found = re.search(r'value="(Send again to [^"]+)"', page.content.decode())
    return found and found[1]


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def finished(draft, add_recipients):
    add_recipients(draft, 60, status=Status.EXPIRED)
    add_recipients(draft, 5, status=Status.REJECTED, error_code=36024)
    add_recipients(draft, 3, status=Status.DELIVERED, channel="viber")
    Campaign.objects.filter(pk=draft.pk).update(status="finished", run=1)
    draft.refresh_from_db()
    return draft


@pytest.fixture
def other(finished, add_recipients):
    campaign = Campaign.objects.create(name="Autumn sale", status="finished", run=4)
    add_recipients(campaign, 2, status=Status.UNDELIVERED)
    return campaign


def queued(campaign):
    return campaign.messages.filter(status="queued")


class ChoosingTests:
    def test_chosen_messages_are_asked_about_first(self, admin_client, finished):
        page = choose(admin_client, finished.messages.all()[:10])

        # Of these ten, three have arrived.
        assert button(page) == "Send again to 7 people"
        assert "Messages that have not failed" in page.content.decode()
        assert not queued(finished).exists()

    def test_all_of_a_list_of_many_pages_go_out(self, admin_client, finished):
        query = {"campaign": str(finished.pk), "status__exact": "expired"}

        page = choose(admin_client, everything=True, query=query)
        assert button(page) == "Send again to 60 people"
        response = answer(admin_client, page, query)

        assert told(response) == ["Spring sale: 60 failed messages are being sent again."]
        assert queued(finished).count() == 60
        assert finished.messages.filter(status="rejected").count() == 5
        finished.refresh_from_db()
        assert (finished.status, finished.run, finished.batches.count()) == ("sending", 2, 1)
        assert LogEntry.objects.get().get_change_message() == "60 failed messages are being sent again."

    def test_the_filters_of_the_list_narrow_what_goes_out(self, admin_client, finished):
        query = {"campaign": str(finished.pk), "error_code": "36024"}

        answer(admin_client, choose(admin_client, everything=True, query=query), query)

        assert queued(finished).count() == 5

    def test_several_campaigns_are_told_apart(self, admin_client, finished, other):
        page = choose(admin_client, everything=True)

        assert re.findall(r'<li data-campaign="(\d+)">', page.content.decode()) == [str(finished.pk), str(other.pk)]
        assert button(page) == "Send again to 67 people"
        assert told(answer(admin_client, page)) == [
            "Spring sale: 65 failed messages are being sent again.",
            "Autumn sale: 2 failed messages are being sent again.",
        ]

    def test_a_campaign_on_its_way_has_to_end_first(self, admin_client, finished, other):
        Campaign.objects.filter(pk=finished.pk).update(status="sending")

        page = choose(admin_client, everything=True)

        assert "Not possible now: the campaign is sending." in page.content.decode()
        assert button(page) == "Send again to 2 people"
        answer(admin_client, page)
        assert not queued(finished).exists()
        assert queued(other).count() == 2

    def test_single_and_purged_messages_are_left_out(self, admin_client, finished):
        Message.objects.create(phone_number="380671111111", extra_id="single", status=Status.EXPIRED)
        finished.messages.filter(status="rejected").update(status=Status.DELIVERED)
        for message in finished.messages.filter(status="expired")[:58]:
            Message.objects.filter(pk=message.pk).update(phone_number=None)

        assert button(choose(admin_client, everything=True)) == "Send again to 2 people"

    def test_who_has_opted_out_is_left_out(self, admin_client, finished):
        failed = finished.messages.filter(status="rejected")
        Suppression.objects.create(phone_number=failed[0].phone_number)

        page = choose(admin_client, failed)

        assert "5 recipients 1 person has opted out and gets nothing." in page.content.decode()
        assert button(page) == "Send again to 4 people"
        assert told(answer(admin_client, page)) == ["Spring sale: 4 failed messages are being sent again."]

    def test_number_to_which_the_account_does_not_send_is_left_out(self, admin_client, finished, settings):
        failed = finished.messages.filter(status="rejected")
        allowed = [row.phone_number for row in failed[:2]]
        settings.HYBER = {"default": {**settings.HYBER["default"], "ALLOWED_NUMBERS": allowed}}

        page = choose(admin_client, failed)

        assert "5 recipients 3 people get nothing: the account sends to the numbers in" in page.content.decode()
        assert button(page) == "Send again to 2 people"

    def test_when_nothing_has_failed_that_is_told(self, admin_client, finished):
        response = choose(admin_client, finished.messages.filter(status="delivered"), follow=True)

        assert told(response) == ["None of these messages can be sent again."]

    def test_messages_of_too_many_campaigns_are_refused(self, admin_client, finished, other, monkeypatch):
        monkeypatch.setattr(resending, "MOST_CAMPAIGNS", 1)

        assert "more than 1 campaigns" in told(choose(admin_client, everything=True, follow=True))[0]


class OnceTests:
    def test_a_double_click_sends_once(self, admin_client, finished):
        page = choose(admin_client, everything=True)
        answer(admin_client, page)
        response = answer(admin_client, page)

        assert told(response) == ["The failed messages of “Spring sale” are already being retried."]
        finished.refresh_from_db()
        assert finished.run == 2
        assert LogEntry.objects.count() == 1

    def test_what_has_arrived_meanwhile_is_not_sent_again(self, admin_client, finished):
        page = choose(admin_client, finished.messages.filter(status="rejected"))
        finished.messages.filter(status="rejected").update(status="delivered")

        assert told(answer(admin_client, page)) == ["Spring sale: No message of this campaign failed for this reason."]
        finished.refresh_from_db()
        assert (finished.status, finished.run) == ("finished", 1)

    @pytest.mark.parametrize("run", ["", ":", "1", "a:b", "1:", ":1", "²:1", f"{'9' * 40}:1"])
    def test_a_made_up_run_sends_nothing(self, admin_client, finished, run):
        data = {"action": "retry_selected", "_selected_action": "1", "select_across": "1", "confirmed": "yes"}

        assert admin_client.post(LIST, {**data, "run": run}).status_code == 302
        assert not queued(finished).exists()


class BackgroundTests:
    @pytest.fixture(autouse=True)
    def many(self, monkeypatch):
        monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", 10)
        monkeypatch.setattr("django_hyber.sending.runs.REQUEUE_CHUNK", 7)

    def test_many_are_sent_again_by_a_job_and_exactly_those(self, admin_client, finished, admin_user):
        chosen = list(finished.messages.filter(status="expired").order_by("pk")[:40:2])
        page = choose(admin_client, chosen)

        response = answer(admin_client, page)

        assert told(response) == ["Spring sale: 20 failed messages are being sent again."]
        job = BackgroundJob.objects.get()
        assert (job.kind, job.state, job.created_by) == ("retry", "waiting", admin_user)
        assert not queued(finished).exists()
        run_job.call(job.pk)
        job.refresh_from_db()
        assert (job.state, job.error_text, job.source.name) == ("done", "", "")
        assert set(queued(finished)) == set(chosen)

    def test_a_double_click_asks_for_one_job(self, admin_client, finished):
        page = choose(admin_client, everything=True)
        answer(admin_client, page)

        assert "already being retried" in told(answer(admin_client, page))[0]
        assert BackgroundJob.objects.count() == 1

    def test_the_same_statements_whatever_the_number(self, admin_client, finished, add_recipients):
        used = []
        for count in (20, 200):
            add_recipients(finished, count, status=Status.UNDELIVERED, error_code=36024)
            page = choose(admin_client, everything=True)
            used.append(
                (
                    len(statements_of(choose, admin_client, everything=True)),
                    len(statements_of(answer, admin_client, page)),
                )
            )
            BackgroundJob.objects.all().delete()

        assert used[0] == used[1]


class PermissionTests:
    @pytest.mark.parametrize(
        "permissions", [("view_message", "send_campaign"), ("view_message", "view_campaign", "change_campaign")]
    )
    def test_it_takes_what_it_takes_on_the_page_of_the_campaign(self, client, finished, log_in, permissions):
        log_in(*permissions)

        assert "retry_selected" not in client.get(LIST).content.decode()
        data = {"action": "retry_selected", "_selected_action": "1", "select_across": "1", "confirmed": "yes"}
        client.post(LIST, {**data, "run": f"{finished.pk}:1"})
        assert not queued(finished).exists()

    def test_whoever_may_not_see_numbers_may_send_again(self, client, finished, log_in):
        log_in("view_message", "view_campaign", "send_campaign")

        answer(client, choose(client, everything=True))

        assert queued(finished).count() == 65
