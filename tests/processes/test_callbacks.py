"""Callbacks as they come in production: over HTTP, to several processes of a web server."""

from __future__ import annotations

import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from django_hyber.models import Campaign, DeliveryReport, Message, Reply, Suppression, UnreadableCallback
from django_hyber.protocol import SMS
from django_hyber.sending.batch import submit_batch
from django_hyber.services import dispatch, import_recipients, start_campaign
from tests.conftest import TOKEN
from tests.processes.conftest import SEEN_CODES, SMALL_LIMIT, SMALL_TOKEN
from tests.samples import phone, report
from tests.truth.clients import in_own_connection

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

DELIVERED = {"status": 2, "substatus": 23, "hyber_status": 23011}
SEEN = {"status": 2, "substatus": 23, "hyber_status": SEEN_CODES[0]}
EXPIRED = {"status": 3, "substatus": 35, "hyber_status": 35015}
UNDELIVERED = {"status": 3, "substatus": 36, "hyber_status": 36099}
PENDING = {"status": 1, "substatus": 11, "hyber_status": 11099}
STORM, STORM_ROUNDS = 400, 3
NOON = 1_700_000_000_000


@pytest.fixture
def message():
    return make_message(1)


def make_message(number):
    return Message.objects.create(phone_number=phone(number), extra_id=f"own-{number}", status="accepted")


def make_campaign(size):
    campaign = Campaign.objects.create(name="Spring sale")
    import_recipients(campaign, ({"phone": phone(number)} for number in range(size)))
    return campaign


