from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta

import django
import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_hyber.models import Campaign, FormerOptOut, Message, Reply, Suppression
from django_hyber.protocol import SMS
from django_hyber.replies import attachments
from django_hyber.replies import reply_intake as replies
from django_hyber.replies.attachments import AttachmentState, download_name, fetch_again, fetch_media, find_attachment
from django_hyber.replies.opt_out_list import remove_opt_outs
from django_hyber.sending.batch import submit_batch
from django_hyber.services import apply_delivery_reports, apply_replies, dispatch, import_recipients, start_campaign
from django_hyber.signals import reply_received
from tests.protocol import platforms
from tests.samples import phone, report
from tests.truth.clients import in_own_connection

pytestmark = pytest.mark.django_db(transaction=True)
FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"


def reply(text="Hello", **changes):
    """A reply as the platform posts it, written right now."""
    written = datetime.now(UTC).isoformat(timespec="milliseconds")
    values = {"phone": phone(1), "time": written, "channel": "viber", "text_from_subscriber": text, **changes}
    return {key: value for key, value in values.items() if value is not None}


def sent(number=1, *, ago=timedelta(hours=1), **changes):
    """A message that the platform took some time ago."""
    count = Message.objects.count()
    values = {"phone_number": phone(number), "extra_id": f"own-{count}", "status": "delivered", "channel": "viber"}
    return Message.objects.create(accepted_at=timezone.now() - ago, **values | changes)


def matched(**changes):
    apply_replies([reply(**changes)])
    return Reply.objects.latest("pk").message


@pytest.fixture
def heard():
    texts = []

    def receiver(sender, reply, **kwargs):
        texts.append(reply.text)

    reply_received.connect(receiver)
    yield texts
    reply_received.disconnect(receiver)


# Stop


@pytest.mark.parametrize(
    "text",
    [
        "стоп",
        "Стоп!",
        "STOP.",
        "  Стоп ",
        "«СТОП»",
        "stop 🛑",
        "❤️ Stop ❤️",
        "\u200bstop\u200d",
        "ＳＴＯＰ",
        "Unsubscribe",
        "відписати\u0441я",
        "Відмовляюсь!!!",
        "ВІДМОВЛЯЮСЬ",
        "-stop-\n",
    ],
)
def test_a_stop_word_puts_the_number_on_the_list(text):
    apply_replies([reply(text)])

    number = Suppression.objects.get()
    assert number.phone_number == phone(1)
    assert number.reason == "Opted out by reply."
    assert timezone.now() - number.created_at < timedelta(minutes=1)


@pytest.mark.parametrize(
    "text",
    [
        "please stop sending me things at 5",
        "non-stop",
        "stopped",
        "не стоп",
        "автостоп",
        "?!",
        "Відпишіть мені",
        "👍",
        "",
    ],
)
def test_other_texts_do_not(text):
    apply_replies([reply(text)])

    assert Reply.objects.exists()
    assert not Suppression.objects.exists()


def test_the_words_are_the_accounts_own(settings):
    settings.HYBER = {"default": {"STOP_WORDS": ["no more, please", "no!"]}}

    apply_replies([reply("stop"), reply("", phone=phone(2)), reply("No more please", phone=phone(3))])

    assert [number.phone_number for number in Suppression.objects.all()] == [phone(3)]


def test_a_decomposed_letter_is_the_same_letter(settings):
    settings.HYBER = {"default": {"STOP_WORDS": ["дякую, ні", "їжа"]}}

    apply_replies([reply("і\u0308жа")])

    assert Suppression.objects.exists()


def test_many_stops_of_one_number_are_one_entry():
    Suppression.objects.create(phone_number=phone(1), reason="asked by phone")

    assert apply_replies([reply("stop"), reply("СТОП"), reply("stop", phone=phone(2))]) == 3

    assert sorted(Suppression.objects.values_list("phone_number", "reason")) == [
        (phone(1), "asked by phone"),
        (phone(2), "Opted out by reply."),
    ]


def test_a_repeated_stop_does_not_opt_out_who_has_come_back():
    stop = reply("stop")
    apply_replies([stop])
    Suppression.objects.all().delete()

    assert apply_replies([stop]) == 0
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("time", [None, "", "30.11.2026 12:00:00"])
@pytest.mark.parametrize("back", ["Старт", None], ids=["by start", "by a colleague"])
def test_a_second_stop_without_a_readable_time_opts_out_again(time, back):
    stop = reply("СТОП", time=time)
    apply_replies([stop])
    if back:
        apply_replies([reply(back, time=time)])
    else:
        remove_opt_outs(Suppression.objects.all(), by="olena")
    assert not Suppression.objects.exists()

    assert apply_replies([stop, reply("Hello")]) == 1
    assert Suppression.objects.get().reason == "Opted out by reply."


