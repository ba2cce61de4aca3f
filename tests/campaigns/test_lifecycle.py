from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connections
from django.utils import timezone

from django_hyber.campaigns import launch
from django_hyber.campaigns.lifecycle import TRANSITIONS
from django_hyber.conf import get_account
from django_hyber.models import Campaign, Message, Suppression, Template
from django_hyber.protocol import SMS, HyberClient, NotTaken, ReportNotFound
from django_hyber.reconcile import unconfirmed
from django_hyber.services import (
    CampaignError,
    cancel_campaign,
    check_campaign,
    dispatch,
    import_recipients,
    pause_campaign,
    resume_campaign,
    retry_failed,
    start_campaign,
)
from django_hyber.texts.check import check_texts
from tests.builders import (
    CHANNELS,
    KNOWN,
    dispatch_until_finished,
    make_campaign,
    make_due,
    make_known,
    posts,
    statuses,
)
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def small_batches(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"BATCH_SIZE": 3}}
    return platform


def test_campaign_leaves_as_one_broadcast_with_its_variables(platform):
    campaign = start_campaign(make_campaign([phone(1), phone(2)]))

    (body,) = posts(platform)
    assert [recipient["name"] for recipient in body["recipients"]] == ["Person 0100", "Person 0200"]
    assert body["channels"] == ["viber", "sms"]
    assert body["channel_options"]["viber"] == {"text": "Hi %name%", "ttl": 60}
    assert body["tag"] == "Spring sale"
    assert statuses(campaign) == ["accepted", "accepted"]
    assert campaign.status == "finished"


def test_synchronous_answer_gives_every_message_its_own_id(platform):
    campaign = start_campaign(make_campaign([phone(number) for number in range(5)]))

    ids = list(campaign.messages.values_list("message_id", flat=True))
    assert None not in ids
    assert len(set(ids)) == 5


def test_large_batches_go_as_a_job(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"SYNC_LIMIT": 1}}
    campaign = start_campaign(make_campaign([phone(1), phone(2)]))

    assert [request.path for request in platform.requests] == ["/sandbox/broadcast"]
    assert campaign.batches.get().job_id
    assert statuses(campaign) == ["accepted", "accepted"]


def test_refused_entry_ends_as_rejected_with_its_own_code(platform):
    campaign = start_campaign(make_campaign([phone(1), phone(2, "92"), phone(3)]))

    assert statuses(campaign) == ["accepted", "rejected", "accepted"]
    assert campaign.messages.get(status="rejected").error_code == 36024


def test_campaign_is_cut_into_batches(small_batches):
    campaign = start_campaign(make_campaign([phone(number) for number in range(7)]))

    assert [len(body["recipients"]) for body in posts(small_batches)] == [3, 3, 1]
    assert set(campaign.batches.values_list("state", flat=True)) == {"done"}


def test_second_start_is_refused_and_sends_nothing(platform):
    campaign = make_campaign([phone(1)])
    stale = Campaign.objects.get(pk=campaign.pk)
    start_campaign(campaign)

    with pytest.raises(CampaignError, match="already been started"):
        start_campaign(stale)
    assert len(posts(platform)) == 1


def test_campaign_without_recipients_is_refused(platform):
    with pytest.raises(CampaignError, match="no recipients"):
        start_campaign(make_campaign([]))


def test_campaign_without_channels_is_refused(platform):
    with pytest.raises(CampaignError, match="channel"):
        start_campaign(make_campaign([phone(1)], channels=[]))


def test_variable_that_a_recipient_lacks_is_refused_with_its_name(platform):
    campaign = make_campaign([phone(1)])
    import_recipients(campaign, [{"phone": phone(2)}])

    with pytest.raises(CampaignError, match=r"%name% is missing for 1 recipient:"):
        start_campaign(campaign)
    assert not posts(platform)
    assert statuses(campaign) == ["queued", "queued"]


def test_text_that_is_too_long_with_a_value_is_refused(platform):
    campaign = make_campaign([phone(1)])
    import_recipients(campaign, [{"phone": phone(2), "name": "x" * 1000}])

    with pytest.raises(CampaignError, match="Viber, Text"):
        start_campaign(campaign)


def test_lone_percent_sign_is_no_variable(platform):
    channels = [SMS(text="50% off, %name%!", alpha_name="GMSU", ttl=300)]

    assert check_campaign(make_campaign([phone(1)], channels=channels)) == []


def test_opted_out_number_is_not_sent_to(platform):
    campaign = make_campaign([phone(1), phone(2)])
    Suppression.objects.create(phone_number=phone(2))
    start_campaign(campaign)

    (body,) = posts(platform)
    assert [recipient["phone_number"] for recipient in body["recipients"]] == [int(phone(1))]
    assert statuses(campaign) == ["accepted", "suppressed"]


