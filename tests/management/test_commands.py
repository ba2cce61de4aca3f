from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time

import openpyxl
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from django_hyber.management.commands import hyber_dispatch
from django_hyber.management.progress_bar import ProgressBar
from django_hyber.models import Campaign, Message, Suppression
from django_hyber.protocol import SMS
from tests.builders import make_campaign, make_known, posts
from tests.conftest import PASSWORD
from tests.docs.code import ROOT
from tests.protocol import platforms
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments, **options):
    out, err = io.StringIO(), io.StringIO()
    call_command(*arguments, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


@pytest.fixture
def campaign():
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([SMS(text="Hi %name%", alpha_name="GMSU", ttl=300)])
    return campaign


@pytest.fixture
def recipients_file(tmp_path):
    file = tmp_path / "recipients.csv"
    file.write_text(f"phone,name\n{phone(1)},Olena\n12,Nobody\n{phone(1)},Again\n")
    return file


def test_import_and_send_from_the_command_line(platform, campaign, recipients_file):
    out, err = run("hyber_import_recipients", str(campaign.pk), str(recipients_file))
    assert out.strip() == "1 accepted, 1 duplicates, 0 already there, 1 rejected of 3 rows"
    assert err.startswith("row 3: ")
    out, _ = run("hyber_send_campaign", str(campaign.pk))

    assert out.strip() == "Spring sale: finished, 1 recipients"
    assert platform.ledger.taken == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("hyber_import_recipients", "999", "x.csv"), "no campaign 999"),
        (("hyber_send_campaign", "999"), "no campaign 999"),
    ],
)
def test_unknown_campaign_is_told(arguments, told):
    with pytest.raises(CommandError, match=told):
        run(*arguments)


def test_file_that_is_not_there_is_told(campaign):
    with pytest.raises(CommandError, match="No such file"):
        run("hyber_import_recipients", str(campaign.pk), "nowhere.csv")


def test_broken_file_is_told(campaign, tmp_path):
    file = tmp_path / "broken.csv"
    file.write_bytes(b"\x00\x01")
    with pytest.raises(CommandError, match="UTF-8"):
        run("hyber_import_recipients", str(campaign.pk), str(file))


def test_sheet_of_a_csv_file_is_told(campaign, recipients_file):
    with pytest.raises(CommandError, match="“sheet” is for XLSX files"):
        run("hyber_import_recipients", str(campaign.pk), str(recipients_file), "--sheet", "People")
    assert not campaign.messages.exists()


@pytest.mark.parametrize("content", ["phone,name\n", "phone,name", "Customers\nphone,name\n\n,\n"])
def test_file_with_nothing_below_its_header_is_told(campaign, tmp_path, content):
    file = tmp_path / "people.csv"
    file.write_text(content)
    out, err = run("hyber_import_recipients", str(campaign.pk), str(file))

    assert out.strip() == "0 accepted, 0 duplicates, 0 already there, 0 rejected of 0 rows"
    assert err.strip() == "The file has no rows below the names of its columns."


def test_sheet_whose_rows_are_all_hidden_is_told(campaign, tmp_path):
    book = openpyxl.Workbook()
    for row in (["phone", "name"], [phone(1), "Olena"]):
        book.active.append(row)
    book.active.row_dimensions[2].hidden = True
    book.save(tmp_path / "people.xlsx")
    _out, err = run("hyber_import_recipients", str(campaign.pk), str(tmp_path / "people.xlsx"))

    assert "no rows below the names of its columns" in err
    assert "1 hidden rows of the sheet were left out" in err


def test_sheets_that_were_not_read_are_told(campaign, tmp_path):
    book = openpyxl.Workbook()
    for sheet in (book.active, book.create_sheet("February")):
        sheet.append(["phone"])
        sheet.append([phone(1)])
    book.save(tmp_path / "people.xlsx")
    _out, err = run("hyber_import_recipients", str(campaign.pk), str(tmp_path / "people.xlsx"))

    assert "Only one sheet is read. These were not: February." in err


def test_numbers_whose_last_digits_may_be_lost_are_told(campaign, tmp_path):
    (tmp_path / "people.csv").write_text("phone\n0671000000\n0501000000\n")
    _out, err = run("hyber_import_recipients", str(campaign.pk), str(tmp_path / "people.csv"))

    assert "2 numbers end in six zeros" in err


def test_campaign_that_cannot_start_is_told_with_every_reason(platform, campaign):
    with pytest.raises(CommandError, match="no recipients"):
        run("hyber_send_campaign", str(campaign.pk))


def test_dispatch_sends_what_was_left_behind(platform):
    content = {"channels": ["sms"], "channel_options": {"sms": {"text": "Hi", "alpha_name": "GMSU", "ttl": 300}}}
    Message.objects.create(phone_number=phone(1), extra_id="own-1", content=content)
    out, _ = run("hyber_dispatch")

    assert out.startswith("1 messages, 0 batches")
    assert Message.objects.get().status == "accepted"