def test_a_second_stop_without_a_time_tells_which_reply_it_was():
    stop = reply("СТОП", time=None)
    apply_replies([stop])
    remove_opt_outs(Suppression.objects.all(), by="olena")
    apply_replies([stop])

    assert Suppression.objects.get().reply == Reply.objects.get()


def test_a_repeated_start_without_a_time_takes_nobody_off_the_list():
    start = reply("Старт", time=None)
    apply_replies([start])
    apply_replies([reply("СТОП", time=None)])
    apply_replies([start])

    assert Suppression.objects.exists()


def minutes_ago(minutes, text, **changes):
    written = datetime.now(UTC) - timedelta(minutes=minutes)
    return reply(text, time=written.isoformat(timespec="milliseconds"), **changes)


def test_start_takes_the_number_off_the_list_and_keeps_its_history():
    apply_replies([minutes_ago(10, "СТОП"), reply("stop", phone=phone(2))])
    apply_replies([minutes_ago(5, "Старт, будь ласка")])

    assert [number.phone_number for number in Suppression.objects.all()] == [phone(2)]
    former = FormerOptOut.objects.get()
    assert (former.phone_number, former.reason, former.ended_reason) == (
        phone(1),
        "Opted out by reply.",
        "Opted in again by reply.",
    )
    assert (former.reply.text, former.ended_reply.text) == ("СТОП", "Старт, будь ласка")
    assert former.ended_at - former.created_at == pytest.approx(timedelta(minutes=5), abs=timedelta(seconds=1))


@pytest.mark.parametrize("posted_together", [True, False])
@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_a_last_stop_counts_in_whatever_order_the_replies_arrive(order, posted_together):
    written = [minutes_ago(30, "stop"), minutes_ago(20, "start"), minutes_ago(10, "stop")]
    posted = [written[index] for index in order]
    for body in [posted] if posted_together else [[item] for item in posted]:
        apply_replies(body)

    assert Suppression.objects.exists()


def test_a_last_start_counts_in_whatever_order_an_array_has_them():
    apply_replies([minutes_ago(5, "start"), minutes_ago(10, "stop")])

    assert not Suppression.objects.exists()


def test_of_stop_and_start_of_the_same_second_stop_counts():
    written = datetime.now(UTC).replace(microsecond=0).isoformat()
    apply_replies([reply("stop", time=written)])
    apply_replies([reply("start", time=written)])

    assert Suppression.objects.exists()


def test_start_of_before_a_colleague_added_the_number_changes_nothing():
    Suppression.objects.create(phone_number=phone(1), reason="asked by phone")

    apply_replies([minutes_ago(5, "start")])

    assert Suppression.objects.exists()


def test_a_start_that_was_written_in_a_wrong_year_counts_from_its_arrival():
    apply_replies([reply("stop", time="2099-01-01T00:00:00Z")])
    apply_replies([reply("start", time="2001-01-01T00:00:00Z")])

    assert not Suppression.objects.exists()


def test_start_words_are_the_accounts_own(settings):
    settings.HYBER = {"default": {"START_WORDS": ["вернусь"]}}
    apply_replies([minutes_ago(9, "stop"), minutes_ago(9, "stop", phone=phone(2))])
    apply_replies([minutes_ago(5, "start"), minutes_ago(5, "Вернусь!", phone=phone(2))])

    assert [number.phone_number for number in Suppression.objects.all()] == [phone(1)]


def test_every_way_off_the_list_keeps_the_history():
    for number in range(3):
        Suppression.objects.create(phone_number=phone(number), reason=f"reason {number}")
    Suppression.objects.get(phone_number=phone(0)).delete()
    Suppression.objects.filter(phone_number=phone(1)).delete()
    Suppression.objects.all().delete()

    assert sorted(FormerOptOut.objects.values_list("phone_number", "reason")) == [
        (phone(number), f"reason {number}") for number in range(3)
    ]


def test_reply_and_opt_out_are_stored_together_or_not_at_all(monkeypatch, heard):
    def fail(*args):
        raise DatabaseError("the database has gone away")

    stop = reply("stop")
    with monkeypatch.context() as trouble:
        trouble.setattr(replies, "apply_wishes", fail)
        with pytest.raises(DatabaseError):
            apply_replies([stop])
    assert not Reply.objects.exists()
    assert heard == []

    assert apply_replies([stop]) == 1
    assert Suppression.objects.exists()


