"""Every list and page of the admin takes as many queries for many rows as for few, and counts no big table."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils import timezone

from django_hyber.admin.common.paginators import MOST_COUNTED
from django_hyber.models import (
    BackgroundJob,
    Batch,
    Campaign,
    CampaignChannel,
    DeliveryReport,
    FormerOptOut,
    Message,
    Reply,
    Suppression,
    Template,
    TemplateChannel,
    TemplateVariant,
    TestNumber,
    UnreadableCallback,
)
from tests.queries import statements_of

pytestmark = pytest.mark.slow
#: Enough of all statuses, and of campaigns for a filter not to offer each of them; and more than fits onto a page.
FEW, MANY = 25, 60
MODELS = [model for model in admin.site._registry if model._meta.app_label == "django_hyber"]
#: Pages of a campaign, by what has become of it.
CAMPAIGN_PAGES = {
    "draft": ["change", "history", "delete", "import", "preflight", "test", "preview"],
    "finished": ["export", "copy", "retry"],
    "paused": ["cancel"],
    "sending": ["change", "progress"],
}
#: A count that ends at no limit.
COUNTED = re.compile(rf"\bCOUNT\((?!.* LIMIT {MOST_COUNTED + 1}\))", re.IGNORECASE)
STATUSES = (
    "delivered",
    "seen",
    "expired",
    "undelivered",
    "rejected",
    "accepted",
    "queued",
    "unconfirmed",
    "suppressed",
)
LISTS = [
    ("message", query)
    for query in (
        {},
        {"p": "2"},
        {"all": ""},
        {"q": "380671234567"},
        {"status__exact": "delivered"},
        {"channel": "viber"},
        {"campaign": "none"},
        {"campaign": "first"},
        {"campaign": "first", "status__exact": "rejected", "error_code": "36024"},
        {"created_at__gte": "2020-01-01 00:00:00+00:00"},
    )
] + [
    ("campaign", {}),
    ("campaign", {"q": "Campaign"}),
    ("campaign", {"status__exact": "draft"}),
    ("campaign", {"o": "1"}),
    ("deliveryreport", {}),
    ("deliveryreport", {"waiting": "yes"}),
    ("deliveryreport", {"waiting": "no"}),
    ("deliveryreport", {"q": "m-1"}),
    ("reply", {}),
    ("reply", {"read": "no"}),
    ("reply", {"q": "380671234567"}),
    ("batch", {}),
    ("batch", {"campaign": "first"}),
    ("formeroptout", {}),
    ("formeroptout", {"q": "380671234567"}),
    ("testnumber", {}),
    ("suppression", {}),
    ("suppression", {"q": "380671234567"}),
    ("template", {}),
    ("template", {"q": "order"}),
    ("templatevariant", {}),
    ("unreadablecallback", {}),
    ("unreadablecallback", {"kind__exact": "reports"}),
]


def fill(count):
    """So many rows of everything: in campaigns of their own, in the first one, and alone."""
    start = Campaign.objects.count()
    numbers = range(start, start + count)
    campaigns = add_campaigns(numbers)
    first = Campaign.objects.order_by("pk").first()
    own = add_messages(numbers, campaigns, "38067", "own")
    add_messages(numbers, [first] * count, "38050", "first")
    add_messages(numbers, [None] * count, "38063", "alone")
    Batch.objects.bulk_create(
        Batch(campaign=place, run=0, first_id=2 * number + (place is first), last_id=0, size=1)
        for number, campaign in zip(numbers, campaigns, strict=True)
        for place in {campaign, first}
    )
    BackgroundJob.objects.bulk_create(BackgroundJob(kind="retry", campaign=first, state="done") for _ in numbers)
    add_received(numbers, own)
    TestNumber.objects.bulk_create(TestNumber(name="Olena", phone_number=f"38050{number:07d}") for number in numbers)
    Suppression.objects.bulk_create(Suppression(phone_number=f"38067{number:07}") for number in numbers)
    now, reply = timezone.now(), Reply.objects.order_by("pk").first()
    FormerOptOut.objects.bulk_create(
        FormerOptOut(phone_number=f"38067{number:07}", created_at=now, ended_at=now, reply=reply, ended_reply=reply)
        for number in numbers
    )
    add_templates(numbers)


def add_campaigns(numbers):
    texts = {"viber": {"text": "Hi %name%", "ttl": 60, "ctr": True}, "sms": {"text": "Hi", "alpha_name": "Shop"}}
    campaigns = Campaign.objects.bulk_create(Campaign(name=f"Campaign {number}") for number in numbers)
    # MariaDB tells no keys of rows that are inserted together.
    campaigns = list(Campaign.objects.filter(name__in=[campaign.name for campaign in campaigns]).order_by("pk"))
    CampaignChannel.objects.bulk_create(
        CampaignChannel(campaign=campaign, channel=name, options=options)
        for campaign in campaigns
        for name, options in texts.items()
    )
    return campaigns


def add_templates(numbers):
    """Templates with a text each, and the first one with a text in many languages."""
    Template.objects.bulk_create(Template(code=f"template-{number}", name="Order shipped") for number in numbers)
    found = Template.objects.filter(code__in=[f"template-{number}" for number in numbers]).order_by("pk")
    first = Template.objects.order_by("pk").first()
    texts = [TemplateVariant(template=template, language=f"xx-{template.code}"[:16]) for template in found]
    texts += [TemplateVariant(template=first, language=f"yy-{number}") for number in numbers]
    TemplateVariant.objects.bulk_create(texts)
    oldest = TemplateVariant.objects.order_by("pk").first()
    TemplateChannel.objects.get_or_create(variant=oldest, channel="viber", options={"text": "Hi", "ttl": 60})


def add_messages(numbers, campaigns, prefix, name):
    now = timezone.now()
    Message.objects.bulk_create(
        Message(
            campaign=campaign,
            phone_number=f"{prefix}{number:07}",
            extra_id=f"{name}-{number}",
            status=STATUSES[number % len(STATUSES)],
            channel="viber" if number % len(STATUSES) < 2 else "",
            error_code=36024,
            variables={"name": "Olena"},
            accepted_at=now,
            finished_at=now,
        )
        for number, campaign in zip(numbers, campaigns, strict=True)
    )
    return list(Message.objects.filter(extra_id__in=[f"{name}-{number}" for number in numbers]).order_by("pk"))


def add_received(numbers, messages):
    """Reports on messages of their own, on the first message and on none; answers; and what cannot be read."""
    first = Message.objects.order_by("pk").first()
    DeliveryReport.objects.bulk_create(
        DeliveryReport(
            account="default",
            fingerprint=f"{number}-{place}",
            message=message,
            hyber_message_id="m-1",
            raw={"status": 2},
            hyber_status=23033,
        )
        for number, own in zip(numbers, messages, strict=True)
        for place, message in enumerate((own, first, None))
    )
    facts = {"account": "default", "channel": "viber", "phone_number": "380671234567", "text": "Thanks", "raw": {}}
    Reply.objects.bulk_create(
        Reply(fingerprint=str(number), message=message, **facts)
        for number, message in zip(numbers, messages, strict=True)
    )
    UnreadableCallback.objects.bulk_create(
        UnreadableCallback(kind="reports", account="default", body="<", reason="no JSON") for _ in numbers
    )


def opened(client, address, query=None):
    response = client.get(address, query)
    assert response.status_code == 200, address
    return response


def growing(client, pages, *, most):
    """The pages that take other queries with many more rows, or more than so many, and what they ask then."""
    # The first look of all compiles the templates, and reads the content types.
    for page in pages:
        opened(client, *page)
    few = [statements_of(opened, client, *page) for page in pages]
    fill(MANY)
    many = [statements_of(opened, client, *page) for page in pages]
    return [
        (page, len(before), after)
        for page, before, after in zip(pages, few, many, strict=True)
        if len(before) != len(after) or len(after) > most
    ]


def lists():
    """The address and the query of each list."""
    first = str(Campaign.objects.order_by("pk").first().pk)
    return [
        (
            reverse(f"admin:django_hyber_{model}_changelist"),
            query | {"campaign": first} if query.get("campaign") == "first" else query,
        )
        for model, query in LISTS
    ]


def pages_of_the_oldest():
    """The address of the oldest row of each model, to which most belongs."""
    oldest = {model._meta.model_name: model.objects.order_by("pk").first() for model in MODELS}
    return [(reverse(f"admin:django_hyber_{name}_change", args=[row.pk]),) for name, row in oldest.items()]


@pytest.fixture
def client(admin_client):
    fill(FEW)
    return admin_client


def test_lists_take_the_same_queries_whatever_their_length(client):
    assert growing(client, lists(), most=8) == []


def test_no_list_counts_all_its_rows_or_offers_all_values_of_a_column(client):
    used = [(page, sql) for page in lists() for sql in statements_of(opened, client, *page)]

    assert [(page, sql) for page, sql in used if COUNTED.search(sql) and not is_of_a_campaign(page, sql)] == []
    assert [(page, sql) for page, sql in used if "DISTINCT" in sql] == []


def is_of_a_campaign(page, sql):
    """Of the campaigns of a page, and of the one that is filtered by, it is counted in an index what became of them."""
    address, query = page
    return "GROUP BY" in sql and ("campaign" in query or address == reverse("admin:django_hyber_campaign_changelist"))


def test_every_list_is_looked_at():
    assert {model for model, _query in LISTS} == {model._meta.model_name for model in MODELS}


def test_pages_take_the_same_queries_whatever_belongs_to_them(client):
    assert growing(client, pages_of_the_oldest(), most=16) == []


def test_no_page_offers_all_rows_of_another_table(client):
    fill(MANY)
    offers = {page: opened(client, *page).content.decode().count("<option") for page in pages_of_the_oldest()}

    assert {page: count for page, count in offers.items() if count >= 40} == {}


@pytest.mark.parametrize("status", CAMPAIGN_PAGES)
def test_the_pages_of_a_campaign_take_the_same_queries_whatever_its_size(client, status):
    campaign = Campaign.objects.order_by("pk").first()
    if status != "draft":
        Campaign.objects.filter(pk=campaign.pk).update(status=status, launched_at=timezone.now())
    pages = [(reverse(f"admin:django_hyber_campaign_{name}", args=[campaign.pk]),) for name in CAMPAIGN_PAGES[status]]

    assert growing(client, pages, most=25) == []


def test_the_index_page_takes_the_same_queries_whatever_there_is(client):
    assert growing(client, [(reverse("admin:app_list", args=["django_hyber"]),)], most=30) == []


def test_action_on_a_filtered_list_looks_for_the_rows_of_the_campaign_once(client):
    first = Campaign.objects.order_by("pk").first()
    address = f"{reverse('admin:django_hyber_message_changelist')}?campaign={first.pk}"
    question = {"action": "retry_selected", "_selected_action": "1", "select_across": "1"}

    used = statements_of(client.post, address, question)

    assert len([sql for sql in used if "MIN(" in sql]) == 1