def test_campaign_whose_recipients_all_opted_out_finishes_without_a_request(platform):
    campaign = make_campaign([phone(1)])
    Suppression.objects.create(phone_number=phone(1))
    start_campaign(campaign)

    assert not posts(platform)
    assert campaign.status == "finished"


def test_channels_of_a_launched_campaign_cannot_be_changed(platform):
    campaign = start_campaign(make_campaign([phone(1)]))

    with pytest.raises(ValidationError):
        campaign.set_channels(CHANNELS)


@pytest.mark.parametrize("wrong", ["\x00", "\ud800"], ids=["nul", "half-a-character"])
def test_characters_that_no_database_stores_are_refused_with_their_channel(db, wrong):
    campaign = make_campaign([])
    template = Template.objects.create(code="sale")

    for owner in (campaign, template):
        with pytest.raises(ValidationError, match=r"SMS: .*cannot be stored"):
            owner.set_channels([SMS(text=f"Sale{wrong}", alpha_name="SHOP", ttl=300)])
    assert campaign.get_channels() == CHANNELS


def test_programs_that_set_the_channels_of_a_draft_at_once_wait_for_each_other(db):
    def set_channels(_number):
        try:
            for _ in range(5):
                campaign.set_channels(CHANNELS)
        finally:
            connections.close_all()

    campaign = make_campaign([])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(set_channels, range(4)))

    assert campaign.get_channels() == CHANNELS


def test_whole_refused_request_ends_all_its_messages_as_rejected(platform):
    campaign = make_campaign([phone(1), phone(2)], division_code="d" * 100)
    platform.fault("error", status=400)
    start_campaign(campaign)

    assert statuses(campaign) == ["rejected", "rejected"]
    assert campaign.batches.get().state == "failed"


def test_busy_platform_is_asked_again_later_and_nobody_is_lost(platform):
    campaign = start_campaign(make_campaign([phone(1, "98"), phone(2)]))

    assert statuses(campaign) == ["queued", "queued"]
    batch = campaign.batches.get()
    assert (batch.state, batch.attempts) == ("pending", 1)
    assert batch.due_at is not None
    make_due(campaign)
    dispatch()
    assert statuses(campaign) == ["accepted", "accepted"]
    assert platform.ledger.duplicates == {}


def test_account_that_was_chosen_after_the_import_is_the_one_that_is_asked(platform, settings, sandbox):
    elsewhere = settings.HYBER["default"] | {"REPORTS_URL": f"{sandbox.url}-of-somebody-else"}
    settings.HYBER = {"default": elsewhere, "promo": settings.HYBER["default"]}
    campaign = make_campaign([phone(1, "94"), phone(2)])
    campaign.account = "promo"
    campaign.save()
    start_campaign(campaign)
    dispatch_until_finished(campaign)

    assert set(campaign.messages.values_list("account", flat=True)) == {"promo"}
    assert (platform.ledger.taken, platform.ledger.duplicates) == (2, {})


def test_dropped_answer_is_resolved_by_asking_and_nobody_gets_it_twice(platform):
    campaign = start_campaign(make_campaign([phone(1, "94"), phone(2)]))

    assert statuses(campaign) == ["unconfirmed", "unconfirmed"]
    dispatch_until_finished(campaign)
    assert "unconfirmed" not in statuses(campaign)
    assert (platform.ledger.taken, platform.ledger.duplicates) == (2, {})


def test_refusals_inside_a_request_whose_answer_was_lost_come_to_light(platform):
    campaign = start_campaign(make_campaign([phone(1, "94"), phone(2, "92"), phone(3)]))
    dispatch_until_finished(campaign)

    assert campaign.messages.get(phone_number=phone(2, "92")).error_code == 36024
    assert statuses(campaign)[1] == "rejected"
    assert platform.ledger.duplicates == {}


def test_request_that_was_taken_is_not_repeated_though_most_of_it_was_refused(platform):
    campaign = start_campaign(make_campaign([phone(1, "94"), *(phone(number, "92") for number in range(2, 60))]))
    dispatch_until_finished(campaign)

    assert statuses(campaign).count("rejected") == 58
    assert platform.ledger.duplicates == {}


def test_dropped_request_is_sent_again_after_the_platform_says_not_found(platform):
    make_known()
    campaign = start_campaign(make_campaign([phone(1, "87"), phone(2)]))

    assert statuses(campaign) == ["unconfirmed", "unconfirmed"]
    for _ in range(2):
        make_due(campaign)
        dispatch()
    assert statuses(campaign) == ["accepted", "accepted"]
    assert (platform.ledger.taken, platform.ledger.duplicates) == (2 + KNOWN, {})


