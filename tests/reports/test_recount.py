from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from django_hyber.models import Campaign, DeliveryReport, Message
from django_hyber.protocol import SMS, Viber
from django_hyber.reports import recount as recounting
from django_hyber.services import (
    apply_delivery_reports,
    import_recipients,
    purge_personal_data,
    recount,
    retry_failed,
    start_campaign,
)
from django_hyber.signals import message_status_changed
from tests.management.test_commands import run
from tests.samples import phone, report

pytestmark = pytest.mark.django_db

EARLIER, LATER = 1_700_000_000_000, 1_700_000_060_000
EXPIRED = {"status": 3, "substatus": 35, "hyber_status": 35015}
PENDING = {"status": 1, "substatus": 11, "hyber_status": 11000}
SEEN_CODE = 23099


def make_message(number=1, **values):
    content = {"channels": ["viber", "sms"], "channel_options": {}}
    defaults = {"phone_number": phone(number), "extra_id": f"own-{number}", "status": "accepted", "content": content}
    return Message.objects.create(**defaults | values)


@pytest.fixture
def message():
    return make_message()


@pytest.fixture
def changes():
    heard = []

    def receiver(sender, message, old_status, new_status, report, **kwargs):
        heard.append((message.extra_id, old_status, new_status))

    message_status_changed.connect(receiver)
    yield heard
    message_status_changed.disconnect(receiver)


def reports_of_every_kind():
    apply_delivery_reports(
        [
            report(make_message(11), sent_via="viber"),
            report(make_message(12), sent_via="viber", **EXPIRED),
            report(make_message(13), sent_via="sms", **EXPIRED),
            report(make_message(14), sent_via="hyber", **PENDING),
            report(make_message(15), total_sms_parts=3, delivered_sms_parts=2, clicks=4),
            report(make_message(16), accepted=False, status=None, substatus=None, hyber_status=None, error_code=36024),
            report(make_message(17), time=None),
        ]
    )
    by_theirs, by_phone = make_message(20, message_id="platform-20"), make_message(21)
    apply_delivery_reports(
        [
            report(None, number=by_theirs.phone_number, message_id="platform-20", clicks=1),
            report(None, number=by_phone.phone_number, message_id=None, clicks=1, time=None),
        ]
    )
    twice, chain = make_message(18), make_message(19)
    apply_delivery_reports([report(twice, time=LATER, sent_via="sms")])
    apply_delivery_reports([report(twice, time=EARLIER, sent_via="viber")])
    apply_delivery_reports([report(chain, time=LATER, sent_via="sms"), report(chain, sent_via="viber", **EXPIRED)])


def test_healthy_table_has_no_differences():
    reports_of_every_kind()
    make_message(1)
    make_message(2, status="rejected", error_code=36024)
    found = recount()

    assert (found.differences, found.listed, found.checked, found.skipped) == (0, [], 11, 0)


def test_states_add_up_to_the_messages():
    reports_of_every_kind()
    found = recount()

    assert sum(found.statuses.values()) == found.total == Message.objects.count()
    assert found.statuses["delivered"] == Message.objects.filter(status="delivered").count()


@pytest.mark.parametrize(
    "drift",
    [
        {"status": "expired"},
        {"status": "seen"},
        {"channel": "viber"},
        {"other_channels": "viber:expired"},
        {"other_channels": "viber:delivered"},
        {"clicks": 9},
        {"total_sms_parts": 1},
        {"hyber_status": 23033},
        {"error_text": "Left over"},
    ],
)
def test_row_that_has_drifted_is_a_difference(message, drift):
    apply_delivery_reports([report(message, clicks=1, total_sms_parts=2)])
    Message.objects.filter(pk=message.pk).update(**drift)
    found = recount()

    assert (found.differences, found.listed) == (1, [message.extra_id])


def test_delivery_that_no_report_tells_of_is_a_difference(message):
    apply_delivery_reports([report(message, sent_via="viber", **EXPIRED)])
    Message.objects.filter(pk=message.pk).update(status="delivered", channel="viber")

    assert recount().differences == 1