def test_dispatch_loop_goes_on_until_it_is_told_to_stop(platform):
    content = {"channels": ["sms"], "channel_options": {"sms": {"text": "Hi", "alpha_name": "GMSU", "ttl": 300}}}

    def live():
        try:
            Message.objects.create(phone_number=phone(1), extra_id="own-1", content=content)
            deadline = time.monotonic() + 30
            while not platform.ledger.taken and time.monotonic() < deadline:
                time.sleep(0.02)
        finally:
            connection.close()
            os.kill(os.getpid(), signal.SIGTERM)

    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    other = threading.Thread(target=live)
    other.start()
    try:
        run("hyber_dispatch", loop=True, interval=0.05)
    finally:
        other.join()
        for number, handler in handlers.items():
            signal.signal(number, handler)

    assert platform.ledger.taken == 1


def test_dispatch_loop_outlives_a_broker_that_is_down(platform, monkeypatch, caplog):
    sweeps = []

    def sweep():
        sweeps.append(len(sweeps))
        if len(sweeps) > 1:
            os.kill(os.getpid(), signal.SIGTERM)
        raise ConnectionError("no broker")

    monkeypatch.setattr(hyber_dispatch, "dispatch", sweep)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        run("hyber_dispatch", loop=True, interval=0.01)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    assert sweeps == [0, 1]
    assert "no broker" in caplog.text


def test_check_proves_a_good_account_without_sending(wired):
    out, _ = run("hyber_check")

    assert out.count("ok") == 6
    assert "ok   Unknown outcomes: cannot be resolved yet" in out
    assert wired.ledger.taken == 0
    assert not [request for request in wired.requests if request.method == "POST"]


def test_check_proves_that_unknown_outcomes_can_be_resolved(wired):
    make_known()
    out, _ = run("hyber_check")

    assert "ok   Unknown outcomes: can be resolved" in out


def test_check_finds_a_wrong_address_of_the_reports_by_a_message_that_is_known(wired, settings):
    make_known()
    wired.fault("page", status=404, paths=["reports"], count=None)
    out = io.StringIO()
    with pytest.raises(CommandError, match="not ready"):
        call_command("hyber_check", stdout=out)

    assert "FAIL Unknown outcomes: cannot be resolved" in out.getvalue()
    assert "Correct REPORTS_URL" in out.getvalue()


def test_check_of_an_account_that_does_not_exist_names_those_that_do(settings):
    settings.HYBER = {"promo": settings.HYBER["default"]}
    with pytest.raises(CommandError, match=r"HYBER has no account 'default'. Its accounts are: promo. .*--account"):
        call_command("hyber_check")


def test_check_tells_a_wrong_password(wired, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"PASSWORD": "wrong-word"}}
    out = io.StringIO()
    with pytest.raises(CommandError, match="not ready"):
        call_command("hyber_check", stdout=out)

    assert "FAIL" in out.getvalue()
    assert "wrong-word" not in out.getvalue()


def test_check_tells_that_the_database_cannot_be_reached(sandbox, tmp_path):
    known = {"CLIENT_ID": "sandbox", "LOGIN": "sandbox", "PASSWORD": PASSWORD}
    account = known | dict.fromkeys(("API_URL", "BULK_URL", "REPORTS_URL"), sandbox.url)
    environment = {f"HYBER_{name}": value for name, value in account.items()}
    environment |= {"DATABASE_URL": f"sqlite:///{tmp_path}/nowhere/db.sqlite3"}
    environment |= {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    # On Django 6.1, a check of its own needs SQLite's file.
    command = [sys.executable, "-m", "django", "hyber_check", "--skip-checks"]
    ended = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60
    )

    assert ended.returncode == 1
    assert ended.stderr == "CommandError: The account is not ready to send.\n"
    assert "Traceback" not in ended.stderr
    assert "FAIL Database: cannot be reached: " in ended.stdout
    assert "ok   Sending: the platform answers" in ended.stdout


@pytest.fixture
def answering(wired, settings):
    """A sending address that answers as it is told."""
    with platforms.serve() as server:
        address = f"{server.url}/1234"
        settings.HYBER = {"default": settings.HYBER["default"] | {"API_URL": address}}
        yield server


