"""URLs, methods, authentication and transport."""

import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from django_hyber.sandbox import Sandbox
from tests.sandbox.bodies import broadcast, single


def test_wrong_password_is_401(api):
    answer = api.post(json=single(), auth=("sandbox", "wrong"))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert api.sandbox.ledger.taken == 0


def test_reports_need_the_password_too(api):
    assert requests.get(f"{api.sandbox.url}/api/dr/external/e-1/simple", timeout=5).status_code == 401


def test_get_on_the_single_url_is_405(api):
    answer = api.get("")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("path", ["/batches", "/batch/async", "/status", "/api/dr/e-1", "/api/dr/e-1/full"])
def test_unknown_path_is_404(api, path):
    assert api.get(path).status_code == 404


def test_wrong_client_id_is_404(api):
    answer = api.session.post(f"{api.sandbox.origin}/4321", json=single(), timeout=5)
    assert answer.status_code == 404


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_other_content_types_are_415(api, content_type):
    answer = api.post(data=json.dumps(single()), headers={"Content-Type": content_type})
    assert answer.status_code == 415


def test_charset_after_the_content_type_is_allowed(api):
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert api.post(data=json.dumps(single()), headers=headers).status_code == 200


def test_chunked_body_is_refused(api):
    answer = api.post(data=iter([b"{}"]), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize("length", ["many", "-1", "100000000"])
def test_body_of_unreasonable_length_is_refused(api, length):
    request = requests.Request("POST", api.sandbox.url).prepare()
    request.headers["Content-Length"] = length
    assert api.session.send(request, timeout=5).status_code == 413


def test_errors_may_come_as_200(start):
    answer = start(errors_as_200=True).post(json=single("92"))
    assert answer.status_code == 200
    assert answer.json()["error_code"] == 36024


@pytest.mark.parametrize("path", ["/api/dr/external/nobody/simple", "/api/dr/nobody/advanced", "/status/nobody"])
def test_unknown_ids_are_404_with_an_empty_body(api, path):
    answer = api.get(path)
    assert answer.status_code == 404
    assert answer.content == b""


def test_report_is_found_by_message_id(api):
    message_id = api.post(json=single()).json()["message_id"]
    assert api.get(f"/api/dr/{message_id}/simple").json()["message_id"] == message_id


def test_message_id_of_another_sandbox_is_not_found(api, start):
    message_id = api.post(json=single()).json()["message_id"]
    other = start()
    other.post(json=single())
    assert other.get(f"/api/dr/{message_id}/simple").status_code == 404


def test_extra_id_in_the_path_is_percent_decoded(api):
    api.post(json=single(extra_id="заказ/1 №"))
    answer = api.get("/api/dr/external/%D0%B7%D0%B0%D0%BA%D0%B0%D0%B7%2F1%20%E2%84%96/simple")
    assert answer.json()["extra_id"] == "заказ/1 №"


def test_report_before_the_end_says_minus_one(start):
    api = start(latency=60)
    api.post(json=single())
    simple, advanced = api.report("e-1"), api.report("e-1", "advanced")
    assert (simple["status"], simple["last_partner"]) == (-1, "hyber")
    assert (advanced["started"], advanced["processing"], advanced["delivered_via"]) == (True, True, "hyber")
    assert [(entry["last_partner"], entry["status"]) for entry in advanced["reports"]] == [("viber", -1)]


def test_failure_of_the_first_channel_is_not_the_end(start):
    api = start(latency=60, time_scale=0.0001)
    api.post(json=single("90"))
    deadline = time.monotonic() + 30
    while len(api.report("e-1", "advanced")["reports"]) < 2:
        assert time.monotonic() < deadline
    advanced = api.report("e-1", "advanced")
    assert [(entry["last_partner"], entry["status"]) for entry in advanced["reports"]] == [("viber", 3), ("sms", -1)]
    assert advanced["processing"] is True
    assert api.report("e-1")["status"] == -1


def test_campaign_status_before_the_end_shows_accepted_entries(start):
    api = start(latency=60)
    job_id = api.post("/broadcast", json=broadcast("00", "92")).json()["job_id"]
    pending, refused = api.get(f"/status/{job_id}").json()["messages"]
    assert (pending["processed"], pending["accepted"]) == (True, True)
    assert "status" not in pending
    assert (refused["accepted"], refused["error_code"]) == (False, 36024)
    assert "message_id" not in refused


def test_message_without_extra_id_is_taken(api):
    body = single()
    del body["extra_id"]
    message_id = api.post(json=body).json()["message_id"]
    assert "extra_id" not in api.get(f"/api/dr/{message_id}/simple").json()


def test_connection_is_kept_alive(api):
    target = urlsplit(api.sandbox.url)
    connection = http.client.HTTPConnection(target.hostname, target.port, timeout=5)
    for _ in range(3):
        connection.request("GET", target.path)
        response = connection.getresponse()
        response.read()
        assert response.status == 405
        assert not response.will_close
    connection.close()


def test_concurrent_clients_are_all_served(api):
    def send(number):
        return requests.post(
            api.sandbox.url, json=single(extra_id=f"c-{number}"), auth=("sandbox", "sandbox"), timeout=10
        )

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(40)))
    assert len({answer.json()["message_id"] for answer in answers}) == 40
    assert api.sandbox.ledger.distinct == 40


def test_client_that_leaves_early_harms_nobody(api):
    target = urlsplit(api.sandbox.url)
    with socket.create_connection((target.hostname, target.port)) as client:
        client.sendall(f"POST {target.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
    assert api.post(json=single()).status_code == 200


def test_taken_port_is_told(api):
    with pytest.raises(OSError, match="in use"):
        Sandbox(port=urlsplit(api.sandbox.origin).port).start()
