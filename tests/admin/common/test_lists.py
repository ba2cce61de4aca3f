"""The lists of big tables: which page, which rows, which number, whatever is asked for and however many there are."""

from __future__ import annotations

import html
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.admin.views.main import ALL_VAR
from django.urls import reverse
from django.utils import timezone

from django_hyber.admin.common import lists, paginators
from django_hyber.models import Campaign, DeliveryReport, Message, Reply, UnreadableCallback

MOST = 30
LIST = "/admin/django_hyber/message/"
NO_SUCH_PAGE = "That page does not exist. This is the last one."
CUT_OFF = f"Only the first {MOST} can be shown: narrow the list with a filter or a search."
Status = Message.Status


def told(response):
    return [str(message) for message in response.context["messages"]]


def opened(client, address=LIST, **query):
    response = client.get(address, query)
    assert response.status_code == 200
    return response


def search_form(response):
    page = response.content.decode()
    return page[page.index('id="changelist-search"') :].split("</form>")[0]


def phones(response):
    return [row.phone_number for row in response.context["cl"].result_list]


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    """A big table is one of more than 30 rows, ten of them on a page."""
    monkeypatch.setattr(paginators, "MOST_COUNTED", MOST)
    monkeypatch.setattr(lists, "MOST_COUNTED", MOST)
    monkeypatch.setattr(admin.site._registry[Message], "list_per_page", 10)
    monkeypatch.setattr(admin.site._registry[Message], "list_max_show_all", 20)


@pytest.fixture
def many(draft, add_recipients):
    """45 messages: 35 have arrived, ten have not."""
    add_recipients(draft, 10, status=Status.EXPIRED)
    add_recipients(draft, 35, status=Status.DELIVERED, channel="viber")
    return list(Message.objects.order_by("-pk").values_list("phone_number", flat=True))


class SmallListTests:
    def test_few_rows_are_counted(self, admin_client, many):
        response = opened(admin_client, status__exact="expired")

        assert response.context["cl"].result_count == 10
        assert response.context["cl"].count_note == ""
        assert phones(response) == many[35:]

    def test_the_limit_itself_is_still_counted(self, admin_client, many):
        Message.objects.filter(phone_number__in=many[:5]).delete()

        response = opened(admin_client, channel="viber", p=3)

        assert (response.context["cl"].result_count, response.context["cl"].count_note) == (30, "")
        assert phones(response) == many[25:35]

    def test_an_empty_list_has_one_page(self, admin_client, db):
        response = opened(admin_client)

        assert (response.context["cl"].result_count, phones(response)) == (0, [])

    def test_show_all_shows_all_of_a_list_that_is_not_too_long(self, admin_client, many):
        Message.objects.filter(phone_number__in=many[:20]).delete()

        assert phones(opened(admin_client, channel="viber", **{ALL_VAR: ""})) == many[20:35]

    def test_show_all_of_a_longer_list_is_its_first_page(self, admin_client, many):
        assert phones(opened(admin_client, channel="viber", **{ALL_VAR: ""})) == many[:10]


class LongListTests:
    def test_the_number_says_that_there_are_more(self, admin_client, many):
        page = opened(admin_client, channel="viber").content.decode()

        assert page.count(f"Found: more than {MOST}") == 3
        assert f"{MOST} messages" not in page

    def test_beside_the_search_no_number_is_shown(self, admin_client, many):
        assert "result" not in search_form(opened(admin_client, channel="viber"))
        assert "10 results" in search_form(opened(admin_client, status__exact="expired"))

    def test_a_whole_table_is_counted_no_further(self, admin_client, many):
        response = opened(admin_client)

        assert response.context["cl"].shown_count == f"more than {MOST}"
        assert phones(opened(admin_client, p=3)) == many[20:30]


class CutOffTests:
    def test_of_many_rows_the_first_can_be_looked_through(self, admin_client, many):
        pages = [opened(admin_client, channel="viber", p=page) for page in range(1, 4)]

        assert [phones(page) for page in pages] == [many[:10], many[10:20], many[20:30]]
        assert {page.context["cl"].result_count for page in pages} == {MOST}
        assert CUT_OFF in pages[0].content.decode()

    def test_beyond_them_it_is_told_how_to_see_the_others(self, admin_client, many):
        response = opened(admin_client, channel="viber", p=4)

        assert told(response) == [CUT_OFF]
        assert phones(response) == many[20:30]

    def test_all_of_it_can_be_chosen_though_not_all_is_shown(self, admin_client, many, admin_user):
        Campaign.objects.update(status="finished", run=1)
        Message.objects.update(status="rejected")
        data = {"action": "retry_selected", "_selected_action": "1", "select_across": "1"}

        page = admin_client.post(f"{LIST}?channel=viber", data).content.decode()

        assert 'value="Send again to 35 people"' in page

    def test_the_number_to_choose_is_not_told_as_if_it_were_exact(self, admin_client, many):
        page = html.unescape(opened(admin_client, channel="viber").content.decode())

        assert f"Select all {MOST} messages" not in page
        assert "Select all messages" in page


class WrongPageTests:
    @pytest.mark.parametrize("query", [{}, {"channel": "viber"}, {"status__exact": "expired"}])
    def test_a_page_that_is_not_there_is_the_last(self, admin_client, many, query):
        last = opened(admin_client, **query).context["cl"].paginator.num_pages

        for number in (last + 1, 10**6, 10**30):
            response = opened(admin_client, p=number, **query)
            assert len(told(response)) == 1
            assert phones(response) == phones(opened(admin_client, p=last, **query)), number

    @pytest.mark.parametrize("number", ["0", "-1", "-9999", "x", "", "1.5", "²"])
    def test_a_page_that_is_none_is_the_first(self, admin_client, many, number):
        response = opened(admin_client, p=number)

        assert phones(response) == many[:10]
        assert response.context["cl"].page_num == 1

    def test_a_list_that_has_become_shorter_shows_its_end(self, admin_client, many):
        Message.objects.filter(phone_number__in=many[:30]).delete()

        response = opened(admin_client, p=5)

        assert told(response) == [NO_SUCH_PAGE]
        assert phones(response) == many[40:]


