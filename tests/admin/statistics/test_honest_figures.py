"""The figures of a whole life, counted by hand: on the page of the campaign, beside another, and of the period.

People fall back to SMS of two parts, click without a report that they have seen it, fail, are sent to again, and are
purged. The platform reports the end only, or every channel: every page shows the same table.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from django_hyber.models import Campaign, Message
from django_hyber.protocol import SMS, Viber
from django_hyber.sandbox import Sandbox
from django_hyber.services import import_recipients, purge_personal_data, retry_failed, start_campaign
from tests.builders import dispatch_until_finished
from tests.conftest import account_settings
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)

CHANNELS = [
    Viber(text="Hi", ttl=60, ctr=True),
    # Cyrillic, and longer than 70 characters: two parts.
    SMS(text="Привіт! " * 10, alpha_name="GMSU", ttl=300),
]
PRICES = {"viber": "0.45", "viber_template": "0.30", "sms": "0.98"}
PEOPLE = 3
#: Three people of each: delivered, without a template, clicked, expired, fallen back, seen, rejected, fallen back with
#: the reports in the wrong order, undelivered.
OUTCOMES = ("00", "59", "86", "89", "90", "91", "92", "97", "99")
#: Of Viber, of SMS, of no channel, and in all. The platform refused three numbers, so that no channel tried them.
TABLE = {
    "tried": ["24", "12", "0", "24"],
    "delivered": ["12", "6", "0", "18"],
    "not_delivered": ["12", "6", "0", "6"],
    "rejected": ["0", "0", "3", "3"],
    "seen": ["3", "–", "–", "3"],
    "clicked": ["3", "–", "–", "3"],
    "clicks": ["6", "–", "–", "6"],
    "matched": ["9", "–", "–", "9"],
    "unmatched": ["3", "–", "–", "3"],
    "total_parts": ["–", "24", "–", "24"],
    "delivered_parts": ["–", "12", "–", "12"],
    "partly_delivered": ["–", "0", "–", "0"],
    # 15 deliveries at 0.45 less 9 of a template at 0.30; two parts each at 0.98.
    "sent_cost": ["9.45\u00a0UAH", "23.52\u00a0UAH", "–", "32.97\u00a0UAH"],
    "cost": ["4.05\u00a0UAH", "11.76\u00a0UAH", "–", "15.81\u00a0UAH"],
}
FUNNEL = {"queued": "27", "accepted": "24", "delivered": "18", "clicked": "3", "seen": "3"}
DAY = timedelta(days=1)


def table_of(response):
    """The lines of the table of figures by name: the number of each cell, without its share and its mark."""
    return {
        name: [
            re.sub(r"<span.*?</span>|<abbr.*?</abbr>", "", cell, flags=re.DOTALL).strip()
            for cell in re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL)
        ]
        for name, row in re.findall(r'<tr data-line="(\w+)">(.*?)</tr>', response.content.decode(), re.DOTALL)
    }


def funnel_of(response):
    rows = re.findall(r'<tr data-stage="(\w+)">(.*?)</tr>', response.content.decode(), re.DOTALL)
    return {name: re.search(r"<td.*?>(.*?)</td>", row)[1] for name, row in rows}


@pytest.fixture(params=[False, True], ids=["final report only", "a report of every channel"])
def campaign(live_server, settings, request):
    """A campaign that has been sent, and whose failed messages have been sent again."""
    with Sandbox(
        password="sandbox-password", latency=0.01, time_scale=0.001, report_each_channel=request.param
    ) as sandbox:
        account = account_settings(
            sandbox, CALLBACK_BASE_URL=live_server.url, PRICES=PRICES, CURRENCY="UAH", SEEN_CODES=[23099]
        )
        settings.HYBER = {"default": account}
        campaign = Campaign.objects.create(name="Spring sale")
        campaign.set_channels(CHANNELS)
        rows = [{"phone": phone(number, end)} for end in OUTCOMES for number in range(PEOPLE)]
        import_recipients(campaign, rows)
        start_campaign(campaign)
        dispatch_until_finished(campaign)
        assert sandbox.wait_idle(20)
        retry_failed(campaign)
        dispatch_until_finished(campaign)
        assert sandbox.wait_idle(20)
    return campaign


def test_every_page_shows_the_figures_of_a_whole_life(admin_client, campaign):
    page_of_campaign = f"/admin/django_hyber/campaign/{campaign.pk}/change/"
    page = admin_client.get(page_of_campaign)
    assert table_of(page) == TABLE
    assert funnel_of(page) == FUNNEL

    period = admin_client.get("/admin/django_hyber/campaign/period/")
    assert table_of(period) == TABLE

    other = Campaign.objects.create(name="Other", status="finished", launched_at=timezone.now())
    compared = table_of(admin_client.get("/admin/django_hyber/campaign/compare/", {"ids": f"{campaign.pk},{other.pk}"}))
    assert {name: compared[name][0] for name in TABLE} == {name: cells[-1] for name, cells in TABLE.items()}
    assert (compared["sent"][0], compared["accepted"][0]) == ("27", FUNNEL["accepted"])

    Message.objects.update(created_at=timezone.now() - 40 * DAY)
    Message.objects.exclude(finished_at=None).update(finished_at=timezone.now() - 40 * DAY)
    assert purge_personal_data(30 * DAY).messages == len(OUTCOMES) * PEOPLE
    assert table_of(admin_client.get(page_of_campaign)) == TABLE