def test_answer_of_the_platform_is_not_undone_by_an_older_report(message):
    apply_delivery_reports([report(message, sent_via="viber", **EXPIRED)])
    Message.objects.filter(pk=message.pk).update(status="rejected", error_code=36024, reported_at=None)

    assert recount().differences == 0


def test_nothing_is_written_without_reclassify(message, settings):
    apply_delivery_reports([report(message, sent_via="viber", hyber_status=SEEN_CODE)])
    settings.HYBER = {"default": {"SEEN_CODES": [SEEN_CODE]}}
    found = recount()

    message.refresh_from_db()
    assert (found.differences, found.moved, message.status) == (1, 0, "delivered")


def test_code_learned_as_seen_moves_what_was_delivered(message, settings, changes, django_capture_on_commit_callbacks):
    apply_delivery_reports([report(message, sent_via="viber", hyber_status=SEEN_CODE)])
    other = make_message(2)
    apply_delivery_reports([report(other, sent_via="viber")])
    settings.HYBER = {"default": {"SEEN_CODES": [SEEN_CODE]}}
    with django_capture_on_commit_callbacks(execute=True):
        found = recount(reclassify=True)

    message.refresh_from_db()
    assert (found.differences, found.moved, found.statuses["seen"]) == (1, 1, 1)
    assert message.status == "seen"
    assert changes == [("own-1", "delivered", "seen")]
    assert DeliveryReport.objects.count() == 2
    assert recount().differences == 0


def test_code_that_is_unlearned_moves_nothing_back(message, settings):
    settings.HYBER = {"default": {"SEEN_CODES": [SEEN_CODE]}}
    apply_delivery_reports([report(message, hyber_status=SEEN_CODE)])
    settings.HYBER = {"default": {}}
    found = recount(reclassify=True)

    message.refresh_from_db()
    assert (found.differences, found.moved, message.status) == (1, 0, "seen")


def test_codes_are_those_of_the_account_of_each_report(settings):
    settings.HYBER = {"default": {}, "promo": {}}
    mine, theirs = make_message(1), make_message(2, account="promo")
    apply_delivery_reports([report(mine, hyber_status=SEEN_CODE)])
    apply_delivery_reports([report(theirs, hyber_status=SEEN_CODE)], account="promo")
    settings.HYBER = {"default": {}, "promo": {"SEEN_CODES": [SEEN_CODE]}}

    assert recount(reclassify=True).listed == ["own-2"]
    assert Message.objects.get(status="seen") == theirs


def test_reports_of_an_account_that_is_gone_are_skipped(settings):
    settings.HYBER = {"default": {}, "promo": {}}
    apply_delivery_reports([report(make_message(account="promo"))], account="promo")
    settings.HYBER = {"default": {}}
    found = recount()

    assert (found.checked, found.skipped, found.differences) == (0, 1, 0)


def test_purged_messages_are_skipped(message):
    apply_delivery_reports([report(message)])
    purge_personal_data(timedelta())
    found = recount()

    assert (found.checked, found.skipped, found.differences) == (0, 1, 0)


@pytest.mark.django_db(transaction=True)
def test_earlier_run_of_a_message_is_history(platform):
    campaign = Campaign.objects.create(name="Sale")
    campaign.set_channels([SMS(text="Hi", alpha_name="GMSU", ttl=300)])
    import_recipients(campaign, [{"phone": phone(1)}])
    start_campaign(campaign)
    apply_delivery_reports([report(campaign.messages.get(), total_sms_parts=2, **EXPIRED)])
    retry_failed(campaign)
    assert recount().differences == 0
    apply_delivery_reports([report(campaign.messages.get(), time=LATER)])

    assert campaign.messages.get().status == "delivered"
    assert recount().differences == 0


def test_channel_that_was_seen_has_won(message, settings):
    settings.HYBER = {"default": {"SEEN_CODES": [SEEN_CODE]}}
    apply_delivery_reports(
        [report(message), report(message, time=LATER, sent_via="viber", hyber_status=SEEN_CODE)],
    )

    assert recount().differences == 0
    Message.objects.update(channel="sms")
    assert recount().differences == 1


