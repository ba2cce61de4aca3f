"""How batches follow one another, and how tasks are asked for."""

from __future__ import annotations

import inspect
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from django_hyber import tasks
from django_hyber.models import Batch, Campaign, Message, Suppression
from django_hyber.protocol import SMS, HyberClient, Viber
from django_hyber.services import (
    CampaignError,
    dispatch,
    import_recipients,
    pause_campaign,
    preflight,
    resume_campaign,
    retry_failed,
    send_message,
    start_campaign,
)
from tests.builders import make_campaign, posts, statuses
from tests.samples import phone

try:
    from django.tasks import default_task_backend

    DUMMY = "django.tasks.backends.dummy.DummyBackend"
except ImportError:  # Django 5.2
    from django_tasks import default_task_backend

    DUMMY = "django_tasks.backends.dummy.DummyBackend"

pytestmark = pytest.mark.django_db(transaction=True)
CODE = [SMS(text="Code 1234", alpha_name="SHOP", ttl=300)]


@pytest.fixture
def collected(platform, settings):
    """Tasks are collected and not run, as if every worker were busy; one recipient a batch."""
    settings.TASKS = {"default": {"BACKEND": DUMMY}}
    settings.HYBER = {"default": settings.HYBER["default"] | {"BATCH_SIZE": 1}}
    default_task_backend.clear()
    return lambda: [result.args[0] for result in default_task_backend.results]


def depths_of_calls(monkeypatch, name):
    """How deep in the stack each call of the client is made."""
    depths = []
    method = getattr(HyberClient, name)

    def measured(client, *arguments, **options):
        depths.append(len(inspect.stack(context=0)))
        return method(client, *arguments, **options)

    monkeypatch.setattr(HyberClient, name, measured)
    return depths


def start_campaign_later(campaign):
    campaign.start_time = timezone.now() + timedelta(days=1)
    campaign.save()
    return start_campaign(campaign)


def run(pk):
    tasks.submit_batch.call(pk)


def test_no_more_batches_are_under_way_than_the_account_allows(collected):
    campaign = start_campaign(make_campaign([phone(number) for number in range(10)]))

    assert collected() == list(campaign.batches.values_list("pk", flat=True)[:2])


def test_batch_that_is_done_asks_for_the_next_one(collected):
    campaign = start_campaign(make_campaign([phone(number) for number in range(10)]))
    first, second, third, *_ = campaign.batches.values_list("pk", flat=True)
    run(first)

    assert collected() == [first, second, third]


def test_sweep_does_not_enqueue_what_is_enqueued(collected):
    start_campaign(make_campaign([phone(number) for number in range(10)]))
    send_message(phone(11), CODE)
    for _ in range(5):
        dispatch()

    assert len(collected()) == 3


def test_sweep_enqueues_again_what_has_not_begun_for_a_minute(collected):
    start_campaign(make_campaign([phone(number) for number in range(10)]))
    message = send_message(phone(11), CODE)
    before = timezone.now() - timedelta(minutes=2)
    Batch.objects.exclude(enqueued_at=None).update(enqueued_at=before)
    Message.objects.filter(pk=message.pk).update(enqueued_at=before)
    dispatch()

    assert len(collected()) == 3 + 3


