"""Any answer at all has exactly one outcome, and nobody is refused without proof."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from django_hyber.protocol import (
    APIError,
    AuthenticationError,
    ConnectionLost,
    NotTaken,
    OutcomeUnknown,
    ReportNotFound,
    RequestTooLarge,
    parse_job_id,
    parse_message_id,
    parse_sync,
)
from django_hyber.protocol.outcomes import Answer, read_answer, read_report

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
    Answer,
    status=STATUSES,
    headers=HEADERS,
    content=BODIES,
) | st.builds(Answer, status=STATUSES, headers=HEADERS, failure=st.just(ConnectionLost()))


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


@pytest.mark.parametrize("parse", [parse_message_id, parse_job_id, parse_sync])
@given(answer=ANSWERS)
@example(answer=Answer(status=200, headers={}, content=b'{"message_id": "m", "error_code": 5}'))
@example(answer=Answer(status=503, headers={}, content=b'{"error_code": 5}'))
def test_every_answer_to_a_post_has_one_outcome(parse, answer):
    found = outcome_of(lambda answer: parse(read_answer(answer)), answer)
    status, code = answer.status, error_code_in(answer)
    if found == "taken":
        assert 200 <= status < 300
        assert code is None
    elif found == "refused":
        assert code is not None
        assert 200 <= status < 300 or (400 <= status < 500 and status not in (401, 403, 404, 408, 413, 429))
    elif found == "held":
        assert status == 401 or (status == 403 and code is not None)
    elif found == "not taken":
        assert status == 429 or (status == 503 and answer.headers.get("Retry-After", "") not in ("", "soon", "-1"))
    else:
        assert (found == "too large") == (status == 413)


@given(answer=ANSWERS)
def test_every_answer_to_a_get_has_one_outcome(answer):
    found = outcome_of(read_report, answer)
    status, code = answer.status, error_code_in(answer)
    if found == "taken":
        assert 200 <= status < 300
        assert code is None
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
    lost = Answer(status=status, headers=headers, failure=ConnectionLost())
    assert outcome_of(read_answer, lost) == rung


@pytest.mark.parametrize("status", [200, 400, 403, 503])
def test_what_the_body_would_prove_is_unknown_without_it(status):
    with pytest.raises(ConnectionLost):
        read_answer(Answer(status=status, headers={}, failure=ConnectionLost()))
