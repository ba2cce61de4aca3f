"""Whatever the platform answers, nothing is sent a second time without proof."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_hyber.reconcile.proof import (
    MAX_FACTOR,
    SAMPLE,
    Answer,
    Controls,
    Evidence,
    Known,
    Proof,
    QueryResult,
    after_query,
    is_rejection,
    is_round_complete,
    judge,
    next_query_at,
)

NOON = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
GRACE = timedelta(seconds=120)
EVIDENCE = Evidence(since=NOON, not_found_after=NOON + GRACE, grace=GRACE)
NOT_FOUND = QueryResult(is_not_found=True, text="HTTP 404")
BELIEVED = Controls(unknown="HTTP 404", known=Known.FOUND)


@pytest.mark.parametrize(
    ("result", "controls", "answer"),
    [
        (NOT_FOUND, BELIEVED, Answer.NOT_FOUND),
        (NOT_FOUND, Controls(unknown="HTTP 404", known=Known.NOT_FOUND), Answer.NOT_EVEN_KNOWN),
        (NOT_FOUND, Controls(unknown="HTTP 404", known=Known.NONE), Answer.NO_CONTROL),
        (NOT_FOUND, Controls(unknown="HTTP 404", known=Known.NO_ANSWER), Answer.NO_ANSWER),
        (NOT_FOUND, Controls(unknown="HTTP 404, error 7", known=Known.FOUND), Answer.UNLIKE_UNKNOWN),
        (NOT_FOUND, Controls(unknown="", known=Known.FOUND), Answer.NO_ANSWER),
        (QueryResult(text="HTTP 404"), BELIEVED, Answer.NO_ANSWER),
    ],
)
def test_not_found_is_believed_beside_both_controls_only(result, controls, answer):
    assert judge(result, controls) is answer


def test_two_answers_a_grace_apart_prove_that_it_was_not_taken():
    proof, evidence = after_query(EVIDENCE, Answer.NOT_FOUND, NOON + GRACE)
    assert (proof, evidence.not_found_at) == (Proof.NOTHING, NOON + GRACE)

    assert after_query(evidence, Answer.NOT_FOUND, NOON + 2 * GRACE)[0] is Proof.NOT_ACCEPTED


def test_answer_within_the_first_grace_does_not_count():
    assert after_query(EVIDENCE, Answer.NOT_FOUND, NOON + GRACE * 0.99) == (Proof.NOTHING, EVIDENCE)


def test_second_answer_within_a_grace_of_the_first_does_not_count():
    _, evidence = after_query(EVIDENCE, Answer.NOT_FOUND, NOON + GRACE)

    assert after_query(evidence, Answer.NOT_FOUND, NOON + GRACE * 1.99) == (Proof.NOTHING, evidence)


def test_query_without_an_answer_keeps_what_the_one_before_has_shown():
    _, evidence = after_query(EVIDENCE, Answer.NOT_FOUND, NOON + GRACE)

    assert after_query(evidence, Answer.NO_ANSWER, NOON + 2 * GRACE) == (Proof.NOTHING, evidence)


class Query(NamedTuple):
    queried_at: datetime
    result: QueryResult
    controls: Controls


TEXTS = ["HTTP 404", "HTTP 200", "HTTP 400, error 7", ""]
MOMENTS = st.floats(0, 8).map(lambda graces: NOON + GRACE * graces)
RESULTS = st.builds(QueryResult, is_not_found=st.booleans(), text=st.sampled_from(TEXTS))
CONTROLS = st.builds(Controls, unknown=st.sampled_from(TEXTS), known=st.sampled_from(Known))
QUERIES = st.lists(st.builds(Query, MOMENTS, RESULTS, CONTROLS), max_size=30)
LIKELY = st.lists(st.builds(Query, MOMENTS, st.just(NOT_FOUND), st.just(BELIEVED)), max_size=30)


def end_of(queries):
    """Send one query after the other until something is proved; return that, and those that were sent."""
    evidence, queried = EVIDENCE, []
    for query in sorted(queries, key=lambda item: item.queried_at):
        queried.append(query)
        proof, evidence = after_query(evidence, judge(query.result, query.controls), query.queried_at)
        if proof is not Proof.NOTHING:
            return proof, queried
    return Proof.NOTHING, queried


def proves_something(query):
    result, controls = query.result, query.controls
    return result.is_not_found and result.text == controls.unknown != "" and controls.known is Known.FOUND


@given(st.one_of(QUERIES, st.tuples(QUERIES, LIKELY).map(lambda both: both[0] + both[1])))
def test_nothing_is_sent_again_without_two_believed_answers_a_grace_apart(queries):
    proof, queried = end_of(queries)
    good = [item.queried_at for item in queried if proves_something(item) and item.queried_at >= NOON + GRACE]

    is_proved = bool(good) and good[-1] - good[0] >= GRACE
    assert (proof is Proof.NOT_ACCEPTED) is is_proved


@given(
    st.lists(MOMENTS, max_size=30),
    st.floats(0, 2).map(lambda graces: NOON + GRACE * graces),
    st.lists(st.sampled_from(["fails", "answers", "answers"]), min_size=30, max_size=30),
)
def test_platform_that_is_up_to_two_graces_behind_is_never_misread(moments, known_from, moods):
    """The message was taken at noon. From ``known_from`` on the platform finds it, as far as it answers at all."""
    evidence = EVIDENCE
    for queried_at, mood in zip(sorted(moments), moods, strict=False):
        if mood == "fails":
            answer = Answer.NO_ANSWER
        elif queried_at >= known_from:
            return
        else:
            answer = judge(NOT_FOUND, BELIEVED)
        proof, evidence = after_query(evidence, answer, queried_at)
        assert proof is not Proof.NOT_ACCEPTED


def test_batch_is_not_sent_again_for_a_few_of_its_messages():
    assert not is_round_complete(SAMPLE - 1, 1_000)
    assert is_round_complete(SAMPLE, 1_000)


def test_every_message_of_a_small_batch_must_be_unknown():
    assert not is_round_complete(2, 3)
    assert is_round_complete(3, 3)


def test_batch_of_which_nothing_is_in_doubt_proves_nothing():
    assert not is_round_complete(0, 0)


@pytest.mark.parametrize(
    ("codes", "refused"), [((7, 7), True), ((7, 8), False), ((7, None), False), ((None, None), False)]
)
def test_same_error_code_twice_is_a_refusal(codes, refused):
    assert is_rejection(*codes) is refused


def test_queries_become_rarer_and_none_is_late_for_its_round():
    assert next_query_at(EVIDENCE, 30, NOON) == NOON + timedelta(seconds=30)
    assert next_query_at(EVIDENCE, 300, NOON) == NOON + GRACE
    hour, day = NOON + timedelta(hours=1), NOON + timedelta(days=1)
    assert next_query_at(EVIDENCE, 30, hour) == hour + timedelta(minutes=6)
    assert next_query_at(EVIDENCE, 30, day) == day + timedelta(seconds=30) * MAX_FACTOR