@pytest.mark.parametrize(
    ("status", "cure"),
    [
        (404, "Correct CLIENT_ID and SITE, or API_URL"),
        (410, "Correct CLIENT_ID and SITE, or API_URL"),
        (302, "Set API_URL to the target of the redirect"),
        (503, "Try again later"),
        (429, "Try again later"),
    ],
)
def test_check_tells_what_is_wrong_with_the_sending_address_and_how_to_mend_it(answering, status, cure):
    answering.status = status
    out = io.StringIO()
    with pytest.raises(CommandError, match="not ready"):
        call_command("hyber_check", stdout=out)

    [line] = [line for line in out.getvalue().splitlines() if "Sending" in line]
    assert line.startswith(f"FAIL Sending: {answering.url}/1234 answers with HTTP {status}: ")
    assert cure in line


def test_check_doubts_an_answer_that_is_not_documented(answering):
    answering.status = 400
    out, _ = run("hyber_check")

    assert "ok   Sending: the platform answers, with HTTP 400 where 405 was expected" in out


def test_check_tells_that_the_address_of_campaigns_is_wrong(answering, settings):
    account = settings.HYBER["default"]
    settings.HYBER = {"default": account | {"API_URL": account["REPORTS_URL"], "BULK_URL": f"{answering.url}/1234"}}
    answering.status = 404
    out = io.StringIO()
    with pytest.raises(CommandError, match="not ready"):
        call_command("hyber_check", stdout=out)

    assert f"FAIL Campaigns: {answering.url}/1234 answers with HTTP 404: " in out.getvalue()
    assert "or BULK_URL if you have set it" in out.getvalue()
    assert "ok   Sending: " in out.getvalue()
    assert {request.method for request in answering.requests} == {"GET"}


def test_check_sends_one_message_and_waits_for_its_report(wired):
    out, _ = run("hyber_check", "--send-to", f"+{phone(1)}", "--sender", "Shop")

    assert "ok   Round trip: a report came by callback after" in out
    assert wired.ledger.taken == 1
    assert posts(wired)[0]["tag"] == "TEST hyber_check"


def test_documented_check_works_in_a_project_without_campaigns(wired):
    page = (ROOT / "docs" / "howto" / "callbacks.rst").read_text()
    (arguments,) = re.findall(r"manage\.py hyber_check (--send-to .+)", page)
    out, _ = run("hyber_check", *arguments.split())

    assert "ok   Round trip: " in out


def test_check_takes_the_sender_of_the_newest_campaign(wired, campaign):
    run("hyber_check", "--send-to", f"+{phone(1)}")

    assert posts(wired)[0]["channel_options"]["sms"]["alpha_name"] == "GMSU"


def fail_round_trip(number):
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("hyber_check", "--send-to", number, "--sender", "Shop", "--timeout", "1.5", stdout=out)
    return f"{out.getvalue()}{caught.value}"


def test_check_tells_that_only_a_query_finds_the_report(wired, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"CALLBACK_BASE_URL": "http://127.0.0.1:9"}}
    told = fail_round_trip(f"+{phone(1)}")

    assert "FAIL Round trip: no report came by callback within 1.5 seconds. The platform has a report" in told
    assert "it cannot reach http://127.0.0.1:9" in told
    assert "current-token" not in told


def test_check_tells_the_same_if_the_platform_does_not_call(wired):
    assert "so only the way back fails" in fail_round_trip(f"+{phone(1, '85')}")


def test_check_tells_that_the_platform_has_no_report_yet(wired):
    assert "The platform has not finished with it" in fail_round_trip(f"+{phone(1, '93')}")


def test_check_tells_that_the_message_was_rejected(wired):
    wired.fault("error", status=400, error_code=36024, paths=["single"])

    assert "the message is rejected and gets no report" in fail_round_trip(f"+{phone(1)}")


def test_check_tells_that_the_outcome_is_unknown(wired):
    assert "It is unknown whether the message was accepted" in fail_round_trip(f"+{phone(1, '87')}")


def test_check_tells_that_nothing_works_in_the_background(wired, settings):
    settings.TASKS = {"default": {"BACKEND": "django.tasks.backends.dummy.DummyBackend"}}

    assert "check that the workers of TASKS and hyber_dispatch run" in fail_round_trip(f"+{phone(1)}")


def test_check_sends_nothing_to_a_wrong_number_or_without_a_sender(wired):
    assert "Nothing was sent" in fail_round_trip("12")
    with pytest.raises(CommandError, match="name a registered alpha name with --sender"):
        call_command("hyber_check", "--send-to", f"+{phone(1)}", stdout=io.StringIO())
    assert posts(wired) == []


def test_check_sends_nothing_when_another_check_has_failed(platform):
    assert "not ready to send" in fail_round_trip(f"+{phone(1)}")
    assert posts(platform) == []


def test_check_tells_missing_settings(platform, settings):
    settings.HYBER = {"default": {"API_URL": platform.url, "REPORTS_URL": platform.url}}
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("hyber_check", stdout=out)

    assert "CLIENT_ID, LOGIN, PASSWORD" in out.getvalue()
    assert "CALLBACK_BASE_URL" in out.getvalue()


