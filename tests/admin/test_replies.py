from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse
from django.utils import timezone

from django_hyber.models import Message, Reply, Suppression
from django_hyber.replies.opt_out_list import OPTED_OUT_BY_COLLEAGUE
from django_hyber.services import apply_replies

LIST = "/admin/django_hyber/reply/"
PHONE = "380671234567"
LINK = "https://media.example/photo.jpg?sig=1"


@pytest.fixture
def make_reply(db):
    def make(**changes):
        values = {"account": "default", "channel": "viber", "phone_number": PHONE, "text": "Thanks", "raw": {}}
        return Reply.objects.create(fingerprint=str(Reply.objects.count()), **values | changes)

    return make


def listed(response):
    return list(response.context["cl"].result_list)


def url_of(reply, page="change"):
    return f"{LIST}{reply.pk}/{page}/"


def page_of(client, reply):
    return client.get(url_of(reply)).content.decode()


def attachment_on(client, reply):
    """The attachment's part of the page."""
    page = page_of(client, reply)
    return re.search(r'field-attachment.*?<div class="readonly">(.*?)</div>', page, re.DOTALL)[1]


def address_of(reply):
    """The address of our copy of an attachment."""
    return reverse("admin:django_hyber_reply_attachment", args=[reply.pk])


def act(client, name, *replies):
    data = {"action": name, "_selected_action": [reply.pk for reply in replies]}
    return client.post(LIST, data, follow=True).content.decode()


def is_unread(reply):
    reply.refresh_from_db()
    return reply.read_at is None


def test_what_is_unread_is_marked_for_the_eye_and_the_ear(admin_client, make_reply):
    make_reply(text="<b>News</b>")
    make_reply(text="Old", read_at=timezone.now())

    page = admin_client.get(LIST).content.decode()

    assert page.count('<span class="hyber-hidden">unread</span>') == 1
    assert "<strong>&lt;b&gt;News&lt;/b&gt;</strong>" in page
    assert "<strong>Old" not in page


@pytest.mark.parametrize(
    ("said", "shown"),
    [({"media_kind": "image"}, "image"), ({"location": "50.45,30.52"}, "50.45,30.52"), ({}, "viber")],
)
def test_a_reply_without_a_text_is_listed_by_what_it_has(admin_client, make_reply, said, shown):
    make_reply(text="", **said)

    assert f"<strong>{shown}</strong>" in admin_client.get(LIST).content.decode()


def test_unread_replies_can_be_listed(admin_client, make_reply):
    unread = make_reply()
    read = make_reply(read_at=timezone.now())

    assert listed(admin_client.get(LIST, {"read": "no"})) == [unread]
    assert listed(admin_client.get(LIST, {"read": "yes"})) == [read]
    assert listed(admin_client.get(LIST, {"read": "nonsense"})) == [read, unread]


def test_replies_are_found_by_the_whole_number(admin_client, make_reply):
    found = make_reply()
    make_reply(phone_number="380671234568")

    assert listed(admin_client.get(LIST, {"q": "067 123 45 67"})) == [found]
    assert listed(admin_client.get(LIST, {"q": "38067"})) == []


def test_many_are_marked_at_once(admin_client, make_reply):
    first, second, third = (make_reply() for _ in range(3))

    assert "2 replies were marked as read." in act(admin_client, "mark_read", first, second)
    assert [is_unread(reply) for reply in (first, second, third)] == [False, False, True]
    assert "1 reply was marked as unread." in act(admin_client, "mark_unread", first, third)
    assert is_unread(first)


def test_reading_a_page_marks_nothing_and_its_button_does(admin_client, make_reply):
    reply = make_reply()

    page = page_of(admin_client, reply)
    assert is_unread(reply)
    assert f'formaction="{url_of(reply, "read")}" value="Mark as read"' in page
    assert admin_client.get(url_of(reply, "read"))["Location"] == url_of(reply)
    assert is_unread(reply)

    response = admin_client.post(url_of(reply, "read"))
    assert response["Location"] == url_of(reply)
    assert not is_unread(reply)
    assert 'value="Mark as unread"' in page_of(admin_client, reply)
    admin_client.post(url_of(reply, "unread"))
    assert is_unread(reply)


def test_the_first_reading_is_kept(admin_client, make_reply):
    moment = timezone.now() - timedelta(days=1)
    reply = make_reply(read_at=moment)

    admin_client.post(url_of(reply, "read"))

    reply.refresh_from_db()
    assert reply.read_at == moment


