import pickle

import pytest

from django_hyber.protocol import (
    SMS,
    APIError,
    AuthenticationError,
    ConnectionLost,
    HyberError,
    InvalidMessage,
    NotTaken,
    OutcomeUnknown,
    ReadTimeout,
    ReportNotFound,
    RequestTooLarge,
    TooManyRequests,
    UnreadableReply,
    UnreadableReport,
    UnreadableResponse,
    describe,
    validate_channels,
)

ERRORS = [
    InvalidMessage(validate_channels([SMS(text="secret text", ttl=1, alpha_name="GMSU")])),
    NotTaken(retry_after=5.0, reason="HTTP 503"),
    APIError(200, 36024, "Phone number incorrect", "{}"),
    AuthenticationError(401),
    RequestTooLarge(413),
    RequestTooLarge(413, is_from_platform=False),
    TooManyRequests(5.0, 36024, "Busy"),
    OutcomeUnknown(),
    ReadTimeout(),
    ConnectionLost(),
    UnreadableResponse(502, "no", 36024, "Phone number incorrect"),
    ReportNotFound(404),
    UnreadableReport("it is not an object"),
    UnreadableReply("it is not an object"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_have_one_root_and_survive_pickling(error):
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, HyberError)
    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
    assert str(copy) == str(error) != ""


@pytest.mark.parametrize(
    ("kind", "details", "shown"),
    [
        (NotTaken, (5.0, "HTTP 503"), "NotTaken(5.0, 'HTTP 503')"),
        (TooManyRequests, (5.0, 36024, "Busy"), "TooManyRequests(5.0, 36024)"),
        (APIError, (400, 36024, "Busy", "{}"), "APIError(400, 36024)"),
        (RequestTooLarge, (413, 36024, "Busy", "{}"), "RequestTooLarge(413, 36024)"),
        (OutcomeUnknown, ("no",), "OutcomeUnknown('no')"),
        (UnreadableResponse, (502, "no", 36024, "Busy"), "UnreadableResponse(502, 'no', 36024)"),
        (ReportNotFound, (404, "E1", "Busy"), "ReportNotFound(404, 'E1')"),
        (UnreadableReport, ("no",), "UnreadableReport('no')"),
        (UnreadableReply, ("no",), "UnreadableReply('no')"),
    ],
)
def test_repr_of_an_error_has_its_codes_and_reason(kind, details, shown):
    error = kind(*details)
    assert repr(error) == shown
    assert vars(error).get("reason", "no") in {"no", "HTTP 503", "HTTP 429"}


def test_an_invalid_message_keeps_its_problems():
    problems = validate_channels([SMS(text="Hi", ttl=1, alpha_name="GMSU")])
    assert InvalidMessage(iter(problems)).problems == tuple(problems)
    assert InvalidMessage(iter(problems)).args == (tuple(problems),)


@pytest.mark.parametrize(
    ("kind", "details", "known"),
    [
        (NotTaken, (), {"retry_after": None, "reason": "no connection"}),
        (TooManyRequests, (), {"retry_after": None, "reason": "HTTP 429", "error_code": None, "error_text": ""}),
        (APIError, (400,), {"http_status": 400, "error_code": None, "error_text": "", "body": ""}),
        (
            RequestTooLarge,
            (),
            {"http_status": 413, "error_code": None, "error_text": "", "body": "", "is_from_platform": True},
        ),
        (OutcomeUnknown, (), {"reason": "there is no usable answer"}),
        (ReadTimeout, (), {"reason": "the answer did not arrive in time"}),
        (ConnectionLost, (), {"reason": "the connection broke before the answer was complete"}),
        (
            UnreadableResponse,
            (),
            {
                "http_status": 200,
                "reason": "the answer has an unexpected form",
                "error_code": None,
                "error_text": "",
            },
        ),
        (ReportNotFound, (), {"http_status": 404, "error_code": None, "error_text": ""}),
    ],
)
def test_what_an_error_is_not_told_it_does_not_say(kind, details, known):
    assert vars(kind(*details)) == known


@pytest.mark.parametrize("kind", [ReadTimeout, ConnectionLost, UnreadableResponse])
def test_three_ways_not_to_know_the_outcome(kind):
    assert issubclass(kind, OutcomeUnknown)


@pytest.mark.parametrize("kind", [InvalidMessage, UnreadableReport, UnreadableReply])
def test_bad_values_are_value_errors_too(kind):
    assert issubclass(kind, ValueError)


def test_an_invalid_message_lists_its_errors_and_not_its_warnings_or_text():
    problems = validate_channels([SMS(text="secret text", ttl=1), SMS(text="secret text", ttl=1, alpha_name="ж")])
    text = str(InvalidMessage(problems))
    assert "sms.ttl: This must be from 300 to 259200." in text
    assert "secret" not in text
    assert "last channel" not in text


def test_a_refusal_shows_code_and_text_but_not_all_of_a_long_text():
    error = APIError(400, 36024, "x" * 1000)
    assert error.explanation.startswith("The platform rejected the request (HTTP 400, error 36024): xxx")
    assert error.explanation.count("x") == 200
    assert len(error.error_text) == 1000


@pytest.mark.parametrize(
    "error",
    [
        *(kind(400, 36024, "380671234567 is wrong", "380671234567") for kind in (APIError, AuthenticationError)),
        RequestTooLarge(413, 36024, "380671234567 is wrong", "380671234567"),
        UnreadableResponse(502, "no", 36024, "380671234567 is wrong"),
        TooManyRequests(5.0, 36024, "380671234567 is wrong"),
        ReportNotFound(404, 36024, "380671234567 is wrong"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_platform_quotes_is_neither_in_the_text_nor_in_the_repr(error):
    assert error.error_text == "380671234567 is wrong"
    assert not [text for text in (str(error), repr(error), repr(error.args)) if "380671234567" in text]


@pytest.mark.parametrize("kind", [APIError, AuthenticationError, RequestTooLarge])
def test_the_explanation_says_what_the_platform_wrote(kind):
    assert "HTTP 400, error 36024): Number is wrong" in kind(400, 36024, "Number is wrong").explanation


def test_a_refusal_without_a_body_of_theirs_shows_the_status():
    assert str(APIError(400, body="<html>380671234567</html>")) == "The platform rejected the request (HTTP 400)."


def test_wrong_credentials_mention_the_address_of_the_server():
    assert "IP address" in str(AuthenticationError(403))
    assert isinstance(AuthenticationError(403), APIError)


def test_an_unreadable_response_shows_its_reason_and_status():
    error = UnreadableResponse(502, "no answer", 36024, "Busy")
    text = "It is unknown whether the platform accepted the request: no answer (HTTP 502, error 36024)"

    assert str(UnreadableResponse(502, "no answer")) == text.replace(", error 36024", "") + "."
    assert (str(error), error.explanation) == (f"{text}.", f"{text}: Busy")


@pytest.mark.parametrize(("code", "shown"), [(None, "HTTP 404"), (36024, "HTTP 404, error 36024")])
def test_a_missing_report_shows_its_status_and_code(code, shown):
    assert str(ReportNotFound(404, code)) == f"The platform has no report for this id ({shown})."


def test_known_codes_have_a_text():
    assert describe(36024) == "Phone number incorrect"
    assert describe(35015) == "Not delivered in time"


def test_unknown_codes_have_none_unless_the_account_names_them():
    assert describe(99999) == ""
    assert describe(99999, {99999: "Blocked by the user"}) == "Blocked by the user"
    assert describe(36024, {36024: "Wrong number"}) == "Wrong number"
