"""Another service sends messages and starts campaigns over HTTP."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Permission
from rest_framework.pagination import CursorPagination, LimitOffsetPagination, PageNumberPagination
from rest_framework.test import APIClient

from django_hyber import protocol
from django_hyber.api.views import CampaignViewSet
from django_hyber.models import Campaign, Message, Template
from django_hyber.policies.four_eyes import add_contributor
from tests.builders import make_campaign, posts
from tests.samples import phone, report

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.api.urls")]
VIBER = {"channel": "viber", "text": "Your code is 1234", "ttl": 60}
SMS = {"channel": "sms", "text": "Your code is 1234", "alpha_name": "SHOP", "ttl": 300}
MESSAGES, CAMPAIGNS = "/api/hyber/messages/", "/api/hyber/campaigns/"


@pytest.fixture
def service(django_user_model):
    """A client of a user with these permissions."""

    def service(*codenames):
        user = django_user_model.objects.create_user(f"service-{len(codenames)}-{'-'.join(codenames)}"[:150])
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = APIClient()
        client.force_authenticate(user)
        return client

    return service


@pytest.fixture
def sender(service):
    return service("add_message", "view_message", "view_personal_data")


def new(number=1, *channels, **fields):
    return {"phone_number": phone(number), "channels": list(channels or (VIBER, SMS)), **fields}


def send(client, data):
    return client.post(MESSAGES, data, format="json")


class TestMessages:
    def test_message_is_sent_with_its_channels_in_order(self, platform, sender):
        response = send(sender, new(extra_id="code-7"))

        assert (response.status_code, response.data["extra_id"]) == (201, "code-7")
        (body,) = posts(platform)
        assert body["channels"] == ["viber", "sms"]
        assert body["channel_options"]["sms"]["alpha_name"] == "SHOP"

    def test_status_is_that_of_the_report(self, platform, sender):
        from django_hyber.services import apply_delivery_reports

        send(sender, new(extra_id="code-7"))
        apply_delivery_reports([report(Message.objects.get())])

        found = sender.get(f"{MESSAGES}code-7/").data
        assert (found["status"], found["phone_number"]) == ("delivered", phone(1))

    def test_repeated_request_sends_once(self, platform, sender):
        first, second = (send(sender, new(extra_id="code-7")) for _ in range(2))

        assert first.data["created_at"] == second.data["created_at"]
        assert len(posts(platform)) == 1

    def test_extra_id_of_a_different_message_is_a_conflict(self, platform, sender):
        send(sender, new(extra_id="code-7"))
        response = send(sender, new(2, extra_id="code-7"))

        assert response.status_code == 409
        assert "phone number" in response.data["detail"]
        assert len(posts(platform)) == 1

    @pytest.mark.parametrize(
        ("data", "field"),
        [
            (new(1, VIBER) | {"phone_number": "12345"}, "phone_number"),
            (new(1, VIBER) | {"channels": []}, "channels"),
            (new(1, {"channel": "pigeon"}), "channels"),
            (new(1, {**VIBER, "txt": "Hi"}), "channels"),
            (new(1, {**VIBER, "text": "x" * 1_001}), "channels"),
            (new(1, {"channel": "viber"}), "channels"),
            (new(1, {**VIBER, "text": ["Hi"]}), "channels"),
            (new(1, {**VIBER, "ttl": "soon"}), "channels"),
            (new(1, VIBER) | {"channels": "viber"}, "channels"),
            (new(1, VIBER, extra_id="x" * 65), "extra_id"),
            (new(1, VIBER, account="other"), "account"),
            (new(1, VIBER, start_time="tomorrow"), "start_time"),
            (new(1, VIBER, startTime="2030-01-01T12:00:00Z"), "startTime"),
            (new(1, VIBER, callback_url="https://shop.example/"), "callback_url"),
            (new(1, VIBER, reference="7"), "reference"),
            (new(1, VIBER, extra_id="order/7"), "extra_id"),
            (new(1, VIBER, extra_id=".."), "extra_id"),
            (new(1, VIBER, start_time="9999-12-31T23:59:59Z"), "start_time"),
            (new(1, VIBER, start_time="9999-12-31T23:59:59-12:00"), "start_time"),
        ],
    )
    def test_mistake_is_refused_with_its_field_and_nothing_is_stored(self, platform, sender, data, field):
        response = send(sender, data)

        assert response.status_code == 400
        assert [*response.data] == [field]
        assert not Message.objects.exists()

    @pytest.mark.parametrize(
        "changes",
        [
            '"channels": ' + "[" * 900 + "]" * 900,
            '"tag": ' + "[" * 100_000 + "]" * 100_000,
            '"tag": "\\ud83d"',
            '"channels": [{"channel": "sms", "text": "Hi \\udc00", "alpha_name": "SHOP", "ttl": 300}]',
            '"tag": NaN',
        ],
        ids=["deep", "deeper", "half a character", "its other half", "no number"],
    )
    def test_json_that_no_database_stores_is_refused(self, platform, sender, changes):
        body = f"{json.dumps(new())[:-1]}, {changes}}}"

        assert sender.post(MESSAGES, body, content_type="application/json").status_code == 400
        assert not Message.objects.exists()

    def test_body_that_is_no_object_is_refused(self, platform, sender):
        assert sender.post(MESSAGES, [1], format="json").status_code == 400

    @pytest.mark.parametrize(
        "changes",
        [
            '"tag": "a\\u0000"',
            '"channels": [{"channel": "sms", "text": "Hi \\u0000", "alpha_name": "SHOP", "ttl": 300}]',
            '"channels": [{"channel": "viber", "text": "Hi", "ttl": 60, "extra": {"a": ["\\u0000"]}}]',
            '"channels": [{"channel": "viber", "text": "Hi", "ttl": 60, "extra": {"\\u0000": 1}}]',
            '"template": "order-shipped", "variables": {"order": "\\u0000"}',
        ],
    )
    def test_nul_is_refused_wherever_it_stands(self, platform, sender, changes):
        body = f"{json.dumps(new())[:-1]}, {changes}}}"

        assert sender.post(MESSAGES, body, content_type="application/json").status_code == 400
        assert sender.get(f"{MESSAGES}%00/").status_code == 404
        assert not Message.objects.exists()

    def test_every_character_of_an_id_and_a_tag_counts(self, platform, sender):
        answers = [send(sender, new(extra_id=extra_id, tag=" a ")) for extra_id in ("7", " 7", "7 ")]

        assert [answer.data["extra_id"] for answer in answers] == ["7", " 7", "7 "]
        assert [body["tag"] for body in posts(platform)] == [" a "] * 3

    def test_message_that_has_gone_out_cannot_be_cancelled(self, platform, sender):
        send(sender, new(extra_id="code-7"))

        assert sender.post(f"{MESSAGES}code-7/cancel/").status_code == 409

    def test_message_that_waits_can_be_cancelled(self, platform, sender):
        Message.objects.create(phone_number=phone(1), extra_id="code-7", content={})

        response = sender.post(f"{MESSAGES}code-7/cancel/")

        assert (response.status_code, response.data["status"]) == (200, "cancelled")

    @pytest.mark.parametrize("extra_id", ["order.7", "order 7", "7%", "замовлення", "a?b#c", "...", "x\ny", "%2F"])
    def test_message_is_found_by_whatever_id_it_was_sent_with(self, platform, sender, extra_id):
        send(sender, new(extra_id=extra_id))
        address = f"{MESSAGES}{quote(extra_id, safe='')}/"

        assert sender.get(address).data["extra_id"] == extra_id
        assert sender.post(f"{address}cancel/").status_code == 409

    def test_recipient_of_a_campaign_is_not_cancelled_alone(self, platform, sender):
        message = make_campaign([phone(1)]).messages.get()
        response = sender.post(f"{MESSAGES}{message.extra_id}/cancel/")

        assert response.status_code == 409
        assert "Cancel the campaign" in response.data["detail"]

    def test_account_with_an_invalid_setting_is_a_conflict_that_names_it(self, platform, sender, settings):
        settings.HYBER = {"default": {**settings.HYBER["default"], "BATCH_SIZE": "many"}}
        response = send(sender, new())

        assert response.status_code == 409
        assert "BATCH_SIZE" in response.data["detail"]

    def test_number_is_masked_for_users_who_may_not_see_it(self, platform, service):
        response = send(service("add_message", "view_message"), new(extra_id="code-7"))

        assert phone(1) not in str(response.data)

    def test_number_that_the_platform_quotes_is_masked_as_well(self, platform, service, sender):
        quoted = f"No route to tel{phone(1)}"
        Message.objects.create(phone_number=phone(2), extra_id="code-7", status="rejected", error_text=quoted)

        found = service("view_message").get(f"{MESSAGES}code-7/")

        assert phone(1) not in str(found.data)
        assert sender.get(f"{MESSAGES}code-7/").data["error_text"] == quoted


@pytest.fixture
def shipped():
    """A template with a text in two languages."""
    template = Template.objects.create(code="order-shipped", name="Shipped", language="en")
    for language, text in (("en", "Order %order% is on its way"), ("uk", "Замовлення %order% в дорозі")):
        template.set_channels([protocol.SMS(text=text, alpha_name="SHOP", ttl=300)], language=language)
    return template


def from_template(number=1, **fields):
    return {"phone_number": phone(number), "template": "order-shipped", "variables": {"order": 7}, **fields}


def texts(platform):
    return [body["channel_options"]["sms"]["text"] for body in posts(platform)]


@pytest.mark.usefixtures("shipped")
class TestTemplates:
    def test_template_is_sent_with_its_values_in_the_language(self, platform, sender):
        response = send(sender, from_template(language="uk-UA", extra_id="order-7"))

        assert (response.status_code, response.data["extra_id"]) == (201, "order-7")
        assert texts(platform) == ["Замовлення 7 в дорозі"]
        assert sender.get(f"{MESSAGES}order-7/").data["status"] == "accepted"

    def test_repeated_request_sends_once_even_without_the_template(self, platform, sender, shipped):
        first = send(sender, from_template(extra_id="order-7"))
        shipped.delete()
        second = send(sender, from_template(extra_id="order-7"))

        assert (second.status_code, second.data["created_at"]) == (201, first.data["created_at"])
        assert len(posts(platform)) == 1

    @pytest.mark.parametrize("changes", [{"variables": {"order": 8}}, {"language": "uk"}, {"tag": "a"}])
    def test_extra_id_of_a_different_request_is_a_conflict(self, platform, sender, changes):
        send(sender, from_template(extra_id="order-7"))

        assert send(sender, from_template(extra_id="order-7", **changes)).status_code == 409
        assert len(posts(platform)) == 1

    @pytest.mark.parametrize(
        ("data", "field"),
        [
            (from_template(template="unknown"), "template"),
            (from_template(variables={}), "variables"),
            (from_template(variables={"order": None}), "variables"),
            (from_template(variables={"order": [7]}), "variables"),
            (from_template(variables=7), "variables"),
            (from_template(variables={"order": "x" * 2_000}), "template"),
            (from_template(language="x" * 17), "language"),
            (from_template(channels=[SMS]), "channels"),
            (from_template(start_time="2062-01-01T12:00:00Z"), "start_time"),
            ({"phone_number": phone(1)}, "channels"),
            (new(1, SMS, variables={"order": 7}), "variables"),
            (new(1, SMS, language="uk"), "language"),
        ],
    )
    def test_mistake_is_refused_with_its_field(self, platform, sender, data, field):
        response = send(sender, data)

        assert (response.status_code, [*response.data]) == (400, [field])
        assert not Message.objects.exists()

    def test_template_takes_the_permission_of_messages(self, service):
        assert send(service("view_message"), from_template()).status_code == 403


class TestCampaigns:
    def test_number_in_a_reason_is_masked_for_users_who_may_not_see_it(self, platform, service):
        campaign = make_campaign([])
        Campaign.objects.update(status_reason=f"HTTP 403: {phone(1)}")
        address = f"{CAMPAIGNS}{campaign.pk}/"
        answers = [service("view_campaign", *more).get(address).data for more in ((), ("view_personal_data",))]

        assert [phone(1) in answer["status_reason"] for answer in answers] == [False, True]

    def test_two_people_are_needed_here_too(self, platform, service, settings, django_user_model):
        settings.HYBER = {"default": {**settings.HYBER["default"], "FOUR_EYES": True}}
        campaign = make_campaign([phone(1)])
        author, colleague = service("send_campaign"), service("send_campaign", "view_campaign")
        keys = django_user_model.objects.order_by("pk").values_list("pk", flat=True)
        add_contributor(campaign, keys[0])

        answers = [client.post(f"{CAMPAIGNS}{campaign.pk}/start/") for client in (author, colleague)]

        assert [answer.status_code for answer in answers] == [409, 200]
        assert "another person" in answers[0].data["detail"]
        campaign.refresh_from_db()
        assert campaign.launched_by_id == keys[1]

    def test_campaign_is_started_and_counted(self, platform, service):
        campaign = make_campaign([phone(1), phone(2)])
        client = service("view_campaign", "send_campaign")

        response = client.post(f"{CAMPAIGNS}{campaign.pk}/start/")

        assert (response.status_code, response.data["status"]) == (200, "finished")
        numbers = client.get(f"{CAMPAIGNS}{campaign.pk}/statistics/").data
        assert (numbers["total"], numbers["statuses"]["accepted"]) == (2, 2)
        assert [channel["channel"] for channel in numbers["channels"]] == ["viber", "sms"]

    @pytest.mark.parametrize("verb", ["start", "pause", "resume", "cancel"])
    def test_field_that_would_be_ignored_is_refused(self, platform, service, verb):
        campaign = make_campaign([phone(1)])
        address = f"{CAMPAIGNS}{campaign.pk}/{verb}/"
        response = service("send_campaign").post(address, {"start_time": "2030-01-01T12:00:00Z"}, format="json")

        assert response.status_code == 400
        assert posts(platform) == []

    def test_second_start_is_a_conflict(self, platform, service):
        campaign = make_campaign([phone(1)])
        client = service("send_campaign")
        client.post(f"{CAMPAIGNS}{campaign.pk}/start/")

        response = client.post(f"{CAMPAIGNS}{campaign.pk}/start/")

        assert response.status_code == 409
        assert "already been started" in response.data["detail"]

    def test_list_has_the_newest_first(self, platform, service):
        first, second = make_campaign([]), make_campaign([])

        response = service("view_campaign").get(CAMPAIGNS)

        assert [campaign["id"] for campaign in response.data] == [second.pk, first.pk]

    @pytest.mark.parametrize("pagination", [PageNumberPagination, LimitOffsetPagination, CursorPagination])
    def test_list_has_the_pages_of_the_project(self, platform, service, monkeypatch, pagination):
        sizes = {"page_size": 2, "default_limit": 2}
        monkeypatch.setattr(CampaignViewSet, "pagination_class", type("OfTheProject", (pagination,), sizes))
        campaigns = [make_campaign([]) for _ in range(3)]
        client = service("view_campaign")
        first = client.get(CAMPAIGNS).data
        second = client.get(first["next"]).data

        found = [campaign["id"] for page in (first, second) for campaign in page["results"]]
        assert found == [campaign.pk for campaign in reversed(campaigns)]


class TestPermissions:
    @pytest.mark.parametrize(
        ("method", "path", "needed"),
        [
            ("post", MESSAGES, "add_message"),
            ("get", f"{MESSAGES}code-7/", "view_message"),
            ("post", f"{MESSAGES}code-7/cancel/", "add_message"),
            ("get", CAMPAIGNS, "view_campaign"),
            ("post", f"{CAMPAIGNS}1/start/", "send_campaign"),
            ("post", f"{CAMPAIGNS}1/pause/", "send_campaign"),
            ("post", f"{CAMPAIGNS}1/resume/", "send_campaign"),
            ("post", f"{CAMPAIGNS}1/cancel/", "send_campaign"),
            ("get", f"{CAMPAIGNS}1/statistics/", "view_campaign"),
        ],
    )
    def test_each_action_takes_its_permission(self, platform, service, method, path, needed):
        all_others = {"add_message", "view_message", "view_campaign", "send_campaign", "change_campaign"} - {needed}

        assert getattr(APIClient(), method)(path).status_code in (401, 403)
        assert getattr(service(*all_others), method)(path).status_code == 403
        assert getattr(service(needed), method)(path).status_code != 403

    def test_rate_of_the_project_is_kept(self, platform, sender, monkeypatch):
        from django_hyber.api.views import Throttle

        monkeypatch.setattr(Throttle, "THROTTLE_RATES", {"hyber": "2/day"})
        codes = [sender.get(f"{MESSAGES}code-7/").status_code for _ in range(3)]

        assert codes == [404, 404, 429]


def test_schema_names_every_operation(client):
    response = client.get("/schema/?format=json")

    operations = {(path, method) for path, item in response.json()["paths"].items() for method in item}
    assert ("/api/hyber/messages/", "post") in operations
    assert ("/api/hyber/campaigns/{id}/statistics/", "get") in operations
    fields = response.json()["components"]["schemas"]["NewMessage"]
    assert {"channels", "template", "variables", "language"} <= fields["properties"].keys()
    assert fields["required"] == ["phone_number"]
    assert len([path for path, _ in operations if path.startswith("/api/hyber/")]) == 10