def test_people_of_the_first_run_do_not_vouch_for_a_second_run_that_was_dropped(platform):
    campaign = start_campaign(make_campaign([phone(1, "92"), phone(2), phone(3, "92")]))
    for number, ending in ((1, "87"), (3, "00")):
        campaign.messages.filter(phone_number=phone(number, "92")).update(phone_number=phone(number, ending))
    retry_failed(campaign)
    for _ in range(2):
        make_due(campaign)
        dispatch()

    # The second one was queried as a message that the platform surely has.
    assert statuses(campaign) == ["accepted", "delivered", "accepted"]
    assert [len(body["recipients"]) for body in posts(platform)] == [3, 2, 2]


def test_message_that_the_answer_does_not_mention_is_asked_about(platform, monkeypatch):
    original = HyberClient.send_broadcast_sync

    def leave_out_the_last(client, body, before_write):
        return original(client, body, before_write=before_write)[:-1]

    monkeypatch.setattr(HyberClient, "send_broadcast_sync", leave_out_the_last)
    campaign = start_campaign(make_campaign([phone(1), phone(2)]))

    assert statuses(campaign) == ["accepted", "unconfirmed"]
    assert campaign.status == "sending"
    dispatch()
    campaign.refresh_from_db()
    assert "unconfirmed" not in statuses(campaign)
    assert campaign.status == "finished"
    assert platform.ledger.duplicates == {}


def test_message_that_the_answer_does_not_mention_is_given_its_grace_period(platform, settings, monkeypatch):
    settings.HYBER = {"default": settings.HYBER["default"] | {"NOT_FOUND_GRACE": 600}}
    original = HyberClient.send_broadcast_sync

    def forget_the_last(client, body, before_write):
        return original(client, body | {"recipients": body["recipients"][:-1]}, before_write=before_write)

    monkeypatch.setattr(HyberClient, "send_broadcast_sync", forget_the_last)
    campaign = start_campaign(make_campaign([phone(1), phone(2)]))
    for _ in range(3):
        make_due(campaign)
        dispatch()

    assert statuses(campaign) == ["accepted", "unconfirmed"]
    assert len(posts(platform)) == 1


def test_campaign_whose_last_worker_was_stopped_before_it_could_say_so_is_finished_by_the_sweep(platform):
    campaign = start_campaign(make_campaign([phone(1)]))
    Campaign.objects.filter(pk=campaign.pk).update(status="sending", finished_at=None)
    dispatch()

    assert Campaign.objects.get(pk=campaign.pk).status == "finished"


def test_batch_that_was_doubted_too_early_and_not_taken_after_all_is_sent_again(platform, monkeypatch):
    campaign = make_campaign([phone(1)])

    def doubted_then_refused(client, body, before_write):
        before_write()
        campaign.batches.update(lease_until="2020-01-01T00:00:00Z")
        unconfirmed.recover_expired_leases()
        assert statuses(campaign) == ["unconfirmed"]
        raise NotTaken

    with monkeypatch.context() as slow:
        slow.setattr(HyberClient, "send_broadcast_sync", doubted_then_refused)
        start_campaign(campaign)
    assert statuses(campaign) == ["queued"]
    dispatch_until_finished(campaign)

    assert statuses(campaign) == ["accepted"]
    assert platform.ledger.duplicates == {}


def test_only_the_variables_that_a_text_uses_leave_the_house(platform):
    campaign = Campaign.objects.create(name="Sale")
    campaign.set_channels(CHANNELS)
    import_recipients(campaign, [{"phone": phone(1), "name": "Olena", "debt": "1000"}])
    start_campaign(campaign)

    (recipient,) = posts(platform)[0]["recipients"]
    assert recipient.keys() == {"phone_number", "extra_id", "name"}


def test_variable_in_letters_that_none_can_have_is_refused_and_not_sent_as_it_stands(platform):
    channels = [SMS(text="Привіт, %імя%! -50%", alpha_name="GMSU", ttl=300)]

    with pytest.raises(CampaignError, match="імя"):
        start_campaign(make_campaign([phone(1)], channels=channels))


def test_recipients_that_come_in_during_the_check_stop_the_launch(platform, monkeypatch):
    campaign = make_campaign([phone(1)])

    def check_slowly(checked):
        report = check_texts(checked)
        import_recipients(campaign, [{"phone": phone(2)}])
        return report

    monkeypatch.setattr(launch, "check_texts", check_slowly)
    with pytest.raises(CampaignError, match="changed while"):
        start_campaign(campaign)
    assert Campaign.objects.get(pk=campaign.pk).status == "draft"
    assert not posts(platform)