def test_sandbox_command_tells_how_to_use_it():
    command = [sys.executable, "-m", "django", "hyber_sandbox", "--help"]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)

    assert result.returncode == 0
    assert "127.0.0.1" in result.stdout


def test_the_file_that_is_imported_is_not_overwritten_by_its_rejected_rows(campaign, recipients_file):
    before = recipients_file.read_bytes()

    with pytest.raises(CommandError, match="--rejected would overwrite"):
        run("hyber_import_recipients", str(campaign.pk), str(recipients_file), "--rejected", str(recipients_file))

    assert recipients_file.read_bytes() == before


def test_an_import_from_a_country_that_does_not_exist_is_refused(campaign, recipients_file):
    with pytest.raises(CommandError, match="These are no countries: UKRAINE"):
        run("hyber_import_recipients", str(campaign.pk), str(recipients_file), "--countries", "Ukraine", "pl")

    assert not campaign.messages.exists()


def test_rejected_rows_are_written_into_a_file(tmp_path):
    file, rejected = tmp_path / "people.csv", tmp_path / "rejected.csv"
    file.write_text("phone,name\n12,Short\n380671234567,Good\n")
    campaign = Campaign.objects.create(name="Spring sale")
    out, err = run("hyber_import_recipients", str(campaign.pk), str(file), "--rejected", str(rejected))

    assert out.startswith("1 accepted, 0 duplicates, 0 already there, 1 rejected of 2 rows")
    assert err == ""
    assert "Short" in rejected.read_text()


def test_import_whose_rejected_rows_find_no_space_imports_nothing(campaign, recipients_file):
    with pytest.raises(CommandError) as raised:
        run("hyber_import_recipients", str(campaign.pk), str(recipients_file), "--rejected", "/dev/full")

    assert str(raised.value) == "A file cannot be written: No space left on device. Nothing was imported."
    assert not campaign.messages.exists()


@pytest.fixture
def ukrainian_file(tmp_path):
    file = tmp_path / "people.csv"
    file.write_text("Телефон;Ім'я;Сума боргу\n0671234567;Олена;50\n")
    return file


def test_import_tells_which_columns_were_renamed_or_ignored(campaign, ukrainian_file):
    _out, err = run("hyber_import_recipients", str(campaign.pk), str(ukrainian_file))

    assert campaign.messages.get().variables == {"name": "Олена"}
    assert "another name: Ім'я is %name%." in err
    assert "ignored: Сума боргу. Name their variables with --variables." in err


def test_import_names_the_variables_that_it_is_told(campaign, ukrainian_file):
    names = ("--variables", "Ім'я=first", "Сума боргу=%debt%")
    _out, err = run("hyber_import_recipients", str(campaign.pk), str(ukrainian_file), *names)

    assert campaign.messages.get().variables == {"first": "Олена", "debt": "50"}
    assert err == ""


@pytest.mark.parametrize(("given", "told"), [("name", "as HEADER=NAME"), ("Ім'я=ім'я", "cannot be names of variables")])
def test_name_that_no_variable_can_have_is_told(campaign, ukrainian_file, given, told):
    with pytest.raises(CommandError, match=told):
        run("hyber_import_recipients", str(campaign.pk), str(ukrainian_file), "--variables", given)

    assert not campaign.messages.exists()


def test_check_of_a_campaign_tells_what_the_launch_would_mean_and_sends_nothing(platform):
    campaign = make_campaign([phone(1), phone(2)])
    Suppression.objects.create(phone_number=phone(2))
    out, _ = run("hyber_send_campaign", str(campaign.pk), "--check")

    assert "1 of 2 recipients would receive it" in out
    assert "left out: 1, opted out" in out
    assert posts(platform) == []


def test_wait_sweeps_until_everything_is_handed_over(platform, settings):
    settings.HYBER = {"default": settings.HYBER["default"] | {"RETRY_DELAY": 0.05}}
    platform.fault("status", status=429)
    campaign = make_campaign([phone(1), phone(2)])
    out, _ = run("hyber_send_campaign", str(campaign.pk), "--wait")

    assert "finished, 2 recipients" in out
    assert platform.ledger.taken == 2


def test_wait_that_lasts_too_long_ends_with_an_error(platform):
    platform.fault("status", count=100, status=503)
    campaign = make_campaign([phone(1)])

    with pytest.raises(CommandError, match="not finished"):
        run("hyber_send_campaign", str(campaign.pk), "--wait", "--timeout", "1")


def test_progress_is_one_line_of_a_terminal_and_nothing_elsewhere():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stream, expected in ((Terminal(), "\r[###############...............] 1 of 2\n"), (io.StringIO(), "")):
        bar = ProgressBar(stream, 2)
        bar.show(1)
        bar.end()
        assert stream.getvalue() == expected
