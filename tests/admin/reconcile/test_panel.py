"""What the page of a batch or of a message says about an outcome that is unknown, and to whom."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone, translation

from django_hyber.admin.reconcile.panel import NO_PROOF
from django_hyber.models import Batch, Message
from django_hyber.services import mark_as_sent

pytestmark = pytest.mark.django_db(transaction=True)
FACT = re.compile(r'<dd data-fact="([\w-]+)">(.*?)</dd>', re.DOTALL)
BUTTONS = re.compile(r'id="hyber-(query|sent|again)"')
Answer = Batch.Answer


def page_of(client, row):
    address = reverse(f"admin:django_hyber_{row._meta.model_name}_change", args=[row.pk])
    return client.get(address).content.decode()


def facts_of(page):
    return {name: unescape(text).replace("\xa0", " ") for name, text in FACT.findall(page)}


def change(row, **values):
    type(row).objects.filter(pk=row.pk).update(**values)


def test_everything_known_is_on_the_page(admin_client, row):
    # 14:00 in Kyiv.
    noon = datetime(2026, 6, 10, 11, 0, tzinfo=UTC)
    change(
        row,
        doubted_at=noon,
        queried_at=noon + timedelta(minutes=5),
        queries=1_200,
        answer=Answer.NO_CONTROL,
        answer_text="HTTP 404",
        not_found_at=noon + timedelta(minutes=2),
        error_text="HTTP 502",
        error_code=12,
    )

    facts = facts_of(page_of(admin_client, row))

    assert facts["since"] == "06/10/2026 2 pm"
    assert facts["request"] == "12 (HTTP 502)"
    assert facts["queries"] == "1,200, the last at 06/10/2026 2:05 pm"
    assert facts["answer"] == (
        "HTTP 404. Not found, but there is no accepted message yet to verify the answer with. "
        "A wrong URL would give the same answer to every query."
    )
    assert facts["not-found"] == "06/10/2026 2:02 pm"
    people = {Message: "1 recipient", Batch: "3 recipients"}
    assert facts["people"] == people[type(row)]


def test_nothing_is_made_up_before_the_first_query(admin_client, row):
    facts = facts_of(page_of(admin_client, row))

    assert "connection broke" in facts["request"]
    assert (facts["queries"], facts["not-found"]) == ("none yet", "none that counts yet")
    assert "answer" not in facts


@pytest.mark.parametrize("answer", Answer)
def test_every_answer_is_said_to_be_no_proof(admin_client, message, answer):
    change(message, queries=1, queried_at=timezone.now(), answer=answer)

    text = facts_of(page_of(admin_client, message))["answer"]

    assert text == f"{answer.label} {NO_PROOF[answer]}"


def test_a_person_is_asked_only_when_it_should_have_been_proved_long_ago(admin_client, row):
    assert "It is being queried, and nothing is sent again without proof." in page_of(admin_client, row)

    change(row, not_found_after=timezone.now() - timedelta(hours=2))

    assert "a person should decide" in page_of(admin_client, row)


def test_page_says_that_nothing_can_be_queried_without_the_settings_of_the_account(admin_client, orphan):
    page = page_of(admin_client, orphan)

    assert "The settings of its account are missing or invalid" in page
    assert "It is being queried" not in page
    assert BUTTONS.findall(page) == ["query", "sent", "again"]


def test_the_panel_ends_with_the_doubt(admin_client, row):
    assert 'id="hyber-doubt"' in page_of(admin_client, row)

    mark_as_sent(row, by="olena")

    assert 'id="hyber-doubt"' not in page_of(admin_client, row)


def test_a_message_of_a_batch_in_doubt_leads_to_the_batch(admin_client, batch, campaign):
    page = page_of(admin_client, campaign.messages.first())

    assert f'<a href="/admin/django_hyber/batch/{batch.pk}/change/">Batch {batch.pk}</a>' in page
    assert BUTTONS.findall(page) == []


def test_the_batch_is_no_link_for_users_who_may_not_see_it(client, batch, campaign, log_in):
    log_in("view_message", "resolve_doubt")

    page = page_of(client, campaign.messages.first())

    assert "shares the outcome of its batch" in page
    assert "/batch/" not in page


def test_buttons_take_a_permission_of_their_own(client, row, log_in, django_user_model):
    views = f"view_{row._meta.model_name}"
    log_in(views)
    page = page_of(client, row)
    assert "queries" in facts_of(page)
    assert BUTTONS.findall(page) == []

    django_user_model.objects.all().delete()
    log_in(views, "resolve_doubt")
    assert BUTTONS.findall(page_of(client, row)) == ["query", "sent", "again"]


def test_numbers_in_errors_and_answers_are_masked(client, row, log_in):
    change(row, error_text="No route to 380671234567", queries=1, answer=Answer.NO_ANSWER, answer_text="380671234567")
    log_in(f"view_{row._meta.model_name}", "resolve_doubt")

    page = page_of(client, row)

    assert "No route to" in page
    assert "380671234567" not in facts_of(page)["request"] + facts_of(page)["answer"]


def test_it_is_said_in_ukrainian(admin_client, row):
    change(row, queries=3, queried_at=timezone.now(), answer=Answer.NO_CONTROL)
    admin_client.cookies["django_language"] = "uk"
    with translation.override("uk"):
        page = page_of(admin_client, row)

    assert "Результат невідомий" in page
    assert not re.search("Ask now|It was sent|Send again|Not found", page)