def test_only_the_named_campaign_is_looked_at(message):
    campaign = Campaign.objects.create(name="Sale")
    campaign.set_channels([Viber(text="Hi", ttl=60)])
    import_recipients(campaign, [{"phone": phone(5)}])
    apply_delivery_reports([report(message), report(campaign.messages.get())])
    Message.objects.update(status="expired")

    assert recount(campaign).total == 1
    assert recount(campaign).listed == [campaign.messages.get().extra_id]


def test_every_page_is_looked_at(monkeypatch):
    monkeypatch.setattr(recounting, "PAGE", 3)
    apply_delivery_reports([report(make_message(number)) for number in range(10)])
    Message.objects.filter(extra_id__in=["own-0", "own-5", "own-9"]).update(clicks=9)
    found = recount()

    assert (found.checked, found.listed) == (10, ["own-0", "own-5", "own-9"])


def test_report_that_comes_while_counting_is_no_difference(message, monkeypatch):
    stale = list(recounting._pages(None))
    apply_delivery_reports([report(message)])
    monkeypatch.setattr(recounting, "_pages", lambda *_: stale)

    assert recount().differences == 0


def test_only_the_first_differences_are_listed(monkeypatch):
    monkeypatch.setattr(recounting, "LISTED", 3)
    monkeypatch.setattr(recounting, "PAGE", 2)
    apply_delivery_reports([report(make_message(number)) for number in range(5)])
    Message.objects.update(clicks=9)
    found = recount()

    assert (found.differences, len(found.listed)) == (5, 3)


@pytest.mark.parametrize("count", [2, 40])
def test_statements_of_a_page_do_not_grow_with_it(count, django_assert_num_queries):
    for number in range(count):
        apply_delivery_reports([report(make_message(number), sent_via="viber", **EXPIRED)])

    # Codes; messages, reports, channels of the failed; the end of the pages; the count.
    with django_assert_num_queries(6):
        assert recount().checked == count


def test_command_tells_counts_and_differences_and_no_phone(message):
    reports_of_every_kind()
    apply_delivery_reports([report(message)])
    Message.objects.filter(pk=message.pk).update(clicks=9)
    out, _ = run("hyber_recount")

    assert "delivered: 8\n" in out
    assert "12 messages, 12 by status\n" in out
    assert "differs: own-1\n" in out
    assert out.endswith("1 differences in 12 messages with reports; 0 skipped\n")
    assert message.phone_number not in out


def test_command_reclassifies(message, settings):
    apply_delivery_reports([report(message, hyber_status=SEEN_CODE)])
    settings.HYBER = {"default": {"SEEN_CODES": [SEEN_CODE]}}
    out, _ = run("hyber_recount", reclassify=True)

    assert "seen: 1\n" in out
    assert out.endswith("1 differences in 1 messages with reports, 1 moved forward; 0 skipped\n")
    assert run("hyber_recount")[0].endswith("0 differences in 1 messages with reports; 0 skipped\n")


def test_command_takes_a_campaign():
    campaign = Campaign.objects.create(name="Sale")

    assert run("hyber_recount", str(campaign.pk))[0].startswith("0 messages, 0 by status")
    with pytest.raises(CommandError, match="no campaign 999"):
        run("hyber_recount", "999")


def test_account_with_invalid_settings_is_named_and_the_others_are_counted(message, settings):
    other = make_message(2, account="broken")
    apply_delivery_reports([report(message)])
    settings.HYBER = settings.HYBER | {"broken": settings.HYBER["default"]}
    apply_delivery_reports([report(other)], account="broken")
    settings.HYBER["broken"] = settings.HYBER["broken"] | {"LEASE": 0}
    out = io.StringIO()
    with pytest.raises(CommandError, match="broken") as raised:
        call_command("hyber_recount", stdout=out)

    assert raised.value.returncode == 1
    assert "0 differences in 1 messages with reports; 1 skipped" in out.getvalue()
    assert recount(reclassify=True).broken_accounts == ["broken"]