@pytest.mark.parametrize(
    "change",
    [
        {"throttle": 1},
        {"window_start": "09:00", "window_end": "21:00"},
        {"missing_variables": "skip"},
        {"variable_defaults": {"name": "x" * 2_000}},
        {"has_own_texts": True},
    ],
    ids="+".join,
)
def test_setting_that_changes_during_the_check_stops_the_launch(platform, monkeypatch, change):
    campaign = make_campaign([phone(1)])

    def check_slowly(checked):
        report = check_texts(checked)
        Campaign.objects.update(**change)
        return report

    monkeypatch.setattr(launch, "check_texts", check_slowly)
    with pytest.raises(CampaignError, match="changed while"):
        start_campaign(campaign)
    assert not posts(platform)


def test_message_that_was_left_out_of_a_request_is_sent_in_a_batch_of_its_own(platform, monkeypatch):
    original = HyberClient.send_broadcast_sync
    calls = []

    def forget_the_last(client, body, before_write):
        calls.append(body)
        if len(calls) > 1:
            return original(client, body, before_write=before_write)
        return original(client, body | {"recipients": body["recipients"][:-1]}, before_write=before_write)

    monkeypatch.setattr(HyberClient, "send_broadcast_sync", forget_the_last)
    campaign = start_campaign(make_campaign([phone(1), phone(2)]))
    assert statuses(campaign) == ["accepted", "unconfirmed"]
    for _ in range(2):
        make_due(campaign)
        dispatch()

    # The first one was queried as a message that the platform surely has.
    assert statuses(campaign) == ["delivered", "accepted"]
    assert Campaign.objects.get(pk=campaign.pk).status == "finished"
    assert (platform.ledger.taken, platform.ledger.duplicates) == (2, {})


def test_report_that_overtakes_the_answer_to_a_batch_is_not_undone(wired):
    campaign = start_campaign(make_campaign([phone(1, "95")]))

    message = campaign.messages.get()
    assert message.status == "delivered"
    assert message.message_id


def test_not_found_within_the_grace_period_is_not_sent_again(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"NOT_FOUND_GRACE": 600}}
    campaign = start_campaign(make_campaign([phone(1, "87")]))
    make_due(campaign)
    dispatch()

    assert statuses(campaign) == ["unconfirmed"]
    assert platform.ledger.taken == 0


def test_message_of_a_batch_that_was_taken_is_given_its_grace_period(platform, settings, monkeypatch):
    settings.HYBER = {"default": settings.HYBER["default"] | {"NOT_FOUND_GRACE": 600}}
    campaign = start_campaign(make_campaign([phone(1, "94"), phone(2)]))
    last = campaign.messages.order_by("pk").last()
    fetch = HyberClient.fetch_report

    def know_nothing_of_the_last(client, *, extra_id):
        if extra_id == last.extra_id:
            raise ReportNotFound
        return fetch(client, extra_id=extra_id)

    monkeypatch.setattr(HyberClient, "fetch_report", know_nothing_of_the_last)
    for _ in range(3):
        make_due(campaign)
        dispatch()

    assert statuses(campaign)[-1] == "unconfirmed"
    assert campaign.batches.get().state == "done"
    assert len(posts(platform)) == 1


def test_batch_of_a_stopped_worker_is_given_its_grace_period(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"NOT_FOUND_GRACE": 600}}
    campaign = make_campaign([phone(1), phone(2)], start_time=timezone.now() + timedelta(days=1))
    start_campaign(campaign)
    # As if the worker had been killed right before the request was written.
    Campaign.objects.filter(pk=campaign.pk).update(status="sending", start_time=None)
    campaign.batches.update(state="sending", sender=get_account().sender, lease_until="2020-01-01T00:00:00Z")
    for _ in range(3):
        make_due(campaign)
        dispatch()

    assert campaign.batches.get().state == "unconfirmed"
    assert posts(platform) == []


def test_batch_of_a_stopped_worker_is_asked_about_and_not_resent(platform):
    campaign = make_campaign([phone(1), phone(2)])
    start_campaign(campaign)
    # As if the worker had been killed between the answer and the commit.
    campaign.batches.update(state="sending", lease_until="2020-01-01T00:00:00Z")
    campaign.messages.update(status="queued", message_id=None, accepted_at=None)
    Campaign.objects.filter(pk=campaign.pk).update(status="sending")
    dispatch_until_finished(campaign)

    assert "queued" not in statuses(campaign)
    assert len(posts(platform)) == 1


