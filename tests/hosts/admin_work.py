"""What a marketing colleague does in the admin, from the first campaign to the end of their own account."""

from __future__ import annotations

import django
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.management import call_command

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402

from django_hyber.models import BackgroundJob, Campaign, Message  # noqa: E402
from django_hyber.sandbox import Sandbox  # noqa: E402
from tests.admin.pages import seen_on  # noqa: E402
from tests.conftest import account_settings  # noqa: E402

CAMPAIGN = {
    "name": "Spring sale",
    "account": "default",
    "missing_variables": "refuse",
    "channels-TOTAL_FORMS": "1",
    "channels-INITIAL_FORMS": "0",
    "channels-0-channel": "sms",
    "channels-0-position": "0",
    "channels-0-text": "Hi",
    "channels-0-alpha_name": "GMSU",
    "channels-0-ttl": "300",
    "variable_defaults": "{}",
}


def main():
    for alias in settings.DATABASES:
        call_command("migrate", database=alias, verbosity=0)
    call_command("check", fail_level="ERROR", databases=list(settings.DATABASES))
    users = get_user_model().objects
    client = Client()
    client.force_login(users.create_superuser("marketing"))
    with Sandbox(client_id="sandbox", login="sandbox", password="sandbox-password", latency=0.01) as sandbox:
        settings.HYBER["default"] = account_settings(sandbox)
        work(client)
    boss = Client()
    boss.force_login(users.create_superuser("boss"))
    person = users.get(username="marketing")
    gone = boss.post(reverse("admin:auth_user_delete", args=[person.pk]), {"post": "yes"})
    pages = [boss.get(address("changelist")), boss.get(address("change", Campaign.objects.latest("pk").pk))]
    print("After the user was deleted:", gone.status_code, [page.status_code for page in pages])


def address(name, *arguments):
    return reverse(f"admin:django_hyber_campaign_{name}", args=arguments)


def work(client):
    added = client.post(address("add"), CAMPAIGN)
    campaign = Campaign.objects.get()
    client.post(address("import", campaign.pk), {"file": ContentFile(b"phone\n380671234501\n", name="people.csv")})
    job = BackgroundJob.objects.get()
    client.post(address("import_job", campaign.pk, job.pk), {"use-0": "phone", "name-0": ""})
    sent = client.post(address("preflight", campaign.pk), seen_on(client.get(address("preflight", campaign.pk))))
    followed = client.get(address("progress", campaign.pk))
    campaign.refresh_from_db()
    print("Answers:", added.status_code, sent.status_code, followed.status_code)
    print("Campaign:", campaign.status, "Author known:", bool(campaign.author_id and campaign.launched_by_id))
    print("Messages:", list(Message.objects.values_list("status", flat=True)))
    print("In", Campaign.objects.db, "with users in", get_user_model().objects.db)
    print("History:", client.get(address("history", campaign.pk)).status_code)


main()