@pytest.mark.parametrize("spelling", ["0{}", "80{}", "00380{}", "tel:+380{}", "\u2068+380{}\u2069"])
def test_who_said_stop_is_left_out_however_the_reply_writes_the_number(platform, spelling):
    apply_replies([reply("stop", phone=spelling.format(phone(1).removeprefix("380")))])
    campaign = Campaign.objects.create(name="Sale")
    campaign.set_channels([SMS(text="Hi", alpha_name="Shop", ttl=300)])
    import_recipients(campaign, [{"phone": phone(1)}, {"phone": phone(2)}])
    start_campaign(campaign)

    statuses = dict(Message.objects.values_list("phone_number", "status"))
    assert statuses[phone(1)] == "suppressed"
    assert statuses[phone(2)] != "suppressed"


def test_a_number_is_read_as_one_of_the_accounts_region(settings):
    settings.HYBER = {"default": {"DEFAULT_REGION": "PL"}}

    apply_replies([reply("stop", phone="501234567")])

    assert Suppression.objects.get().phone_number == "48501234567"


def test_who_said_stop_is_left_out_of_of_what_is_still_queued(platform):
    campaign = Campaign.objects.create(name="Sale")
    campaign.set_channels([SMS(text="Hi", alpha_name="Shop", ttl=300)])
    import_recipients(campaign, [{"phone": phone(1)}, {"phone": phone(2)}])
    with transaction.atomic():
        start_campaign(campaign)
        apply_replies([reply("stop")])
    for batch in campaign.batches.all():
        submit_batch(batch.pk)

    statuses = dict(Message.objects.values_list("phone_number", "status"))
    assert statuses[phone(1)] == "suppressed"
    assert statuses[phone(2)] != "suppressed"


# Matching


def test_ids_tell_the_message_however_old_it_is():
    by_extra_id = sent(ago=timedelta(days=300), extra_id="order-1")
    by_message_id = sent(ago=timedelta(days=300), message_id="m-1")
    sent()

    assert matched(extra_id="order-1", message_id="unknown") == by_extra_id
    assert matched(message_id="m-1") == by_message_id


def test_ids_that_are_not_ours_are_not_guessed_about():
    sent()

    assert matched(message_id="of-somebody-else") is None


def test_a_reply_without_ids_answers_the_newest_message_of_the_week():
    sent(ago=timedelta(days=6))
    newest = sent(ago=timedelta(minutes=5))
    sent(number=2, ago=timedelta(minutes=1))

    assert matched() == newest


@pytest.mark.parametrize(
    "changes",
    [
        {"ago": timedelta(days=8)},
        {"channel": "sms"},
        {"status": "expired", "channel": ""},
        {"status": "rejected", "channel": ""},
        {"account": "promo"},
        {"phone_number": phone(2)},
    ],
)
def test_what_cannot_have_been_answered_is_not_matched(changes):
    sent(**changes)

    assert matched() is None


def test_whatsapp_answers_what_whatsapp_delivered():
    message = sent(ago=timedelta(hours=2), channel="whatsapp")
    sent(ago=timedelta(hours=1), channel="viber")

    assert matched(channel="whatsapp", umid="91dbb1a6-2410-ea11-8153-022a22cc1c71") == message


def test_a_message_that_may_have_been_delivered_meanwhile_counts():
    message = sent(status="accepted", channel="")

    assert matched() == message


def test_a_message_of_after_the_reply_is_not_what_it_answers():
    earlier = sent(ago=timedelta(hours=5))
    sent(ago=timedelta(hours=1))
    written = datetime.now(UTC) - timedelta(hours=2)

    assert matched(time=written.isoformat()) == earlier


def test_two_clocks_may_differ_a_little():
    message = sent(ago=timedelta(hours=1))
    written = datetime.now(UTC) - timedelta(hours=1, seconds=30)

    assert matched(time=written.isoformat()) == message


def test_two_messages_of_the_same_moment_are_ambiguous():
    moment = timezone.now() - timedelta(hours=1)
    for _ in range(2):
        Message.objects.filter(pk=sent().pk).update(accepted_at=moment)

    assert matched() is None


