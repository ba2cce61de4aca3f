import pytest

from django_hyber.protocol import SyncEntry, UnreadableResponse, parse_job_id, parse_message_id, parse_sync
from django_hyber.protocol.wire.responses import parse_messages
from tests.protocol import vectors

NOT_OBJECTS = [None, 5, "text", [], [{"message_id": "a"}], {}]


def test_the_samples():
    assert parse_message_id(vectors.load("seed_response_ok")) == "9f60ac8f-e721-5027-b838-e6fcb95fcd7a"
    assert parse_job_id(vectors.load("doc_job_response")) == "66591729-cb47-5ef9-964b-949dc6aff84f"
    assert parse_sync(vectors.load("doc_sync_response")) == [
        SyncEntry("380961111111", "9f60ac8f-e721-5027-b838-e6fcb95fcd7a", "AD-6640-7006", True, None, ""),
        SyncEntry("380962222222", "e5ea7286-6849-52d7-9e1b-8719b736283e", "AD-6640-7007", True, None, ""),
    ]


@pytest.mark.parametrize("parse", [parse_message_id, parse_job_id, parse_sync])
@pytest.mark.parametrize("payload", NOT_OBJECTS)
def test_an_answer_without_what_was_expected_leaves_the_outcome_unknown(parse, payload):
    with pytest.raises(UnreadableResponse) as caught:
        parse(payload, http_status=201)
    assert caught.value.http_status == 201


def test_an_id_of_older_deployments_is_a_number():
    assert parse_message_id({"message_id": 12345}) == "12345"


@pytest.mark.parametrize("value", [None, "", True, 1.5, [], "a" * 65, 10**70, "a\nERROR b", "a\x1b[2J"])
def test_an_unusable_id_leaves_the_outcome_unknown(value):
    with pytest.raises(UnreadableResponse):
        parse_message_id({"message_id": value})


def sync_entry(**item):
    [entry] = parse_sync({"messages": [item]})
    return entry


# The guide shows no refused entry; these bodies are made up.
def test_a_refused_entry_has_its_error_and_no_message_id():
    entry = sync_entry(
        phone_number=380961111111, extra_id=7, accepted=False, error_code="36024", error_text="Phone number incorrect"
    )
    assert entry == SyncEntry("380961111111", "", "7", False, 36024, "Phone number incorrect")


def test_without_an_accepted_flag_a_message_id_means_yes_and_an_error_means_no():
    assert sync_entry(message_id="a").accepted
    assert not sync_entry(message_id="a", error_code=36024).accepted
    assert sync_entry(message_id="a", error_code=0, error_text="") == SyncEntry("", "a", "", True, None, "")


def test_entry_with_neither_flag_nor_id_nor_error_decides_nothing():
    assert sync_entry(phone_number="380961111111", extra_id="a", message_id=None).accepted is None


def test_items_that_are_no_objects_are_left_out():
    assert len(parse_sync({"messages": [None, "a", {"message_id": "a", "accepted": True}, []]})) == 1


def test_a_message_id_that_fits_no_column_is_dropped():
    assert sync_entry(message_id="a" * 65, accepted=True) == SyncEntry("", "", "", True, None, "")


def test_a_message_id_of_the_greatest_length_is_kept():
    assert sync_entry(message_id="a" * 64).message_id == "a" * 64
    assert parse_message_id({"message_id": "a" * 64}) == "a" * 64


def test_the_error_says_what_is_missing():
    for parse, reason in [
        (parse_message_id, 'the answer has no usable "message_id"'),
        (parse_job_id, 'the answer has no usable "job_id"'),
        (parse_sync, 'the answer has no "messages"'),
    ]:
        with pytest.raises(UnreadableResponse) as caught:
            parse({})
        assert (caught.value.http_status, caught.value.reason) == (200, reason)


def test_an_entry_without_a_usable_flag_is_judged_by_its_id_and_error():
    assert sync_entry(message_id="a", accepted="no").accepted
    assert not sync_entry(message_id="a", accepted=1, error_code="36024").accepted
    assert sync_entry(accepted=True).accepted
    assert not sync_entry(message_id="a", accepted=False).accepted


def test_an_error_code_that_is_no_number_is_an_error_without_a_number():
    assert sync_entry(message_id="a", error_code="unknown") == SyncEntry("", "a", "", False, None, "")
    assert sync_entry(message_id="a", error_code="0").error_code is None


def test_messages_of_a_campaign_status_are_returned_as_they_came():
    assert parse_messages({"messages": [None, {"a": 1}]}) == [None, {"a": 1}]
    with pytest.raises(UnreadableResponse) as caught:
        parse_messages({"messages": {}})
    assert caught.value.http_status == 200
