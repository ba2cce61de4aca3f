"""The code and commands of the how-to and reference pages, run as they are."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.urls import URLResolver
from django.utils import timezone

from django_hyber.conf import get_account
from django_hyber.conf.addresses import get_callback_url
from django_hyber.models import Campaign, DeliveryReport, Message, Suppression
from django_hyber.protocol import SMS, validate_channels
from django_hyber.services import apply_replies, send_message
from django_hyber.signals import message_status_changed, reply_received
from tests.builders import make_campaign, posts
from tests.docs.code import ROOT, code_of, run
from tests.samples import PHONE, phone

pytestmark = pytest.mark.django_db(transaction=True)
RECIPIENTS = "phone,name\n+380671234501,Olena\n+380671234502,Andrii\n12345,Nobody\n"


@pytest.fixture
def receivers():
    """Receivers that the test connects are disconnected at its end."""
    kept = [(signal, list(signal.receivers)) for signal in (message_status_changed, reply_received)]
    yield
    for signal, before in kept:
        signal.receivers[:] = before
        signal.sender_receivers_cache.clear()


@pytest.fixture
def account(settings, platform):
    """The account, in which the code of a page may change keys."""
    settings.HYBER = {"default": dict(settings.HYBER["default"])}
    return settings.HYBER["default"]


def commands_of(page):
    lines = re.findall(r"^ +\$ python manage\.py (.+?)(?: +# .*)?$", (ROOT / page).read_text(), re.MULTILINE)
    return [shlex.split(line) for line in lines]


def test_page_of_settings_is_true(settings):
    settings.HYBER = run(code_of("docs/reference/settings.rst")[0])["HYBER"]

    assert get_account("promo").throttle == 5_000


def test_page_of_channels_is_true():
    assert validate_channels(run(code_of("docs/reference/channels.rst")[0])["channels"]) == []


def test_page_of_signals_is_true(platform, receivers, capsys):
    receiver, clicks = code_of("docs/reference/signals.rst")
    kept = run(receiver)
    message = send_message(PHONE, [SMS(text="Hi", alpha_name="SHOP", ttl=300)])
    assert f"{message.extra_id} sending accepted" in capsys.readouterr().out, kept.keys()

    last_query = timezone.now() - timedelta(hours=1)
    DeliveryReport.objects.create(account="default", message=message, fingerprint="1", raw={})
    Message.objects.update(clicks=2)
    found = run(clicks.replace("DeliveryReport.objects", "found = DeliveryReport.objects"), last_query=last_query)
    assert [report.message.clicks for report in found["found"]] == [2]


def test_page_of_metrics_is_true(platform):
    prometheus_client = pytest.importorskip("prometheus_client")
    registry = prometheus_client.CollectorRegistry()
    (code,) = code_of("docs/reference/metrics.rst")
    run(code.replace("from prometheus_client import REGISTRY\n", ""), REGISTRY=registry)

    assert registry.get_sample_value("hyber_due") == 0


def test_page_of_imports_is_true(platform, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("recipients.csv").write_text(RECIPIENTS)
    (code,) = code_of("docs/howto/import-files.rst")
    names = run(code)
    assert (names["report"].accepted, names["report"].rejected_count) == (2, 1)
    assert posts(platform)[0]["recipients"][0]["name"] == "Olena"

    campaign = make_campaign([])
    for name, _pk, *options in commands_of("docs/howto/import-files.rst"):
        call_command(name, str(campaign.pk), *options)
    assert "12345" in Path("rejected.csv").read_text()
    campaign.refresh_from_db()
    assert campaign.status == "finished"


def test_page_of_replies_is_true(account, receivers, capsys):
    receiver, words = code_of("docs/howto/replies.rst")
    kept = run(receiver)
    run(words, HYBER={"default": account})
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    apply_replies([{"phone": phone(1), "time": now, "channel": "viber", "text_from_subscriber": "Basta"}])

    assert f"{phone(1)} Basta" in capsys.readouterr().out, kept.keys()
    assert Suppression.objects.get().phone_number == phone(1)


def test_page_of_sending_windows_is_true(platform):
    window, morning = code_of("docs/howto/quiet-hours.rst")
    assert run(window)["campaign"].window_end.hour == 20
    run(morning, phone=PHONE)

    assert " 09:00:00+0" in posts(platform)[0]["start_time"]


def test_page_of_personal_data_is_true(platform, capsys):
    send_message("+380 67 123 45 67", [SMS(text="Hi", alpha_name="SHOP", ttl=300)])
    Message.objects.update(status="delivered", finished_at=timezone.now())
    names = run(code_of("docs/howto/personal-data.rst")[0])
    assert len(names["data"]["messages"]) == 1
    assert names["forgotten"].messages == 1

    for arguments in commands_of("docs/howto/personal-data.rst"):
        call_command(*arguments)
    assert "would be anonymised: 0 messages" in capsys.readouterr().out


def test_page_of_callbacks_is_true(account):
    urls, setting = code_of("docs/howto/callbacks.rst")
    names = run(urls, urlpatterns=[])
    assert [type(pattern) for pattern in names["urlpatterns"]] == [URLResolver]
    run(setting, HYBER={"default": account})

    assert get_callback_url(get_account()) == "https://shop.example/hyber/Wq4fVhN2tZ8cLr6yKp3sXd7m/reports/"


def test_page_of_tokens_is_true(account, client):
    (code,) = code_of("docs/howto/rotate-tokens.rst")
    run(code, HYBER={"default": account})
    answers = [
        client.post(f"/hyber/{token}/reports/", "[]", content_type="application/json").status_code
        for token in (*get_account().callback_tokens, "removed-Hs7bNf2Gp9QeUa4Xo5Zi")
    ]

    assert answers == [200, 200, 403]


def test_page_of_celery_beat_is_true(platform):
    pytest.importorskip("celery")
    tasks, schedule = code_of("docs/howto/schedule.rst")
    names = run(tasks, __name__="shop.tasks")
    entries = run(schedule)["CELERY_BEAT_SCHEDULE"]

    assert {entry["task"] for entry in entries.values()} == {names["hyber_sweep"].name, names["hyber_reports"].name}
    assert names["hyber_sweep"]() is None
    assert names["hyber_reports"]() is None


def test_page_of_moving_over_is_true(platform, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("optouts.csv").write_text("phone,reason\n+380671234501,\n")
    (code,) = code_of("docs/howto/migrate.rst")

    assert run(code)["report"].accepted == 1
    assert Suppression.objects.get().reason == "old system"


def test_page_of_results_is_true(platform, capsys):
    spring, autumn = make_campaign([phone(1)]), make_campaign([phone(2)])
    now = timezone.now()
    (code,) = code_of("docs/results.rst")
    run(code, campaign=spring, spring=spring, autumn=autumn, since=now - timedelta(days=1), until=now)

    assert "viber 0 0 0" in capsys.readouterr().out
    assert Campaign.objects.count() == 2


def test_pages_of_task_engines_are_true():
    names = {"INSTALLED_APPS": [], "DATABASES": {"default": {}}}
    run(code_of("docs/howto/db-worker.rst")[0], **names)
    for code in code_of("docs/howto/celery.rst"):
        run(code, **names)

    assert names["INSTALLED_APPS"] == ["django_tasks_db"]
    assert names["DATABASES"]["default"]["CONN_MAX_AGE"] == 600


def test_page_of_deployment_is_true(tmp_path):
    storages, databases = code_of("docs/deployment.rst")

    assert run(storages)["STORAGES"].keys() == {"default", "staticfiles", "hyber"}
    assert run(databases, BASE_DIR=tmp_path)["DATABASES"]["default"]["NAME"] == tmp_path / "db.sqlite3"
