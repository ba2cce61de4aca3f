"""Lists of numbers coming in and going out, by mouse and keyboard, each journey in another view."""

from __future__ import annotations

import django
import pytest

from django_hyber.audience import imports
from django_hyber.models import BackgroundJob, Campaign, Suppression
from django_hyber.protocol import SMS, Viber
from django_hyber.tasks import run_job
from tests.browser.scenes import LINES
from tests.browser.views import NARROW, WIDE, problems_of
from tests.samples import phone

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"


@pytest.fixture
def draft(live_server, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    campaign = Campaign.objects.create(name="Spring sale")
    text = "Hi %name%, your code is %code%"
    campaign.set_channels([Viber(text=text, ttl=60), SMS(text=text, ttl=300, alpha_name="Shop")])
    return campaign


@pytest.fixture
def people(tmp_path):
    path = tmp_path / "клієнти.csv"
    path.write_bytes("\n".join(LINES).encode("cp1251"))
    return path


@pytest.fixture
def many(tmp_path, settings, monkeypatch):
    """A file that is large, and nobody to import it yet."""
    settings.TASKS = {"default": {"BACKEND": f"{FRAMEWORK}.backends.dummy.DummyBackend"}}
    monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", 10)
    monkeypatch.setattr("django_hyber.audience.imports.CHUNK", 10)
    path = tmp_path / "many.csv"
    path.write_text("phone,name\n" + "".join(f"{phone(number)},Name {number}\n" for number in range(40)))
    return path


def number(page, name):
    return int(page.get_attribute(f"[data-count={name}]", "data-number"))


def hand_in(page, campaign, path):
    page.goto(f"/admin/django_hyber/campaign/{campaign.pk}/import/")
    page.set_input_files("#id_file", path)
    with page.expect_navigation():
        page.press(".submit-row input.default", "Enter")


def test_a_file_from_its_upload_to_the_report(draft, people, open_admin, complaints):
    Suppression.objects.create(phone_number="380671112244")
    page = open_admin("uk", (NARROW, "light"))

    hand_in(page, draft, people)
    assert "Windows-1251" in page.inner_text("[data-format]")
    assert page.locator(".hyber-rows tbody tr").count() == 5
    assert page.locator("li[data-variable=code]").is_visible()
    page.select_option("#id_use-3", "variable")
    page.fill("#id_name-3", "code")
    page.press("#id_name-3", "Enter")

    page.locator("[data-job=done]").wait_for()
    assert {name: number(page, name) for name in ("accepted", "duplicates", "existing", "rejected", "opted_out")} == {
        "accepted": 3,
        "duplicates": 1,
        "existing": 0,
        "rejected": 2,
        "opted_out": 1,
    }
    with page.expect_download() as download:
        page.click("#hyber-rejected")
    assert "3.80671E+11" in download.value.path().read_text(encoding="utf-8-sig")
    assert draft.messages.get(phone_number="380671112233").variables["code"].startswith("SPRING")
    page.goto(f"/admin/django_hyber/campaign/{draft.pk}/change/")
    page.locator("[data-job=done] a").click()
    page.locator("[data-job=done]").wait_for()
    assert complaints == []


def test_wrong_choices_and_files_are_told_beside_their_fields(draft, people, tmp_path, open_admin, complaints):
    page = open_admin()
    broken = tmp_path / "broken.csv"
    broken.write_bytes("phone,name\n0671112233,Олена\n0671112244,Тара".encode()[:-1])

    hand_in(page, draft, broken)
    assert "line 3 is not" in page.inner_text(".form-row.errors")
    assert list(problems_of(page, "en")) == []
    hand_in(page, draft, people)
    page.select_option("#id_use-0", "nothing")
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("Choose the column that contains the phone numbers.").wait_for()
    page.select_option("#id_use-0", "phone")
    page.fill("#id_name-1", "ім'я")
    page.get_by_role("button", name="Import", exact=True).click()
    page.locator("[data-column=name]").get_by_text("Latin letters").wait_for()
    assert page.get_attribute("#id_name-1", "aria-invalid") == "true"
    assert list(problems_of(page, "en")) == []
    page.get_by_role("button", name="Discard the file").click()
    page.get_by_text("The file was discarded.").wait_for()
    assert not BackgroundJob.objects.exists()
    assert complaints == []


def test_kinds_of_numbers_are_counted_and_switched_on(draft, tmp_path, open_admin, complaints):
    page = open_admin("uk", (NARROW, "light"))
    path = tmp_path / "kinds.csv"
    path.write_text("phone,name\n0501234501,A\n+380442345678,B\n38671234567,C\n+48512345678,D\n")

    hand_in(page, draft, path)
    assert page.locator("#hyber-numbers [data-kind]").count() == 3
    assert list(problems_of(page, "uk")) == []
    page.check("[data-kind=fixed_line] input")
    page.press(".submit-row input.default", "Enter")

    page.locator("[data-job=done]").wait_for()
    assert (number(page, "accepted"), number(page, "rejected")) == (3, 1)
    assert page.locator("[data-count=left_out]").is_visible()
    assert list(problems_of(page, "uk")) == []
    assert complaints == []


@pytest.mark.parametrize(("language", "view"), [("en", (WIDE, "dark")), ("uk", (NARROW, "light"))])
def test_an_uncertain_encoding_is_chosen_by_sight(draft, open_admin, complaints, tmp_path, language, view):
    path = tmp_path / "people.csv"
    path.write_bytes("phone;name;code\n0671112233;Muñoz;A1\n".encode("cp1252"))
    page = open_admin(language, view)
    hand_in(page, draft, path)

    assert page.is_visible("[data-problem]")
    assert list(problems_of(page, language)) == []
    page.get_by_label("0671112233;Muñoz").check()
    page.click("#hyber-read-again")
    page.locator("[data-column=name]").get_by_text("Muñoz").wait_for()
    page.click("details.hyber-format summary")
    assert page.input_value("#id_encoding") == "cp1252"
    assert list(problems_of(page, language)) == []
    assert complaints == []


def test_names_are_asked_for_only_where_there_is_a_variable(draft, people, open_admin, complaints):
    page = open_admin()
    hand_in(page, draft, people)

    assert [page.is_visible(f"#id_name-{column}") for column in range(4)] == [False, True, True, False]
    page.select_option("#id_use-3", "variable")
    assert page.input_value("#id_name-3") == "kod_znyzhky"
    page.fill("#id_name-3", "%code%")
    assert page.locator("#hyber-missing [data-missing]").is_hidden()
    page.select_option("#id_use-1", "nothing")
    assert page.locator("#hyber-missing li:visible").all_inner_texts() == ["%name%"]
    assert complaints == []


def test_the_pages_work_without_javascript(draft, people, open_admin):
    page = open_admin(java_script_enabled=False)
    hand_in(page, draft, people)

    assert page.is_visible("#id_name-0")
    page.get_by_role("button", name="Import", exact=True).click()

    assert number(page, "accepted") == 3
    assert "%code%" in page.inner_text("[data-part=counts]").replace(" ", "")


def test_a_large_import_is_followed_without_a_reload(draft, many, open_admin, monkeypatch, complaints):
    page = open_admin("en", (NARROW, "dark"))
    hand_in(page, draft, many)
    page.press(".submit-row input.default", "Enter")
    page.locator("[data-job=waiting]").wait_for()
    page.evaluate("window.notReloaded = true")

    def halfway():
        page.locator('progress[value="20"][max="40"]').wait_for()
        assert number(page, "accepted") == 20

    at_page(monkeypatch, 2, halfway)
    run_job.call(draft.jobs.get().pk)

    page.locator("[data-job=done]").wait_for()
    assert number(page, "accepted") == 40
    assert page.evaluate("window.notReloaded")
    assert page.locator("#hyber-stop").count() == 0
    assert complaints == []


def test_an_import_is_left_found_again_and_stopped(draft, many, open_admin, monkeypatch, complaints):
    page = open_admin()
    hand_in(page, draft, many)
    page.get_by_role("button", name="Import", exact=True).click()
    page.locator("[data-job=waiting]").wait_for()

    def stop():
        page.goto(f"/admin/django_hyber/campaign/{draft.pk}/change/")
        page.get_by_role("link", name="Import of many.csv").click()
        page.get_by_role("button", name="Stop the import").click()
        page.get_by_text("Stopped after 20 rows.").wait_for()

    at_page(monkeypatch, 2, stop)
    run_job.call(draft.jobs.get().pk)

    page.reload()
    assert number(page, "accepted") == draft.messages.count() == 20
    assert complaints == []


def test_a_double_click_imports_once(draft, people, open_admin, complaints):
    page = open_admin()
    hand_in(page, draft, people)

    page.get_by_role("button", name="Import", exact=True).dblclick()

    page.locator("[data-job=done]").wait_for()
    assert number(page, "accepted") == draft.messages.count() == 3
    assert draft.jobs.get().attempts == 1
    assert complaints == []


def test_the_opt_out_list_comes_in_and_goes_out(draft, people, open_admin, complaints):
    page = open_admin("uk", (WIDE, "dark"))
    page.goto("/admin/django_hyber/suppression/import/")
    page.fill("#id_pasted", "0671112233; complained\n067 111 22 44\nnobody")
    page.fill("#id_reason", "by telephone")
    page.press("#id_reason", "Enter")
    page.locator("[data-job=done]").wait_for()
    assert (number(page, "accepted"), number(page, "rejected")) == (2, 1)

    page.goto("/admin/django_hyber/suppression/import/")
    page.set_input_files("#id_file", people)
    with page.expect_navigation():
        page.press("#id_reason", "Enter")
    page.press(".submit-row input.default", "Enter")
    page.locator("[data-job=done]").wait_for()
    assert (number(page, "accepted"), number(page, "existing")) == (1, 3)

    page.goto("/admin/django_hyber/suppression/?q=067%20111-22-33")
    assert page.locator("#result_list tbody tr").count() == 1
    page.goto("/admin/django_hyber/suppression/export/")
    with page.expect_download() as download:
        page.click("button[value=csv]")
    assert "'+380671112233,380671112233,complained," in download.value.path().read_text(encoding="utf-8-sig")
    assert complaints == []


def at_page(monkeypatch, wanted, act):
    """Do something when the import has written so many pages of rows."""
    original = imports.pages_of

    def pages_of(rows):
        for number_of_page, rows_of_page in enumerate(original(rows)):
            if number_of_page == wanted:
                act()
            yield rows_of_page

    monkeypatch.setattr(imports, "pages_of", pages_of)
