"""Any answer at all has exactly one outcome, and nobody is refused without proof."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from django_hyber.protocol import (
    APIError,
    AuthenticationError,
    ConnectionLost,
    HyberError,
    NotTaken,
    OutcomeUnknown,
    ReportNotFound,
    RequestTooLarge,
    TooManyRequests,
    UnreadableResponse,
    parse_job_id,
    parse_message_id,
    parse_sync,
)
from django_hyber.protocol.outcomes import HttpAnswer, read_answer, read_report

RUNGS = {
    "refused": lambda error: type(error) is APIError,
    "too large": lambda error: isinstance(error, RequestTooLarge),
    "held": lambda error: isinstance(error, AuthenticationError),
    "not taken": lambda error: isinstance(error, NotTaken),
    "doubt": lambda error: isinstance(error, OutcomeUnknown),
    "not found": lambda error: isinstance(error, ReportNotFound),
}
CODES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.floats(), st.just({}), st.just([1]))
OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        "error_code": CODES,
        "error_text": st.one_of(st.none(), st.text(max_size=5)),
        "message_id": st.one_of(st.none(), st.integers(), st.text(max_size=5)),
        "job_id": st.text(max_size=5),
        "messages": st.lists(st.one_of(st.none(), st.just({"message_id": "m"})), max_size=2),
    },
)
BODIES = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([b"", b" ", b"<html>Forbidden</html>", b"null", b"[]", b"0"]),
    OBJECTS.map(lambda value: json.dumps(value).encode()),
)
HEADERS = st.one_of(
    st.just({}),
    st.sampled_from(["7", "0", "", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "-1"]).map(
        lambda value: {"Retry-After": value}
    ),
)
STATUSES = st.one_of(
    st.integers(100, 999), st.sampled_from([200, 202, 302, 400, 401, 403, 404, 408, 413, 429, 500, 503])
)
ANSWERS = st.builds(
    HttpAnswer,
    status=STATUSES,
    headers=HEADERS,
    content=BODIES,
) | st.builds(HttpAnswer, status=STATUSES, headers=HEADERS, failure=st.just(ConnectionLost()))


def outcome_of(read, answer):
    """Name the one outcome of an answer."""
    try:
        read(answer)
    except Exception as error:  # noqa: BLE001 - an error of another kind has no outcome, which is what is tested
        found = [name for name, matches in RUNGS.items() if matches(error)]
    else:
        found = ["taken"]
    assert len(found) == 1
    return found[0]


def error_code_in(answer):
    """What the body says, read without the package: the code of an error, or None."""
    try:
        payload = json.loads(answer.content)
    except ValueError:
        return None
    code = payload.get("error_code") if isinstance(payload, dict) else None
    return None if isinstance(code, bool | dict | list) or code in ("", 0) or str(code).strip("+-0 ") == "" else code


def names_messages(answer):
    """Whether the body has an id of the platform, read without the package."""
    try:
        payload = json.loads(answer.content)
    except ValueError:
        return False
    return isinstance(payload, dict) and any(payload.get(key) for key in ("message_id", "job_id", "messages"))


@pytest.mark.parametrize("parse", [parse_message_id, parse_job_id, parse_sync])
@given(answer=ANSWERS)
@example(answer=HttpAnswer(status=200, headers={}, content=b'{"message_id": "m", "error_code": 5}'))
@example(answer=HttpAnswer(status=503, headers={}, content=b'{"error_code": 5}'))
def test_every_answer_to_a_post_has_one_outcome(parse, answer):
    found = outcome_of(lambda answer: parse(read_answer(answer)), answer)
    status, code = answer.status, error_code_in(answer)
    if found == "taken":
        assert 200 <= status < 300
        assert code is None
    elif found == "refused":
        assert code is not None
        assert json.loads(answer.content)["error_text"].strip()
        assert 200 <= status < 300 or (400 <= status < 500 and status not in (401, 403, 404, 408, 413, 429))
    elif found == "held":
        assert status == 401 or (status == 403 and code is not None)
    elif found == "not taken":
        assert status == 429 or (status == 503 and answer.headers.get("Retry-After", "") not in ("", "soon", "-1"))
    elif found == "too large":
        assert status == 413
    else:
        assert status != 413 or names_messages(answer)
    assert found in ("taken", "doubt") or not names_messages(answer)


@given(answer=ANSWERS)
def test_every_answer_to_a_get_has_one_outcome(answer):
    found = outcome_of(read_report, answer)
    status, code = answer.status, error_code_in(answer)
    if found == "taken":
        assert 200 <= status < 300
        assert code is None or names_messages(answer)
    elif found == "not found":
        assert answer.failure is None
        assert 200 <= status < 300 or status == 404 or (code is not None and 400 <= status < 500)
        assert status not in (401, 408, 429)
    elif found == "held":
        assert status == 401 or (status == 403 and code is not None)
    elif found == "not taken":
        assert status in (429, 503)
    else:
        assert found == "doubt"


@pytest.mark.parametrize(
    ("status", "headers", "rung"),
    [(413, {}, "too large"), (401, {}, "held"), (429, {}, "not taken"), (503, {"Retry-After": "1"}, "not taken")],
)
def test_what_the_status_proves_needs_no_body(status, headers, rung):
    lost = HttpAnswer(status=status, headers=headers, failure=ConnectionLost())
    assert outcome_of(read_answer, lost) == rung


@pytest.mark.parametrize("status", [200, 400, 403, 503])
def test_what_the_body_would_prove_is_unknown_without_it(status):
    with pytest.raises(ConnectionLost):
        read_answer(HttpAnswer(status=status, headers={}, failure=ConnectionLost()))


PLATFORM = b'{"error_code": 36024, "error_text": "Phone number incorrect"}'
#: An error of a proxy may have a code too.
PROXY = b'{"title": "Error 1001", "status": 400, "error_code": 1001}'
TAKEN = b'{"message_id": "m1"}'
#: A proxy may set the status or the code of an answer that names what was accepted.
BOTH = b'{"message_id": "m1", "error_code": 36024, "error_text": "Phone number incorrect"}'
#: Status, Retry-After, body: what a POST with this answer has come to, and what a GET has.
LADDER = [
    (200, None, TAKEN, "taken", "taken"),
    (202, None, TAKEN, "taken", "taken"),
    (299, None, TAKEN, "taken", "taken"),
    (200, None, b'{"message_id": "m1", "error_code": 0}', "taken", "taken"),
    (200, None, BOTH, "doubt", "taken"),
    (400, None, BOTH, "doubt", "doubt"),
    (400, None, TAKEN, "doubt", "doubt"),
    (401, None, TAKEN, "doubt", "held"),
    (413, None, TAKEN, "doubt", "doubt"),
    (429, "5", TAKEN, "doubt", "not taken"),
    (503, "5", TAKEN, "doubt", "not taken"),
    (200, None, b"[]", "taken", "not found"),
    (200, None, b"", "doubt", "not found"),
    (200, None, b" \n", "doubt", "not found"),
    (200, None, b"<html>", "doubt", "doubt"),
    (200, None, b"[" * 100_000, "doubt", "doubt"),
    (200, None, PLATFORM, "refused", "not found"),
    (299, None, PLATFORM, "refused", "not found"),
    (100, None, PLATFORM, "doubt", "doubt"),
    (199, None, TAKEN, "doubt", "doubt"),
    (300, None, TAKEN, "doubt", "doubt"),
    (300, None, PLATFORM, "doubt", "doubt"),
    (302, None, PLATFORM, "doubt", "doubt"),
    (399, None, PLATFORM, "doubt", "doubt"),
    (400, None, PLATFORM, "refused", "not found"),
    (400, None, b"<html>", "doubt", "doubt"),
    (200, None, PROXY, "doubt", "not found"),
    (400, None, PROXY, "doubt", "not found"),
    (403, None, PROXY, "doubt", "doubt"),
    (422, None, b'{"error_code": "E1", "error_text": "no"}', "doubt", "not found"),
    (401, None, b"", "held", "held"),
    (401, None, PLATFORM, "held", "held"),
    (403, None, PLATFORM, "held", "held"),
    (403, None, b"<html>", "doubt", "doubt"),
    (404, None, PLATFORM, "doubt", "not found"),
    (404, None, b"<html>", "doubt", "not found"),
    (408, None, PLATFORM, "doubt", "doubt"),
    (413, None, b"<html>", "too large", "doubt"),
    (413, None, PLATFORM, "too large", "not found"),
    (429, None, b"", "not taken", "not taken"),
    (429, "5", PLATFORM, "not taken", "not taken"),
    (499, None, PLATFORM, "refused", "not found"),
    (500, None, PLATFORM, "doubt", "doubt"),
    (500, "5", b"", "doubt", "doubt"),
    (502, None, b"<html>", "doubt", "doubt"),
    (503, None, b"", "doubt", "not taken"),
    (503, "5", b"", "not taken", "not taken"),
    (503, "soon", b"", "doubt", "not taken"),
]


def answer(status, retry_after=None, content=b""):
    return HttpAnswer(
        status=status, headers={} if retry_after is None else {"Retry-After": retry_after}, content=content
    )


def error_of(read, *facts):
    with pytest.raises(HyberError) as caught:
        read(answer(*facts))
    return caught.value


@pytest.mark.parametrize(("status", "retry_after", "content", "of_post", "of_get"), LADDER)
def test_every_rung_of_the_ladder(status, retry_after, content, of_post, of_get):
    given = answer(status, retry_after, content)

    assert (outcome_of(read_answer, given), outcome_of(read_report, given)) == (of_post, of_get)


def test_answer_that_was_taken_is_returned_as_it_is():
    assert read_answer(answer(200, None, TAKEN)) == read_report(answer(200, None, TAKEN)) == {"message_id": "m1"}
    assert read_answer(answer(200, None, b"[]")) == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5.0),
        (" 5 ", 5.0),
        ("0", 0.0),
        ("3599", 3_599.0),
        ("999999999", 3_600.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3_600.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("9999999999", None),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value, seconds):
    assert answer(503, value).retry_after == seconds


def test_retry_after_may_be_a_date_in_the_future():
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)

    assert 90 < answer(503, later).retry_after <= 100
    assert answer(503).retry_after is None


@pytest.mark.parametrize("read", [read_answer, read_report])
def test_refusal_for_now_has_the_wait_and_the_error_of_the_platform(read):
    busy, limited, silent = error_of(read, 503, "5"), error_of(read, 429, "7", PLATFORM), error_of(read, 429)

    assert (type(busy), busy.retry_after, busy.reason) == (NotTaken, 5.0, "HTTP 503")
    assert (type(limited), limited.retry_after) == (TooManyRequests, 7.0)
    assert (limited.error_code, limited.error_text) == (36024, "Phone number incorrect")
    assert (silent.retry_after, silent.error_code, silent.error_text) == (None, None, "")


def test_query_that_is_refused_for_now_may_have_no_wait():
    error = error_of(read_report, 503)

    assert (error.retry_after, error.reason) == (None, "HTTP 503")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, APIError), (401, AuthenticationError), (403, AuthenticationError), (413, RequestTooLarge)],
)
def test_rejection_has_its_kind_and_the_start_of_the_body(status, kind):
    content = PLATFORM[:-1] + f', "sent": "{"ґ" * 3_000}"}}'.encode()
    error = error_of(read_answer, status, None, content)

    assert (type(error), error.http_status) == (kind, status)
    # The character at the end is cut in two.
    assert error.body == content[:1_999].decode() + "\ufffd"


@pytest.mark.parametrize(("content", "is_from_platform"), [(PLATFORM, True), (PROXY, False), (b"<html>", False)])
def test_too_large_is_said_by_the_platform_or_by_a_proxy(content, is_from_platform):
    error = error_of(read_answer, 413, None, content)

    assert error.is_from_platform is is_from_platform
    assert error.error_code == (36024 if is_from_platform else None)


def test_body_of_a_rejection_can_be_stored():
    error = error_of(read_answer, 413, None, b"a\x00b\xff")

    assert error.body == "ab\ufffd"


def test_rejection_names_code_and_text():
    error = error_of(read_answer, 400, None, PLATFORM)

    assert (error.error_code, error.error_text) == (36024, "Phone number incorrect")
    assert error.body == PLATFORM.decode()


@pytest.mark.parametrize(
    ("status", "content", "reason"),
    [
        (100, b"", "the answer is not final"),
        (200, b"<html>", "the answer is not JSON"),
        (200, PROXY, "the answer has an error code without a text, so it may be from a proxy"),
        (400, PROXY, "the answer has an error code without a text, so it may be from a proxy"),
        (200, BOTH, "the answer is an error, but it names messages that the platform has accepted"),
        (400, BOTH, "the answer is an error, but it names messages that the platform has accepted"),
        (400, TAKEN, "the answer is an error, but it names messages that the platform has accepted"),
        (300, b"", "the answer is a redirect, which is never followed. Check the URL"),
        (399, b"", "the answer is a redirect, which is never followed. Check the URL"),
        (400, b"", "the answer is an HTTP error without an error of the platform"),
        (403, b"", "the answer is not from the platform. Check firewalls and proxies"),
        (404, b"", "this URL does not seem to exist"),
        (408, b"", "the server reports that the request did not arrive in time"),
        (500, b"", "the answer is an HTTP error without an error of the platform"),
        (500, PLATFORM, "the platform reports an error, but its status does not show whether it accepted the request"),
    ],
)
def test_unknown_outcome_has_a_reason(status, content, reason):
    error = error_of(read_answer, status, None, content)

    assert type(error) is UnreadableResponse
    assert error.http_status == status
    assert error.reason.startswith(reason)
    assert (error.error_code, error.error_text) == (
        (36024, "Phone number incorrect") if content in {PLATFORM, BOTH} else (None, "")
    )


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (PLATFORM, 36024),
        (b'{"error_code": "36024"}', 36024),
        (b'{"error_code": "not-found"}', "not-found"),
        (b'{"error_code": 99999999999}', "99999999999"),
        (b'{"error_code": "' + b"a" * 100 + b'"}', "a" * 64),
        (b'{"error_code": 1.5}', None),
    ],
)
def test_answer_about_an_unknown_id_has_its_error(content, code):
    error = error_of(read_report, 400, None, content)

    assert (error.http_status, error.error_code) == (400, code)
    assert error.error_text == ("Phone number incorrect" if content == PLATFORM else "")


@pytest.mark.parametrize(("status", "content"), [(404, b"<html>"), (200, b""), (204, b"{}"), (200, b"null")])
def test_answer_without_a_report_has_its_status(status, content):
    error = error_of(read_report, status, None, content)

    assert error.answer == (status, None)


@pytest.mark.parametrize("status", [200, 400, 404, 408, 500])
def test_query_whose_answer_broke_off_has_no_result(status):
    lost = ConnectionLost()
    with pytest.raises(ConnectionLost) as caught:
        read_report(HttpAnswer(status=status, headers={}, failure=lost))
    assert caught.value is lost


def test_personal_data_of_an_answer_is_not_in_its_repr():
    assert "380671234567" not in repr(answer(400, None, b'{"phone_number": 380671234567}'))
