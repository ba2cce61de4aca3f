"""The guide's own samples are taken as they stand, and the sandbox answers in the shapes of its samples."""

import json
from pathlib import Path

import pytest

from tests.sandbox.bodies import SMS, broadcast, single

DATA = Path(__file__).parents[1] / "data"


def vector(name):
    return json.loads((DATA / name).read_text(encoding="utf-8"))


def names(pattern):
    return sorted(path.name for path in DATA.glob(pattern))


@pytest.fixture
def quiet(start):
    """The samples name a callback URL of somebody else's."""
    return start(callbacks=False)


@pytest.mark.parametrize("name", [*names("seed_single_*.json"), *names("doc_single_*.json")])
def test_single_sample_is_taken_and_delivered_at_once(quiet, name):
    answer = quiet.post(json=vector(name))
    assert answer.status_code == 200
    assert answer.json().keys() == vector("seed_response_ok.json").keys()
    assert quiet.sandbox.wait_idle(5)
    assert quiet.report("AD-6640-7006")["status"] == 2


@pytest.mark.parametrize("kind", ["batch", "broadcast"])
def test_mass_samples_are_taken(quiet, kind):
    for name in names(f"doc_{kind}_*.json"):
        answer = quiet.post(f"/{kind}", json=vector(name))
        assert (name, answer.status_code) == (name, 200)
        assert answer.json().keys() == vector("doc_job_response.json").keys()


@pytest.mark.parametrize("kind", ["batch", "broadcast"])
def test_mass_samples_are_accepted_in_sync_answers(quiet, kind):
    sample = vector("doc_sync_response.json")["messages"]
    for name in names(f"doc_{kind}_*.json"):
        entries = quiet.post(f"/{kind}/sync", json=vector(name)).json()["messages"]
        assert [without_id(entry) for entry in entries] == [without_id(entry) for entry in sample]


def without_id(entry):
    assert len(entry["message_id"]) == 36
    return {key: value for key, value in entry.items() if key != "message_id"}


def test_error_answer_is_the_sample(api):
    assert api.post(json=single("92")).json() == vector("seed_response_error.json")


def test_callback_of_a_single_sms_has_the_keys_and_types_of_the_sample(api, receiver):
    api.post(json=single(channels=["sms"], callback_url=receiver.url))
    assert shape(receiver.wait_for(1)[0]) == shape(vector("doc_dr_callback_single.json"))


def test_callback_of_a_viber_template_has_the_keys_and_types_of_the_sample(api, receiver):
    api.post(json=single(channels=["viber"], callback_url=receiver.url))
    assert shape(receiver.wait_for(1)[0]) == shape(vector("doc_dr_callback_viber_template.json"))


def test_batched_callback_is_an_array_like_the_sample(api, receiver):
    options = {"viber": {"text": "Hello", "img": "https://example.com/a.png", "ttl": 60}}
    body = broadcast("00", "01", channels=["viber"], callback_url=receiver.url, channel_options=options)
    api.post("/broadcast", json=body)
    receiver.wait_for(2)
    (reports,) = receiver.bodies
    assert shape(reports[0]) == shape(vector("doc_dr_callback_batch.json")[2])


def test_simple_report_has_the_keys_and_types_of_the_sample(api):
    api.post(json=single("86", channels=["sms"], channel_options={"sms": SMS | {"ctr": True}}))
    assert api.sandbox.wait_idle(5)
    assert shape(api.report("e-1")) == shape(vector("doc_dr_simple.json"))


def test_advanced_report_has_the_keys_and_types_of_the_sample(api):
    image = {"text": "Hello", "img": "https://example.com/a.png", "ttl": 60}
    api.post(json=single("90", channel_options={"viber": image, "sms": SMS | {"ctr": True}}))
    assert api.sandbox.wait_idle(5)
    report, sample = api.report("e-1", "advanced"), vector("doc_dr_advanced.json")
    assert shape(report) == shape(sample)
    assert [shape(entry) for entry in report["reports"]] == [shape(entry) for entry in sample["reports"]]
    assert report["channels"] == sample["channels"]


def test_campaign_status_has_the_keys_and_types_of_the_sample(api):
    body = broadcast("89", "86", channels=["sms"], channel_options={"sms": SMS | {"ctr": True}})
    job_id = api.post("/broadcast", json=body).json()["job_id"]
    assert api.sandbox.wait_idle(5)
    expired, delivered = api.get(f"/status/{job_id}").json()["messages"]
    expired_sample, delivered_sample = vector("doc_campaign_status.json")["messages"]
    assert shape(expired) == shape(expired_sample)
    assert shape(delivered) == shape(delivered_sample)
    assert (expired["error_code"], expired["error_text"]) == (35015, "SMS expired")
    assert delivered["status_text"] == "SMS delivered"


def shape(report):
    return {key: type(value) for key, value in report.items()}