@pytest.mark.parametrize("time", ["0001-01-02T00:00:00Z", "9999-12-31T23:59:59Z", None, "rubbish"])
def test_no_time_is_too_odd_to_store_the_reply(time):
    sent()

    assert apply_replies([reply(time=time)]) == 1


def test_reply_to_a_message_that_is_deleted_in_that_moment_is_kept(monkeypatch):
    gone, stays = sent(), sent(number=2)
    match = replies._match

    def match_and_delete(*arguments):
        found = match(*arguments)
        in_own_connection(gone.delete)()
        return found

    monkeypatch.setattr(replies, "_match", match_and_delete)

    assert apply_replies([reply("stop", extra_id=gone.extra_id), reply("Hi", extra_id=stays.extra_id)]) == 2
    assert dict(Reply.objects.values_list("text", "message")) == {"stop": None, "Hi": stays.pk}
    assert Suppression.objects.filter(phone_number=phone(1)).exists()


def test_the_statements_do_not_grow_with_the_replies():
    counts = []
    for number in (2, 200):
        for index in range(number):
            sent(number=index)
        texts = ["stop", "Hello"] * (number // 2)
        posted = [reply(text, phone=phone(index)) for index, text in enumerate(texts)]
        posted += [reply(text, phone=phone(500 + index), extra_id="own-1") for index, text in enumerate(texts)]
        with CaptureQueriesContext(connection) as queries:
            assert apply_replies(posted) == 2 * number
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 12


# Once


def at_once(*calls):
    """Make the calls in threads of their own, together, and return what they returned."""
    together = threading.Barrier(len(calls))
    results = []

    def run(call):
        together.wait()
        try:
            results.append(call())
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_a_reply_that_comes_twice_at_the_same_moment_is_told_once(heard):
    stored = 0
    for round_number in range(5):
        texts = ["stop!" + "!" * round_number, *(f"{round_number}: {index}" for index in range(19))]
        replies = [reply(text, phone=phone(index)) for index, text in enumerate(texts)]
        stored += sum(at_once(lambda: apply_replies(replies), lambda: apply_replies(replies[::-1])))  # noqa: B023

    assert Reply.objects.count() == 100
    assert stored == 100
    assert len(heard) == len(set(heard)) == 100


def test_replies_and_reports_about_the_same_messages_do_not_wait_in_a_circle():
    messages = [sent(number=number, status="accepted", channel="") for number in range(300)]
    for round_number in range(5):
        replies = [reply(f"{round_number}", phone=row.phone_number, extra_id=row.extra_id) for row in messages]
        reports = [report(row, time=1_700_000_000_000 + round_number) for row in messages]
        results = at_once(lambda: apply_replies(replies), lambda: apply_delivery_reports(reports))  # noqa: B023
        assert len(results) == 2

    assert Reply.objects.exclude(message=None).count() == 1500


def test_a_reply_stored_by_another_callback_meanwhile_is_not_ours(heard, monkeypatch):
    from django_hyber.replies import reply_intake as replies

    first, second = reply("first"), reply("second")
    match = replies._match

    def overtake(*args):
        monkeypatch.setattr(replies, "_match", match)
        apply_replies([first])
        return match(*args)

    monkeypatch.setattr(replies, "_match", overtake)

    assert apply_replies([first, second]) == 1
    assert heard == ["first", "second"]


# Attachments


def allow_all(address):
    return True


@pytest.fixture
def storage(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.HYBER = {"default": {"FETCH_MEDIA": True, "MEDIA_MAX_BYTES": 1000, "READ_TIMEOUT": 2}}
    return tmp_path


@pytest.fixture
def server():
    with platforms.serve() as running:
        running.body = b"the picture"
        yield running


def with_media(url, file_name="photo.jpg"):
    count = Reply.objects.count()
    return Reply.objects.create(
        account="default", fingerprint=str(count), media_url=url, media_kind="image", file_name=file_name, raw={}
    )


def files(storage):
    return [path for path in storage.rglob("*") if path.is_file()]


def test_the_attachment_is_kept(storage, server):
    kept = with_media(f"{server.url}/x?sig=1", "My photo.JPG")

    fetch_media(kept.pk, allow_all)

    kept.refresh_from_db()
    assert kept.media_file.read() == b"the picture"
    assert re.fullmatch(r"hyber/replies/[0-9-]{10}/[0-9a-f]{48}\.jpg", kept.media_file.name)
    kept.media_file.close()


def test_an_attachment_is_fetched_once(storage, server):
    kept = with_media(server.url)

    fetch_media(kept.pk, allow_all)
    fetch_media(kept.pk, allow_all)

    assert len(server.requests) == 1
    assert len(files(storage)) == 1


def test_of_two_tasks_one_downloads(storage, monkeypatch):
    kept = with_media("http://media.example/x")
    started, go_on = threading.Event(), threading.Event()
    downloads = []

    def download(url, target, **limits):
        downloads.append(url)
        started.set()
        go_on.wait(10)
        target.write(b"x")
        return 1

    def work():
        try:
            fetch_media(kept.pk)
        finally:
            connection.close()

    monkeypatch.setattr(attachments, "download", download)
    first = threading.Thread(target=work)
    first.start()
    assert started.wait(10)
    kept.refresh_from_db()
    assert find_attachment(kept).state is AttachmentState.BEING_FETCHED
    fetch_media(kept.pk)
    go_on.set()
    first.join()

    assert len(downloads) == 1
    kept.refresh_from_db()
    assert (bool(kept.media_file), kept.lease_until) == (True, None)


def test_of_two_tasks_that_have_read_the_same_row_one_downloads(storage, server, monkeypatch):
    kept = with_media(server.url)
    as_it_is = attachments.get_account

    def get_account(name):
        Reply.objects.update(lease_until=timezone.now() + timedelta(minutes=1))
        return as_it_is(name)

    monkeypatch.setattr(attachments, "get_account", get_account)
    fetch_media(kept.pk, allow_all)

    assert server.requests == []


def test_what_a_stopped_worker_left_is_taken_up_after_its_lease(storage, server):
    kept = with_media(server.url)
    Reply.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    fetch_media(kept.pk, allow_all)

    kept.refresh_from_db()
    assert (bool(kept.media_file), kept.lease_until) == (True, None)


def test_a_worker_that_was_taken_over_leaves_no_file(storage, monkeypatch):
    kept = with_media("http://media.example/x")

    def download(url, target, **limits):
        Reply.objects.update(media_file="hyber/replies/of-the-other.jpg", attempts=2, lease_until=None)
        target.write(b"x")
        return 1

    monkeypatch.setattr(attachments, "download", download)
    fetch_media(kept.pk)

    kept.refresh_from_db()
    assert kept.media_file.name == "hyber/replies/of-the-other.jpg"
    assert files(storage) == []


def test_a_failure_is_logged_without_the_link_and_can_be_tried_again(storage, server, caplog):
    kept = with_media(f"{server.url}/x?signature=secret")
    server.status = 404
    fetch_media(kept.pk, allow_all)

    kept.refresh_from_db()
    assert (kept.media_file.name, kept.lease_until) == ("", None)
    assert f"The attachment of reply {kept.pk} was not kept: HTTP 404" in caplog.text
    assert "secret" not in caplog.text

    server.status = 200
    fetch_media(kept.pk, allow_all)
    kept.refresh_from_db()
    assert (bool(kept.media_file), kept.lease_until) == (True, None)


def test_trouble_with_the_storage_frees_the_attachment(storage, server):
    kept = with_media(server.url)
    (storage / "hyber-private").write_text("not a folder")

    with pytest.raises((FileExistsError, NotADirectoryError)):
        fetch_media(kept.pk, allow_all)

    kept.refresh_from_db()
    assert (kept.media_file.name, kept.lease_until) == ("", None)


def test_a_file_over_the_limit_is_not_kept(storage, server):
    server.body = b"x" * 1001
    kept = with_media(server.url)

    fetch_media(kept.pk, allow_all)

    assert files(storage) == []


def test_the_callback_has_the_attachment_fetched_after_commit(storage, monkeypatch):
    fetched = []

    def download(url, target, **limits):
        assert not connection.in_atomic_block
        fetched.append((url, limits["is_allowed"]))
        target.write(b"x")
        return 1

    monkeypatch.setattr(attachments, "download", download)
    with transaction.atomic():
        apply_replies([reply(None, media="https://example.com/file.docx", file_name="file.docx"), reply("text")])
        assert fetched == []

    assert fetched == [("https://example.com/file.docx", attachments.is_public)]
    assert Reply.objects.exclude(media_url="").get().media_file


def losing_tasks():
    return override_settings(TASKS={"default": {"BACKEND": f"{FRAMEWORK}.backends.dummy.DummyBackend"}})


@pytest.fixture
def our_network(monkeypatch):
    """Attachments may come from this machine."""
    monkeypatch.setattr(attachments.fetch_media, "__defaults__", (allow_all,))


def let_a_minute_pass():
    Reply.objects.update(received_at=F("received_at") - timedelta(minutes=1))
    Reply.objects.exclude(lease_until=None).update(lease_until=F("lease_until") - timedelta(minutes=1))


@pytest.mark.usefixtures("our_network")
def test_attachment_whose_task_was_lost_is_fetched_by_the_sweep(storage, server):
    with losing_tasks():
        apply_replies([reply(None, media=server.url)])
    dispatch()
    assert server.requests == []
    let_a_minute_pass()
    dispatch()

    assert Reply.objects.get().media_file
    assert len(server.requests) == 1


@pytest.mark.usefixtures("our_network")
def test_attachment_whose_tasks_are_all_lost_is_enqueued_every_minute(storage, server):
    with losing_tasks():
        apply_replies([reply(None, media=server.url)])
        for _ in range(3):
            let_a_minute_pass()
            dispatch()
    dispatch()
    assert server.requests == []
    let_a_minute_pass()
    dispatch()

    assert Reply.objects.get().media_file


@pytest.mark.usefixtures("our_network")
def test_attachment_whose_worker_has_stopped_is_fetched_by_the_sweep(storage, server):
    kept = with_media(server.url)
    Reply.objects.update(attempts=1, lease_until=timezone.now() - timedelta(minutes=2))
    dispatch()

    kept.refresh_from_db()
    assert (bool(kept.media_file), kept.attempts) == (True, 2)


@pytest.mark.usefixtures("our_network")
def test_attachment_that_a_person_has_requested_again_is_enqueued_by_the_sweep_too(storage, server):
    kept = with_media(server.url)
    Reply.objects.update(attempts=1)
    with losing_tasks():
        fetch_again(kept)
    let_a_minute_pass()
    dispatch()

    kept.refresh_from_db()
    assert kept.media_file


@pytest.mark.parametrize(
    "columns",
    [
        {"attempts": 1, "lease_until": None},
        {"attempts": 1, "lease_until": timezone.now() + timedelta(days=1)},
        {"attempts": 5, "lease_until": "2020-01-01T00:00:00Z"},
        {"received_at": timezone.now() - timedelta(days=1, minutes=1)},
        {"account": "gone"},
        {"media_url": ""},
    ],
    ids=["failed", "at work", "stops every worker", "too old", "no account", "no link"],
)
@pytest.mark.usefixtures("our_network")
def test_sweep_leaves_this_attachment_alone(storage, server, columns):
    with_media(server.url)
    Reply.objects.update(received_at=timezone.now() - timedelta(minutes=2))
    Reply.objects.update(**columns)
    dispatch()

    assert server.requests == []


def test_by_default_our_own_network_is_not_asked(storage, server, caplog):
    apply_replies([reply(None, media=server.url)])

    assert server.requests == []
    assert Reply.objects.get().media_file.name == ""
    assert "not on the public internet" in caplog.text


def test_without_the_setting_nothing_is_fetched(storage, settings, monkeypatch):
    settings.HYBER = {"default": {}}
    monkeypatch.setattr(attachments, "download", None)

    apply_replies([reply(None, media="https://example.com/file.docx")])

    assert Reply.objects.get().media_file.name == ""


@pytest.mark.parametrize(
    ("file_name", "url", "name"),
    [
        ("photo.jpg", "", "photo.jpg"),
        ("Фото 1.PNG", "", "Фото_1.png"),
        ("../../etc/passwd", "", "passwd.bin"),
        ("..\\..\\windows\\win.ini", "", "win_ini.bin"),
        ("/abs/page.html", "", "page_html.bin"),
        ("picture.svg", "", "picture_svg.bin"),
        ("shell.php.jpg", "", "shell_php.jpg"),
        ("a.jpg.xhtml", "", "a_jpg_xhtml.bin"),
        (".htaccess", "", "htaccess.bin"),
        ("con\r\ntrol\x00.pdf", "", "con_trol.pdf"),
        ("", "https://media.example/a/b%20c.mp4?sig=/x.html", "b_c.mp4"),
        ("", "https://media.example/%2e%2e%2fx.jpg", "x.jpg"),
        ("", "https://media.example/", "file.bin"),
        ("...", "", "file.bin"),
        ("x" * 300 + ".docx", "", "" + "x" * 60 + ".docx"),
        ("x." + "y" * 300, "", "x_" + "y" * 58 + ".bin"),
    ],
)
def test_the_name_of_a_download_is_harmless(file_name, url, name):
    assert download_name(file_name, url) == name