def post(server, body, token=TOKEN, client=requests, kind="reports"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"{server}/hyber/{token}/{kind}/"
    return client.post(url, data=data, headers={"Content-Type": "application/json"}, timeout=120)


def status(message):
    message.refresh_from_db()
    return message.status


@pytest.mark.parametrize("as_number", [int, str])
@pytest.mark.parametrize("as_body", [lambda item: item, lambda item: [item]], ids=["object", "array"])
def test_report_is_applied_whatever_its_shape(server, message, as_body, as_number):
    response = post(server, as_body(report(message, number=as_number(message.phone_number))))

    assert response.status_code == 200
    assert status(message) == "delivered"
    assert message.channel == "sms"


def test_repeats_are_answered_200_and_add_nothing(server, message):
    body = report(message)
    answers = [post(server, same) for same in (body, [body], [body, body], body)]

    assert [answer.status_code for answer in answers] == [200] * 4
    assert [answer.json()["stored"] for answer in answers] == [1, 0, 0, 0]
    assert DeliveryReport.objects.get().message == message


def test_late_failure_report_does_not_undo_delivered(server, message):
    post(server, report(message, **DELIVERED))
    post(server, report(message, **EXPIRED, time=NOON + 60_000))

    assert status(message) == "delivered"
    assert message.delivery_reports.count() == 2


def test_report_of_an_unknown_message_waits_until_the_message_turns_up(server):
    assert post(server, report(extra_id="own-1", message_id="platform-1")).status_code == 200
    message = make_message(1)
    assert DeliveryReport.objects.get().message is None

    assert dispatch().matched_reports == 1
    assert status(message) == "delivered"
    assert message.message_id == "platform-1"
    assert DeliveryReport.objects.get().message == message


def test_broken_json_is_answered_400_and_kept(server):
    assert post(server, b'[{"extra_id": "own-1"').status_code == 400
    assert UnreadableCallback.objects.get().body == '[{"extra_id": "own-1"'


def test_wrong_token_is_answered_403_and_changes_nothing(server, message):
    assert post(server, report(message), token=TOKEN[:-1]).status_code == 403
    assert status(message) == "accepted"
    assert not DeliveryReport.objects.exists()


@pytest.mark.parametrize("bad", [None, 17, "text", [], {}, {"status": 2}], ids=repr)
def test_bad_item_costs_its_neighbours_nothing(server, message, bad):
    other = make_message(2)
    response = post(server, [report(message), bad, report(other)])

    assert (response.status_code, response.json()["unreadable"]) == (200, 1)
    assert status(message) == status(other) == "delivered"
    assert UnreadableCallback.objects.get().body == (bad if isinstance(bad, str) else json.dumps(bad))


def test_body_at_the_limit_is_taken_and_above_it_answered_413(server):
    message = make_message(1)
    fitting = json.dumps(report(message)).encode().ljust(SMALL_LIMIT)

    assert post(server, fitting + b" ", token=SMALL_TOKEN).status_code == 413
    assert status(message) == "accepted"
    assert post(server, fitting, token=SMALL_TOKEN).status_code == 200
    assert status(message) == "delivered"


def test_twenty_thousand_reports_in_one_callback_are_applied(server):
    campaign = make_campaign(20_000)
    reports = [report(each, total_sms_parts=1, delivered_sms_parts=1) for each in campaign.messages.all()]
    body = json.dumps(reports).encode()
    response = post(server, body)

    assert len(body) > 3_800_000
    assert response.status_code == 200
    assert response.json() == {"received": 20_000, "stored": 20_000, "unreadable": 0}
    assert Counter(campaign.messages.values_list("status", flat=True)) == {"delivered": 20_000}


def test_same_reports_at_the_same_moment_do_not_lock_each_other_out(server):
    messages = list(make_campaign(1_000).messages.all())
    with ThreadPoolExecutor(2) as clients:
        for second in range(5):
            reports = [report(each, time=NOON + second * 1_000) for each in messages]
            answers = list(clients.map(lambda body: post(server, body), [reports, reports[::-1]]))
            assert [answer.status_code for answer in answers] == [200, 200]
            assert sum(answer.json()["stored"] for answer in answers) == len(reports)


def test_storm_of_reports_and_replies_during_sending_is_answered_200(busy_server, platform, settings):
    """Clients post the same reports in different orders, and the same replies, while the campaign is being sent."""
    settings.HYBER = {"default": settings.HYBER["default"] | {"BATCH_SIZE": STORM // 10}}
    campaign = make_campaign(STORM)
    campaign.set_channels([SMS(text="Hi", alpha_name="GMSU", ttl=300)])
    start_campaign(campaign)
    messages = list(campaign.messages.order_by("pk"))
    batches = list(campaign.batches.order_by("-pk").values_list("pk", flat=True))
    codes = Counter()
    with ThreadPoolExecutor(9) as pool:
        for second in range(STORM_ROUNDS):
            campaign.messages.update(status="queued", message_id=None, channel="", reported_at=None, accepted_at=None)
            campaign.batches.update(state="pending")
            Suppression.objects.all().delete()
            sender = pool.submit(in_own_connection(lambda: [submit_batch(pk) for pk in batches]))
            answers = [pool.submit(post, busy_server, body, kind=kind) for kind, body in storm_of(messages, second)]
            codes.update(answer.result().status_code for answer in answers)
            sender.result()
            assert set(campaign.messages.values_list("status", flat=True)) <= {"delivered", "expired", "suppressed"}

    assert codes.keys() == {200}
    assert DeliveryReport.objects.filter(message__campaign=campaign).count() == STORM * STORM_ROUNDS
    assert Reply.objects.count() == STORM * STORM_ROUNDS
    assert Suppression.objects.count() == STORM


def storm_of(messages, second):
    """The posts of a round: all reports forwards, backwards and mixed, in one array and in small ones, and replies."""
    reports = [
        report(each, message_id=f"m-{second}-{each.pk}", time=NOON + second, **(DELIVERED, EXPIRED)[each.pk % 2])
        for each in messages
    ]
    said = {"channel": "viber", "text_from_subscriber": "стоп", "time": f"2026-01-01 00:{second:02}:00"}
    replies = [said | {"phone": each.phone_number} for each in messages]
    mixed = [random.Random(seed).sample(reports, len(reports)) for seed in range(4)]
    small = [part[start : start + 50] for start in range(0, len(reports), 50) for part in mixed[:2]]
    posts = [*(("reports", body) for body in (reports, reports[::-1], *mixed[2:], *small))]
    return [*posts, ("replies", replies), ("replies", replies[::-1])]


def test_parallel_clients_with_the_same_reports_lose_nothing_and_add_nothing(server):
    messages = [make_message(number) for number in range(100)]
    reports = [item for message in messages for item in story_of(message)]
    # What each client puts into one POST: everything, a part of it, or report by report.
    sizes = [300, 100, 30, 7, 300, 50, 10, 1]
    with ThreadPoolExecutor(len(sizes)) as clients:
        codes = list(clients.map(lambda task: post_all(server, reports, *task), enumerate(sizes)))

    assert Counter(code for each in codes for code in each).keys() == {200}
    assert {message.extra_id: status(message) for message in messages} == {
        message.extra_id: ENDINGS[index % 3] for index, message in enumerate(messages)
    }
    history = Counter(DeliveryReport.objects.values_list("message", flat=True))
    assert history == {message.pk: 3 for message in messages}


ENDINGS = ["seen", "undelivered", "delivered"]
STORIES = [
    [DELIVERED, SEEN, EXPIRED],
    [PENDING, EXPIRED, UNDELIVERED],
    [PENDING, UNDELIVERED, DELIVERED],
]


def story_of(message):
    """Three reports, the last one the latest."""
    story = STORIES[int(message.extra_id.removeprefix("own-")) % 3]
    return [report(message, **facts, time=NOON + second * 1_000) for second, facts in enumerate(story)]


def post_all(server, reports, seed, size):
    mixed = reports[::-1] if seed % 2 else random.Random(seed).sample(reports, len(reports))
    parts = [mixed[start : start + size] for start in range(0, len(mixed), size)]
    return [post(server, part if size > 1 else part[0]).status_code for part in parts]


def test_body_in_chunks_is_read_though_nobody_says_its_length(server, message):
    body = json.dumps(report(message)).encode()
    response = post(server, body, client=ChunkingClient())

    assert response.status_code == 200
    assert status(message) == "delivered"


class ChunkingClient:
    """Posts a body piece by piece, which makes the transfer encoding chunked."""

    def post(self, url, data, **options):
        return requests.post(url, data=iter([data[:10], data[10:]]), **options)