def test_a_reply_is_read_only(admin_client, make_reply):
    reply = make_reply(text="<b>Thanks</b>")
    page = page_of(admin_client, reply)

    assert "&lt;b&gt;Thanks&lt;/b&gt;" in page
    assert 'name="_save"' not in page
    assert admin_client.post(url_of(reply), {"text": "Other"}).status_code == 403
    assert admin_client.post(url_of(reply, "delete"), {"post": "yes"}).status_code == 403


def test_a_reply_leads_to_its_message_and_campaign(admin_client, make_reply, draft):
    message = Message.objects.create(campaign=draft, phone_number=PHONE, extra_id="order-7")
    reply = make_reply(message=message)

    page, in_list = page_of(admin_client, reply), admin_client.get(LIST).content.decode()

    assert f'<a href="/admin/django_hyber/message/{message.pk}/change/">order-7</a>' in page
    for text in (page, in_list):
        assert f'<a href="/admin/django_hyber/campaign/{draft.pk}/change/">Spring sale</a>' in text


@pytest.mark.parametrize("answered", ["single", "nothing"])
def test_a_reply_to_no_campaign_is_shown_too(admin_client, make_reply, answered):
    message = Message.objects.create(phone_number=PHONE, extra_id="order-7") if answered == "single" else None
    reply = make_reply(message=message)

    assert admin_client.get(url_of(reply)).status_code == 200
    assert admin_client.get(LIST).status_code == 200


def test_the_list_takes_the_same_queries_whatever_its_length(
    admin_client, make_reply, draft, add_recipients, django_assert_num_queries
):
    for count in (3, 27):
        for message in add_recipients(draft, count):
            make_reply(message=message, phone_number=message.phone_number)
            Suppression.objects.create(phone_number=message.phone_number)
        with django_assert_num_queries(4):
            admin_client.get(LIST)


# Opting out


def test_who_wrote_can_be_opted_out(admin_client, make_reply):
    first, again = make_reply(), make_reply()
    other = make_reply(phone_number="380671234568")
    assert "opted out</td>" not in admin_client.get(LIST).content.decode()

    assert "1 number was added." in act(admin_client, "opt_out", first, again)

    number = Suppression.objects.get()
    assert (number.phone_number, number.reason) == (PHONE, OPTED_OUT_BY_COLLEAGUE)
    assert admin_client.get(LIST).content.decode().count("opted out</td>") == 2
    page = page_of(admin_client, first)
    assert OPTED_OUT_BY_COLLEAGUE in page
    assert 'value="Add to the opted-out numbers"' not in page

    assert 'value="Add to the opted-out numbers"' in page_of(admin_client, other)
    admin_client.post(url_of(other, "opt_out"))
    assert Suppression.objects.count() == 2


# Attachments


def test_a_link_of_today_is_shown_with_its_end(admin_client, make_reply):
    reply = make_reply(media_url=LINK, file_name="photo.jpg")

    shown = attachment_on(admin_client, reply)
    assert f'<a href="{LINK}" rel="noopener noreferrer">photo.jpg</a>' in shown
    assert "available until" in shown
    assert "No copy" not in shown


def test_a_link_of_yesterday_is_no_link(admin_client, make_reply):
    shown = attachment_on(
        admin_client, make_reply(media_url=LINK, media_kind="image", received_at=timezone.now() - timedelta(hours=25))
    )

    assert "image (the platform no longer keeps it)" in shown
    assert "href" not in shown


def test_the_day_begins_when_the_reply_was_written(admin_client, make_reply):
    written = timezone.now() - timedelta(hours=25)

    assert "no longer" in attachment_on(admin_client, make_reply(media_url=LINK, replied_at=written))
    late = timezone.now() + timedelta(days=300)
    old = timezone.now() - timedelta(days=2)
    assert "no longer" in attachment_on(admin_client, make_reply(media_url=LINK, replied_at=late, received_at=old))


@pytest.mark.parametrize("link", ["javascript:alert(1)", " javascript:alert(1)", "data:text/html,x", "//media.example"])
def test_what_is_no_web_address_is_no_link(admin_client, make_reply, link):
    assert "href" not in attachment_on(admin_client, make_reply(media_url=link, file_name="photo.jpg"))