def test_batch_of_a_stopped_worker_keeps_its_place_until_its_lease_ends(collected):
    campaign = start_campaign(make_campaign([phone(number) for number in range(10)]))
    first = campaign.batches.first()
    campaign.batches.filter(pk=first.pk).update(
        state="sending", sender="written", enqueued_at=None, lease_until=timezone.now() + timedelta(minutes=5)
    )
    dispatch()
    assert len(collected()) == 2

    campaign.batches.filter(pk=first.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    dispatch()
    assert campaign.batches.get(pk=first.pk).state == "unconfirmed"
    assert len(collected()) == 2 + 2


def test_lanes_resume_after_a_pause(collected):
    campaign = start_campaign(make_campaign([phone(number) for number in range(10)]))
    first, second, *_ = campaign.batches.values_list("pk", flat=True)
    pause_campaign(campaign)
    run(first)
    run(second)
    resume_campaign(campaign)

    assert collected() == [first, second, first, second]


def test_single_message_waits_for_no_more_than_the_batches_under_way(collected):
    start_campaign(make_campaign([phone(number) for number in range(10)]))
    message = send_message(phone(11), CODE)

    assert collected()[2:] == [message.pk]


def test_many_batches_do_not_nest_where_tasks_run_at_once(platform, settings, monkeypatch):
    settings.HYBER = {"default": settings.HYBER["default"] | {"BATCH_SIZE": 1}}
    depths = depths_of_calls(monkeypatch, "send_broadcast_sync")
    campaign = start_campaign(make_campaign([phone(number) for number in range(12)]))

    assert set(statuses(campaign)) == {"accepted"}
    assert len(depths) == 12
    assert len(set(depths)) == 1
    order = [body["recipients"][0]["phone_number"] for body in posts(platform)]
    assert order == sorted(order)


def test_campaign_of_an_account_that_is_gone_does_not_stop_the_sweep(collected):
    lost = start_campaign(make_campaign([phone(1)]))
    Campaign.objects.filter(pk=lost.pk).update(account="gone")
    Batch.objects.update(enqueued_at=None)
    message = send_message(phone(2), CODE)
    Message.objects.filter(pk=message.pk).update(enqueued_at=None)
    before = len(collected())
    dispatch()

    assert collected()[before:] == [message.pk]


class RulesTests:
    """What else is decided at the moment of sending."""

    def test_recipients_with_texts_of_their_own_go_as_a_batch(self, platform):
        campaign = make_campaign([], [Viber(ttl=60), SMS(alpha_name="GMSU", ttl=300)], has_own_texts=True)
        import_recipients(campaign, [{"phone": phone(n), "text": f"Your code is {n}"} for n in (1, 2)])
        start_campaign(campaign)

        (request,) = [request for request in platform.requests if request.method == "POST"]
        assert request.path.endswith("/batch/sync")
        assert [item["text"] for item in posts(platform)[0]["messages"]] == ["Your code is 1", "Your code is 2"]
        assert statuses(campaign) == ["accepted", "accepted"]

    def test_recipient_whose_own_text_is_gone_is_left_out_and_costs_nobody_theirs(self, platform):
        campaign = make_campaign([], [SMS(alpha_name="GMSU", ttl=300)], has_own_texts=True)
        import_recipients(campaign, [{"phone": phone(n), "text": f"Your code is {n}"} for n in (1, 2)])
        pause_campaign(start_campaign_later(campaign))
        campaign.messages.filter(phone_number=phone(1)).update(variables={})
        Campaign.objects.update(start_time=None)
        resume_campaign(campaign)

        assert statuses(campaign) == ["suppressed", "accepted"]

    def test_many_own_texts_go_as_a_job(self, platform, settings):
        settings.HYBER = {"default": settings.HYBER["default"] | {"SYNC_LIMIT": 1}}
        campaign = make_campaign([], [SMS(alpha_name="GMSU", ttl=300)], has_own_texts=True)
        import_recipients(campaign, [{"phone": phone(n), "text": f"Your code is {n}"} for n in (1, 2)])
        start_campaign(campaign)

        assert campaign.batches.get().job_id
        assert platform.ledger.taken == 2

    def test_recipient_without_a_value_is_left_out_where_the_campaign_says_so(self, platform):
        campaign = make_campaign([phone(1)], missing_variables="skip")
        import_recipients(campaign, [{"phone": phone(2), "name": ""}])
        start_campaign(campaign)

        assert statuses(campaign) == ["accepted", "suppressed"]
        assert campaign.messages.get(status="suppressed").error_text == "Skipped: a value for the text is missing."

    def test_default_text_stands_in_for_a_missing_value(self, platform):
        campaign = make_campaign([phone(1)], missing_variables="default", variable_defaults={"name": "friend"})
        import_recipients(campaign, [{"phone": phone(2), "name": ""}])
        start_campaign(campaign)

        assert [item["name"] for item in posts(platform)[0]["recipients"]] == ["Person 0100", "friend"]

    def test_single_message_reaches_who_opted_out_of_campaigns(self, platform):
        Suppression.objects.create(phone_number=phone(1))
        message = send_message(phone(1), CODE)

        message.refresh_from_db()
        assert message.status == "accepted"

    def test_switch_stops_single_messages_to_who_opted_out(self, platform, settings):
        settings.HYBER = {"default": settings.HYBER["default"] | {"SUPPRESS_TRANSACTIONAL": True}}
        Suppression.objects.create(phone_number=phone(1))
        message = send_message(phone(1), CODE)

        message.refresh_from_db()
        assert (message.status, posts(platform)) == ("suppressed", [])
        assert message.error_text == "The recipient has opted out."

    def test_retry_takes_only_the_reasons_that_were_chosen(self, platform):
        campaign = start_campaign(make_campaign([phone(1, "92"), phone(2, "92"), phone(3)]))
        first, second = campaign.messages.filter(status="rejected")
        campaign.messages.filter(pk=second.pk).update(error_code=None)
        with pytest.raises(CampaignError, match="failed for this reason"):
            retry_failed(campaign, error_codes=[1])
        retry_failed(campaign, error_codes=[None])

        assert campaign.messages.get(pk=first.pk).extra_id == first.extra_id
        assert campaign.messages.get(pk=second.pk).extra_id != second.extra_id

    def test_retry_does_not_reach_who_opted_out_meanwhile(self, platform):
        campaign = start_campaign(make_campaign([phone(1, "92"), phone(2)]))
        Suppression.objects.create(phone_number=f"+{phone(1, '92')}")
        retry_failed(campaign)

        assert statuses(campaign) == ["rejected", "accepted"]
        assert len(posts(platform)) == 1

    def test_author_cannot_launch_where_four_eyes_are_asked_for(self, platform, settings):
        settings.HYBER = {"default": settings.HYBER["default"] | {"FOUR_EYES": True}}
        author, other = (get_user_model().objects.create_user(name) for name in ("author", "other"))
        campaign = make_campaign([phone(1)], author=author)
        with pytest.raises(CampaignError, match="another person"):
            start_campaign(campaign, user=author)

        start_campaign(campaign, user=other)
        assert campaign.launched_by == other


@pytest.mark.parametrize("policy", Campaign.MissingVariables.values)
def test_campaign_with_a_percent_encoded_link_goes_out_as_it_is_written(platform, policy):
    link = "https://shop.example/%D0%B0%D0%BA?u=%name%"
    channels = [Viber(text=f"Hi %name%: {link}", ttl=60), SMS(text=link, alpha_name="GMSU", ttl=300)]
    campaign = make_campaign([phone(1), phone(2)], channels, missing_variables=policy)
    assert [problem.code for problem in preflight(campaign).warnings] == ["encoded-link", "encoded-link"]
    start_campaign(campaign)

    body = posts(platform)[0]
    assert body["channel_options"]["viber"]["text"] == f"Hi %name%: {link}"
    assert [sorted(recipient.keys() - {"phone_number", "extra_id"}) for recipient in body["recipients"]] == [
        ["name"]
    ] * 2
    assert statuses(campaign) == ["accepted"] * 2