def test_number_that_cannot_be_said_pauses_the_campaign_with_the_reason(platform):
    campaign = make_campaign([phone(1)])
    campaign.messages.create(phone_number="no number", extra_id="own-1", variables={"name": "Olena"})
    start_campaign(campaign)

    assert (campaign.status, posts(platform)) == ("paused", [])
    assert "phone number" in campaign.status_reason
    campaign.messages.filter(extra_id="own-1").delete()
    resume_campaign(campaign)
    assert statuses(campaign) == ["accepted"]


def test_paused_campaign_sends_nothing_and_resumes_with_everybody(small_batches, monkeypatch):
    campaign = make_campaign([phone(number) for number in range(9)])
    pause_after(monkeypatch, campaign, requests=1)
    start_campaign(campaign)

    assert statuses(campaign) == ["accepted"] * 3 + ["queued"] * 6
    dispatch()
    assert len(posts(small_batches)) == 1
    resume_campaign(campaign)
    assert statuses(campaign) == ["accepted"] * 9
    assert small_batches.ledger.distinct == small_batches.ledger.taken == 9


def test_cancelled_campaign_sends_nothing_more(small_batches, monkeypatch):
    campaign = make_campaign([phone(number) for number in range(9)])
    pause_after(monkeypatch, campaign, requests=1)
    start_campaign(campaign)
    cancel_campaign(campaign)

    assert statuses(campaign) == ["accepted"] * 3 + ["cancelled"] * 6
    assert Campaign.objects.get(pk=campaign.pk).status == "cancelled"
    with pytest.raises(CampaignError, match="cancelled"):
        resume_campaign(campaign)


def test_batch_that_comes_back_after_the_cancel_is_cancelled_too(platform):
    make_known()
    campaign = start_campaign(make_campaign([phone(1, "87"), phone(2)]))
    cancel_campaign(campaign)
    assert statuses(campaign) == ["unconfirmed", "unconfirmed"]
    for _ in range(2):
        make_due(campaign)
        dispatch()

    assert statuses(campaign) == ["cancelled", "cancelled"]
    assert campaign.batches.get().state == "cancelled"
    assert platform.ledger.taken == KNOWN


def test_retry_takes_only_what_failed_under_a_new_id(platform):
    campaign = start_campaign(make_campaign([phone(1), phone(2, "92")]))
    failed = campaign.messages.get(status="rejected")
    campaign.messages.filter(pk=failed.pk).update(total_sms_parts=2, clicks=1)
    retry_failed(campaign)

    again = Message.objects.get(pk=failed.pk)
    assert again.extra_id != failed.extra_id
    assert (again.total_sms_parts, again.clicks) == (None, None)
    assert [len(body["recipients"]) for body in posts(platform)] == [2, 1]
    assert Campaign.objects.get(pk=campaign.pk).status == "finished"


def test_retry_of_chosen_failures_leaves_the_others_alone(platform):
    campaign = start_campaign(make_campaign([phone(1), phone(2, "92")]))

    with pytest.raises(CampaignError, match="failed for this reason"):
        retry_failed(campaign, statuses=["expired"])
    with pytest.raises(ValueError, match="delivered"):
        retry_failed(campaign, statuses=["delivered"])


def test_database_forbids_the_same_phone_twice(platform):
    campaign = make_campaign([phone(1)])
    report = import_recipients(campaign, [{"phone": phone(1), "name": "Again"}])

    assert (report.accepted, report.existing) == (0, 1)
    assert campaign.messages.count() == 1


def pause_after(monkeypatch, campaign, requests):
    """Pause the campaign from another hand after so many requests, as a person would."""
    original = HyberClient.send_broadcast_sync
    sent = []

    def send_and_pause(client, body, before_write):
        entries = original(client, body, before_write=before_write)
        sent.append(body)
        if len(sent) == requests:
            pause_campaign(Campaign.objects.get(pk=campaign.pk))
        return entries

    monkeypatch.setattr(HyberClient, "send_broadcast_sync", send_and_pause)


def test_every_status_of_a_campaign_is_in_the_table():
    assert set(TRANSITIONS) == set(Campaign.Status)


@pytest.mark.parametrize("repeat", [pause_campaign, cancel_campaign])
def test_a_verb_that_is_repeated_keeps_what_is_known(platform, repeat):
    campaign = make_campaign([phone(1)])
    status = {pause_campaign: "paused", cancel_campaign: "cancelled"}[repeat]
    Campaign.objects.update(status=status, status_reason="No money left.")

    assert repeat(campaign).status_reason == "No money left."
