"""The object of the project that a message is about."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import connections

from django_hyber.campaigns.copy import CopyAudience, copy_once
from django_hyber.errors import ExtraIdError
from django_hyber.models import Campaign, Message
from django_hyber.protocol import SMS
from django_hyber.services import import_recipients, purge_personal_data, send_message
from tests.samples import PHONE, phone
from tests.store.models import Card, Customer, Day, Measure, Profile, Rate, Seat

pytestmark = pytest.mark.django_db(transaction=True)

CHANNELS = [SMS(text="On its way", alpha_name="GMSU", ttl=300)]


@pytest.fixture
def group():
    return Group.objects.create(name="Shop")


def test_reference_is_the_instance_again(platform, group):
    send_message(PHONE, CHANNELS, reference=group)

    assert Message.objects.get().reference == group


def test_message_without_a_reference_has_none_and_asks_nothing(platform, django_assert_num_queries):
    send_message(PHONE, CHANNELS)
    message = Message.objects.get()

    with django_assert_num_queries(0):
        assert message.reference is None


def test_reference_costs_one_query(platform, group, django_assert_num_queries):
    send_message(PHONE, CHANNELS, reference=group)
    message = Message.objects.get()

    with django_assert_num_queries(1):
        assert message.reference == group


def test_reference_to_a_deleted_object_is_none(platform, group):
    message = send_message(PHONE, CHANNELS, reference=group)
    group.delete()

    assert message.reference is None
    assert Message.objects.get().reference is None


def test_reference_with_a_key_of_text(platform):
    session = Session.objects.create(session_key="abc-123", expire_date="2030-01-01T00:00:00Z")

    assert send_message(PHONE, CHANNELS, reference=session).reference == session


def test_reference_with_a_uuid_as_key(platform):
    customer = Customer.objects.create(first_name="Olena", phone=PHONE)
    send_message(PHONE, CHANNELS, reference=customer)

    assert isinstance(customer.pk, UUID)
    assert Message.objects.about(customer).get().reference == customer


KEY = uuid4()


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Customer, {"id": str(KEY)}),
        (Customer, {"id": KEY.hex}),
        (Day, {"day": "2026-11-30"}),
        (Rate, {"value": "1.5"}),
        (Rate, {"value": Decimal("1.500")}),
        (Measure, {"at": "1.50"}),
        (Group, {"id": "7", "name": "Shop"}),
    ],
)
def test_key_that_code_has_written_in_another_way_is_found(platform, model, values):
    given = model.objects.create(**values)
    message = send_message(PHONE, CHANNELS, extra_id="order-7", reference=given)
    stored = model.objects.get()

    assert Message.objects.about(given).get() == Message.objects.about(stored).get() == message
    assert message.reference == stored
    assert send_message(PHONE, CHANNELS, extra_id="order-7", reference=stored) == message


def test_key_that_is_another_objects_is_that_of_the_other_one(platform):
    profile = Profile.objects.create(customer=Customer.objects.create(id=KEY.hex))
    message = send_message(PHONE, CHANNELS, reference=profile)

    assert Message.objects.about(Profile.objects.get()).get() == message


def test_key_that_the_model_cannot_have_is_refused(platform):
    with pytest.raises(ValueError, match="the key 'seven', which is none of"):
        send_message(PHONE, CHANNELS, reference=Group(id="seven"))


@pytest.fixture
def archive():
    """Another connection, of which a project knows that it leads to other objects."""
    connections.settings["archive"] = connections.settings["default"]
    # A test may open no connection but those that it declares, and this one is not there yet when it does.
    connections["archive"].connect()
    yield "archive"
    connections["archive"].close()
    del connections["archive"], connections.settings["archive"]


def test_object_of_another_database_is_not_taken_for_one_with_the_same_key(platform, group, archive):
    other = Group.objects.using(archive).get()
    with pytest.raises(ValueError, match="in the database 'default', and this one is in 'archive'"):
        send_message(PHONE, CHANNELS, reference=other)
    with pytest.raises(ValueError, match="'archive'"):
        Message.objects.about(other)

    assert not Message.objects.exists()


def test_people_of_another_database_are_imported_without_a_reference_only(platform, archive):
    Customer.objects.create(first_name="Olena", phone=f"+{PHONE}")
    campaign, others = Campaign.objects.create(name="Sale"), Customer.objects.using(archive)
    with pytest.raises(ValueError, match="'archive'"):
        import_recipients(campaign, others, reference=True)

    assert import_recipients(campaign, others).accepted == 1


class OneDatabase:
    """What a project with a replica says."""

    def allow_relation(self, first, second, **hints):
        return True


def test_object_of_a_replica_is_that_of_the_primary_database(platform, settings, group, archive):
    settings.DATABASE_ROUTERS = [OneDatabase()]

    assert send_message(PHONE, CHANNELS, reference=Group.objects.using(archive).get()).reference == group


def test_reference_survives_the_removal_of_its_model(platform, group):
    message = send_message(PHONE, CHANNELS, reference=group)
    content_type = message.reference_type
    type(content_type).objects.filter(pk=content_type.pk).update(model="gone")
    type(content_type).objects.clear_cache()

    assert Message.objects.get().reference is None
    type(content_type).objects.filter(pk=content_type.pk).update(model="group")
    type(content_type).objects.clear_cache()


def test_key_of_another_type_is_none(platform, group):
    send_message(PHONE, CHANNELS, reference=group)
    Message.objects.update(reference_id="no number")

    assert Message.objects.get().reference is None


def test_messages_about_an_object_are_found_by_an_index(platform, group):
    other = Group.objects.create(name="Other")
    message = send_message(PHONE, CHANNELS, reference=group)
    send_message(PHONE, CHANNELS, reference=other)
    send_message(PHONE, CHANNELS)

    assert list(Message.objects.about(group)) == [message]


def test_equal_keys_of_two_models_are_two_objects(platform, group):
    user = User.objects.create(pk=group.pk, username="same-key")
    send_message(PHONE, CHANNELS, reference=group)

    assert not Message.objects.about(user).exists()


@pytest.mark.parametrize(
    ("reference", "error"),
    [(Group(name="unsaved"), "Save it first"), ("order-7", "model instance"), (7, "model instance")],
)
def test_what_cannot_be_referred_to_is_refused_before_anything_is_stored(platform, reference, error):
    with pytest.raises((TypeError, ValueError), match=error):
        send_message(PHONE, CHANNELS, reference=reference)
    assert not Message.objects.exists()


def test_key_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"255 characters.*Session"):
        Message().reference = Session(session_key="x" * 256)


def test_same_extra_id_about_another_object_is_a_different_request(platform, group):
    send_message(PHONE, CHANNELS, extra_id="order-1", reference=group)

    assert send_message(PHONE, CHANNELS, extra_id="order-1", reference=group).reference == group
    with pytest.raises(ExtraIdError, match="different reference"):
        send_message(PHONE, CHANNELS, extra_id="order-1")


def test_purge_removes_the_way_to_the_person(platform, group):
    send_message(PHONE, CHANNELS, reference=group)
    Message.objects.update(status="delivered", finished_at="2020-01-01T00:00:00Z")
    purge_personal_data(timedelta(days=1))

    assert not Message.objects.about(group).exists()
    assert Message.objects.get().reference is None


def test_copy_of_a_campaign_keeps_the_references(group):
    campaign = Campaign.objects.create(name="Sale")
    import_recipients(campaign, [{"phone": PHONE}])
    message = campaign.messages.get()
    message.reference = group
    message.save()
    copy, _ = copy_once(campaign, name="Again", audience=CopyAudience.EVERYBODY, user=None)

    assert copy.messages.get().reference == group


def test_page_of_a_message_leads_to_its_object(platform, group, admin_client):
    message = send_message(PHONE, CHANNELS, reference=group)
    page = admin_client.get(f"/admin/django_hyber/message/{message.pk}/change/").content.decode()

    assert f'href="/admin/auth/group/{group.pk}/change/">Group {group.pk}<' in page


@pytest.mark.parametrize(
    "key",
    ["None", "-", "0012", " x ", "1E5", "380671234567.0", "b\nc", "и\u0306", "a\u200bb", "e\r", "#N/A"],
    ids=ascii,
)
def test_imported_recipient_refers_to_an_object_by_the_key_as_it_is(key):
    card = Card.objects.create(number=key, phone=PHONE)
    campaign = Campaign.objects.create(name="Sale")
    import_recipients(campaign, Card.objects.all(), reference=True)
    message = campaign.messages.get()

    assert message.reference_id == key
    assert message.reference == card
    assert Message.objects.about(card).get() == message


@pytest.mark.parametrize("key", [2.0, 1.5])
def test_imported_recipient_refers_to_an_object_by_a_fraction(key):
    measure = Measure.objects.create(at=key, phone=PHONE)
    campaign = Campaign.objects.create(name="Sale")
    import_recipients(campaign, Measure.objects.all(), reference=True)

    assert Message.objects.about(measure).get().reference == measure


def test_import_refuses_references_by_keys_of_two_columns():
    Seat.objects.create(row=1, place=2, phone=PHONE)
    campaign = Campaign.objects.create(name="Sale")

    with pytest.raises(ValueError, match="primary key of one column"):
        import_recipients(campaign, Seat.objects.all(), reference=True)
    assert not campaign.messages.exists()


def test_objects_with_keys_of_two_columns_are_imported_without_references(monkeypatch):
    monkeypatch.setattr("django_hyber.audience.querysets.CHUNK", 2)
    for place in range(5):
        Seat.objects.create(row=place % 2, place=place, phone=phone(place))
    campaign = Campaign.objects.create(name="Sale")

    assert import_recipients(campaign, Seat.objects.all()).accepted == 5