class FormLimitTests:
    def test_no_page_has_more_rows_than_a_form_may_have_fields(self, admin_client, many, settings):
        settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 25

        changelist = opened(admin_client).context["cl"]

        assert (changelist.list_per_page, changelist.list_max_show_all, len(changelist.result_list)) == (5, 5, 5)

    @pytest.mark.parametrize("limit", [None, 1_000, 10**6])
    def test_a_generous_project_gets_the_usual_pages(self, admin_client, many, settings, limit):
        settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = limit

        assert opened(admin_client).context["cl"].list_per_page == 10

    def test_a_project_that_allows_next_to_nothing_gets_one_row(self, admin_client, many, settings):
        settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 1

        assert len(phones(opened(admin_client))) == 1


class OrderTests:
    @pytest.mark.parametrize("order", ["1", "-2", "3.1", "99", "x"])
    def test_history_is_not_sorted_by_what_no_index_helps_with(self, admin_client, many, order):
        assert phones(opened(admin_client, o=order)) == many[:10]

    @pytest.mark.parametrize("column", ["name", "starts", "created"])
    def test_campaigns_are_sorted_as_asked(self, admin_client, draft, column):
        now = timezone.now()
        Campaign.objects.create(name="Autumn sale", start_time=now)
        Campaign.objects.filter(pk=draft.pk).update(
            start_time=now + timedelta(days=1), created_at=now + timedelta(days=1)
        )
        place = admin.site._registry[Campaign].list_display.index(column) + 1

        address = reverse("admin:django_hyber_campaign_changelist")
        for order, names in ((place, ["Autumn sale", "Spring sale"]), (-place, ["Spring sale", "Autumn sale"])):
            response = opened(admin_client, address, o=str(order))
            assert [campaign.name for campaign in response.context["cl"].result_list] == names


class TimeFilterTests:
    """A filter by time sorts by that time, whose index knows the rows of today."""

    @pytest.mark.parametrize("model", [DeliveryReport, Reply, UnreadableCallback])
    def test_what_came_lately_is_found_by_its_index(self, admin_client, db, model):
        now = timezone.now()
        facts = {"account": "default", "received_at": now}
        if model is UnreadableCallback:
            facts |= {"kind": "reports", "body": "<", "reason": "no JSON"}
        for number, hours in enumerate((30, 2, 1)):
            own = {} if model is UnreadableCallback else {"fingerprint": str(number), "raw": {}}
            model.objects.create(**facts | own | {"received_at": now - timedelta(hours=hours)})

        address = reverse(f"admin:django_hyber_{model._meta.model_name}_changelist")
        changelist = opened(admin_client, address, received_at__gte=str(now - timedelta(hours=3))).context["cl"]

        assert [now - row.received_at for row in changelist.result_list] == [timedelta(hours=1), timedelta(hours=2)]
        assert list(changelist.queryset.query.order_by) == ["-received_at", "-pk"]
        assert set(opened(admin_client, address).context["cl"].queryset.query.order_by) == {"-id"}


class HeadingTests:
    """Django's own sentences put the name of a model into a case that it does not have in Ukrainian."""

    def test_a_list_is_headed_by_what_it_lists(self, admin_client, many):
        address = reverse("admin:django_hyber_campaign_changelist")
        page = admin_client.get(address, headers={"Accept-Language": "uk"}).text

        assert "<h1>Кампанії</h1>" in page

    def test_a_page_is_headed_by_what_it_shows(self, admin_client, many):
        address = reverse("admin:django_hyber_message_change", args=[Message.objects.first().pk])
        page = admin_client.get(address, headers={"Accept-Language": "uk"}).text

        assert "<h1>Повідомлення</h1>" in page


class FilterTests:
    @pytest.mark.parametrize("chosen", ["nonsense", "-1", "0", "²", "9" * 30, "1e3", ""])
    @pytest.mark.parametrize("model", ["message", "batch"])
    def test_a_campaign_that_is_none_finds_nothing_or_everything(self, admin_client, many, model, chosen):
        response = opened(admin_client, reverse(f"admin:django_hyber_{model}_changelist"), campaign=chosen)

        assert len(response.context["cl"].result_list) == (10 if not chosen and model == "message" else 0)

    def test_an_empty_campaign_has_no_messages(self, admin_client, many):
        campaign = Campaign.objects.create(name="Empty")

        assert phones(opened(admin_client, campaign=campaign.pk)) == []

    def test_one_campaign_among_others(self, admin_client, many, add_recipients):
        other = Campaign.objects.create(name="Other")
        add_recipients(other, 2)
        add_recipients(Campaign.objects.get(name="Spring sale"), 1)

        assert len(phones(opened(admin_client, campaign=other.pk))) == 2

    def test_a_campaign_whose_messages_lie_far_apart(self, admin_client, many, add_recipients):
        other = Campaign.objects.create(name="Other")
        add_recipients(other, 2)
        Message.objects.create(pk=10**6, campaign=other, phone_number="380671111111", extra_id="far")
        Message.objects.create(pk=10**5, phone_number="380671111112", extra_id="between")

        assert len(phones(opened(admin_client, campaign=other.pk))) == 3