def test_a_copy_is_linked_for_ever(admin_client, make_reply, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.HYBER = {"default": {"FETCH_MEDIA": True}}
    old = timezone.now() - timedelta(days=300)
    reply = make_reply(media_url=LINK, file_name="photo.jpg", received_at=old)
    reply.media_file.save("x-photo.jpg", ContentFile(b"x"))

    shown = attachment_on(admin_client, reply)
    assert f'<a href="{address_of(reply)}" rel="noopener noreferrer">photo.jpg</a> (stored here)' in shown
    assert "No copy" not in shown


@pytest.mark.parametrize(("name", "shown"), [("photo.jpg", "photo.jpg"), ("page.html", "page_html.bin")])
def test_a_copy_is_downloaded_and_never_shown(admin_client, make_reply, settings, tmp_path, name, shown):
    settings.MEDIA_ROOT = tmp_path / "media"
    reply = make_reply(media_url=LINK, file_name=name)
    reply.media_file.save(name, ContentFile(b"<script>"))

    response = admin_client.get(address_of(reply))

    assert b"".join(response.streaming_content) == b"<script>"
    assert response["Content-Disposition"] == f'attachment; filename="{shown}"'
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in response["Cache-Control"]


def test_a_copy_that_is_gone_is_not_found(admin_client, make_reply):
    reply = make_reply(media_url=LINK, file_name="photo.jpg", media_file="hyber/replies/x-photo.jpg")

    assert admin_client.get(address_of(reply)).status_code == 404


def test_a_reply_of_the_year_9999_is_shown_with_the_others(admin_client, platform):
    apply_replies([{"phone": PHONE, "time": "9999-12-31T23:59:59Z", "channel": "whatsapp", "text": "Thanks"}])

    assert admin_client.get(LIST).status_code == 200
    assert "Thanks" in page_of(admin_client, Reply.objects.get())


def test_an_attachment_that_is_being_fetched_is_no_copy_yet(admin_client, make_reply):
    end = timezone.now() + timedelta(minutes=1)

    shown = attachment_on(admin_client, make_reply(media_url=LINK, lease_until=end))
    assert "being fetched" in shown
    assert "stored here" not in shown


def test_a_missing_copy_is_told_and_can_be_tried_again(admin_client, make_reply, settings, caplog):
    settings.HYBER = {"default": {"FETCH_MEDIA": True}}
    reply = make_reply(media_url="https://127.0.0.1/photo.jpg", file_name="photo.jpg")

    assert "No copy was stored" in attachment_on(admin_client, reply)
    assert 'value="Fetch the attachment"' in page_of(admin_client, reply)
    admin_client.post(url_of(reply, "fetch"))
    assert f"The attachment of reply {reply.pk} was not kept" in caplog.text


def test_what_is_gone_cannot_be_tried_again(admin_client, make_reply, settings):
    settings.HYBER = {"default": {"FETCH_MEDIA": True}}
    page = page_of(admin_client, make_reply(media_url=LINK, received_at=timezone.now() - timedelta(days=2)))

    assert "No copy was stored" in page
    assert "Fetch the attachment" not in page


def test_a_reply_of_an_account_that_is_gone_is_shown(admin_client, make_reply):
    assert "available until" in attachment_on(admin_client, make_reply(media_url=LINK, account="gone"))


# Permissions


def test_who_may_only_look_changes_nothing(client, make_reply, log_in):
    log_in("view_reply")
    reply = make_reply()

    assert "formaction" not in page_of(client, reply)
    assert 'name="action"' not in client.get(LIST).content.decode()
    for page in ("read", "unread", "opt_out", "fetch"):
        assert client.post(url_of(reply, page)).status_code == 403
    act(client, "mark_read", reply)
    act(client, "opt_out", reply)
    assert is_unread(reply)
    assert not Suppression.objects.exists()


def test_marking_and_opting_out_are_two_permissions(client, make_reply, log_in):
    log_in("view_reply", "change_reply")
    reply = make_reply()

    assert "opted-out" not in page_of(client, reply)
    assert client.post(url_of(reply, "opt_out")).status_code == 403
    client.post(url_of(reply, "read"))
    assert not is_unread(reply)
    assert client.post(url_of(reply), {"text": "Other"}).status_code == 403


def test_a_button_needs_to_see_the_reply(client, make_reply, log_in):
    log_in("add_suppression")

    assert client.post(url_of(make_reply(), "opt_out")).status_code == 403


def test_a_button_of_an_unknown_reply_finds_nothing(admin_client, db):
    assert admin_client.post(f"{LIST}999/read/").status_code == 404


def test_a_button_needs_the_token_of_the_page(make_reply, admin_user):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)

    assert client.post(url_of(make_reply(), "read")).status_code == 403
