from __future__ import annotations

import re

import django
import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from django_hyber.models import BackgroundJob, FormerOptOut, Suppression
from django_hyber.services import import_suppressions
from django_hyber.tasks import run_job
from tests.admin.audience.test_imports import chosen, counts, media, text_of, workbook  # noqa: F401
from tests.samples import phone

pytestmark = pytest.mark.django_db(transaction=True)

FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
LIST = "/admin/django_hyber/suppression/"
CSV = "name;телефон;причина\nOlena;067 111 22 33;complained\nIvan;+380671112244;\nTaras;12;x\nOlha;0671112233;again\n"


def url_of(page, *keys):
    return reverse(f"admin:django_hyber_suppression_{page}", args=keys)


def hand_in(client, content=None, name="list.csv", **fields):
    content = content.encode() if isinstance(content, str) else content
    file = {"file": SimpleUploadedFile(name, content)} if content else {}
    return client.post(url_of("import"), {**file, **fields})


def run(client, content, **changes):
    response = hand_in(client, content)
    return client.post(response["Location"], chosen(client.get(response["Location"]), **changes), follow=True)


def the_list():
    return dict(Suppression.objects.order_by("pk").values_list("phone_number", "reason"))


@pytest.fixture
def lost_tasks(settings):
    settings.TASKS = {"default": {"BACKEND": f"{FRAMEWORK}.backends.dummy.DummyBackend"}}


class ImportTests:
    def test_a_file_goes_the_way_of_a_file_of_recipients(self, admin_client):
        response = hand_in(admin_client, CSV, reason="old system")
        page = admin_client.get(response["Location"])

        assert "CSV, UTF-8, separated by semicolons, 4 rows." in text_of(page)
        assert chosen(page) == {"use-0": "nothing", "use-1": "phone", "use-2": "reason"}
        report = admin_client.post(response["Location"], chosen(page), follow=True)

        assert counts(report) == {"accepted": 2, "duplicates": 1, "existing": 0, "rejected": 1}
        assert "2 added" in text_of(report)
        assert the_list() == {"380671112233": "complained", "380671112244": "old system"}
        rejected = admin_client.post(url_of("import_rejected", BackgroundJob.objects.get().pk))
        assert b"Taras,12,x,4," in b"".join(rejected.streaming_content)

    def test_an_xlsx_table(self, admin_client):
        run(admin_client, workbook(["phone", "reason"], [380671112233, "complained"]))

        assert the_list() == {"380671112233": "complained"}

    def test_one_column_cannot_be_two_things(self, admin_client):
        response = run(admin_client, CSV, use_0="reason")

        assert "already" in str(response.context["form"].errors["use-2"])
        assert not Suppression.objects.exists()

    @pytest.mark.parametrize(
        ("pasted", "expected"),
        [
            ("067 111 22 33\n\n+380671112244\n", {"380671112233": "asked", "380671112244": "asked"}),
            ("0671112233; complained\r\n0671112244", {"380671112233": "complained", "380671112244": "asked"}),
            ("0671112233\tsaid no, thanks\n", {"380671112233": "said no, thanks"}),
            (
                "0671112233, 0671112244; 0671112255",
                dict.fromkeys(("380671112233", "380671112244", "380671112255"), "asked"),
            ),
        ],
    )
    def test_pasted_numbers_are_added_at_once(self, admin_client, pasted, expected):
        response = hand_in(admin_client, pasted=pasted, reason="asked")

        assert the_list() == expected
        assert counts(admin_client.get(response["Location"]))["accepted"] == len(expected)

    def test_a_pasted_line_is_counted_as_a_line(self, admin_client):
        response = hand_in(admin_client, pasted="0671112233\nnobody\n")

        page = admin_client.get(response["Location"]).content.decode()
        assert '<td class="hyber-number">2</td><td>nobody</td>' in page.replace(" · </td>", "</td>")

    def test_pasted_rows_below_names_of_columns_are_asked_about(self, admin_client):
        response = hand_in(admin_client, pasted="phone\tcity\n0671112233\tLviv\n")

        assert chosen(admin_client.get(response["Location"])) == {"use-0": "phone", "use-1": "nothing"}
        assert not Suppression.objects.exists()

    @pytest.mark.parametrize(
        ("content", "pasted", "field", "error"),
        [
            (None, "", "file", "Choose a file, or paste numbers below."),
            (CSV, "0671112233", "pasted", "not both"),
            ("", "   \n", "file", "Choose a file, or paste"),
            (None, '0671112233;"open', "pasted", "begins on line 1"),
            (b"\x89PNG\r\n\x1a\n\x00\x98", "", "file", "neither UTF-8"),
        ],
    )
    def test_what_cannot_be_read_is_told_beside_its_field(self, admin_client, content, pasted, field, error):
        response = hand_in(admin_client, content, pasted=pasted)

        assert error in str(response.context["form"].errors[field])
        assert not BackgroundJob.objects.exists()

    def test_a_large_list_is_imported_in_the_background_and_the_list_leads_to_it(
        self, admin_client, lost_tasks, monkeypatch
    ):
        monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", 3)
        run(admin_client, CSV)
        job = BackgroundJob.objects.get()

        page = admin_client.get(LIST)
        assert f'href="{url_of("import_job", job.pk)}"' in page.content.decode()
        assert page.context["refresh"]
        run_job.call(job.pk)

        assert "done" in admin_client.get(url_of("jobs")).content.decode()
        assert len(the_list()) == 2

    def test_it_can_be_stopped(self, admin_client, lost_tasks, monkeypatch):
        monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", 3)
        run(admin_client, CSV)
        job = BackgroundJob.objects.get()

        admin_client.post(url_of("import_stop", job.pk))
        run_job.call(job.pk)

        assert not Suppression.objects.exists()

    def test_it_is_written_into_the_log_of_the_admin(self, admin_client):
        run(admin_client, CSV)
        entry = LogEntry.objects.get()

        assert (entry.object_repr, entry.object_id) == ("opted-out numbers", None)
        assert entry.get_change_message() == "Imported from list.csv: 2 accepted, 1 repeated, 1 rejected."
        assert admin_client.get("/admin/").status_code == 200

    def test_an_import_of_a_campaign_is_none_of_the_list(self, admin_client, draft):
        from django.core.files.base import ContentFile

        from django_hyber.services import keep_upload

        job = keep_upload(draft, None, ContentFile(b"phone\n0671112233\n", name="people.csv"))

        assert admin_client.get(url_of("import_job", job.pk)).status_code == 404


class ExportTests:
    @pytest.fixture(autouse=True)
    def opted_out(self):
        import_suppressions([{"phone": phone(number), "reason": "=1+1"} for number in range(3)])

    @pytest.mark.parametrize(("kind", "content_type"), [("csv", "text/csv"), ("xlsx", "openxmlformats")])
    def test_the_list_is_given_as_a_stream_and_logged(self, admin_client, kind, content_type):
        response = admin_client.post(url_of("export"), {"format": kind})

        assert response.streaming
        assert content_type in response["Content-Type"]
        assert f'filename="opted-out.{kind}"' in response["Content-Disposition"]
        content = b"".join(response.streaming_content)
        assert LogEntry.objects.get().get_change_message() == f"Exported as {kind.upper()}."
        Suppression.objects.all().delete()
        assert counts(run(admin_client, content))["accepted"] == 3
        assert set(the_list().values()) == {"=1+1"}

    def test_an_unknown_format_is_refused(self, admin_client):
        assert admin_client.post(url_of("export"), {"format": "ods"}).status_code == 400

    def test_a_long_list_is_made_in_the_background_for_whoever_asked(
        self, admin_client, lost_tasks, monkeypatch, django_user_model
    ):
        monkeypatch.setattr("django_hyber.jobs.background.IN_BACKGROUND_FROM", 3)
        assert "created in the background" in admin_client.get(url_of("export")).content.decode()

        for _click in range(2):
            admin_client.post(url_of("export"), {"format": "csv"})
        job = BackgroundJob.objects.get()
        run_job.call(job.pk)

        download = url_of("exported", job.pk)
        assert download in admin_client.get(LIST).content.decode()
        assert "Press the button again." in admin_client.get(download, follow=True).content.decode()
        response = admin_client.post(download)
        assert b"".join(response.streaming_content).count(b"\n") == 4
        other = django_user_model.objects.create_superuser("other")
        admin_client.force_login(other)
        assert admin_client.post(download).status_code == 404


class PermissionTests:
    @pytest.mark.parametrize(
        ("permissions", "page"),
        [
            (("view_suppression", "add_suppression"), "import"),
            (("view_suppression", "view_personal_data"), "import"),
            (("view_suppression", "export_campaign"), "export"),
            (("view_suppression", "view_personal_data"), "export"),
            (("export_campaign", "view_personal_data"), "export"),
        ],
    )
    def test_each_way_needs_its_permission_and_the_one_to_see_numbers(self, client, log_in, permissions, page):
        log_in(*permissions)

        assert client.get(url_of(page)).status_code == 403
        assert client.post(url_of(page), {"format": "csv"}).status_code == 403
        if "view_suppression" in permissions:
            assert url_of(page) not in client.get(LIST).content.decode()

    def test_with_them_the_list_offers_both(self, client, log_in):
        log_in("view_suppression", "add_suppression", "export_campaign", "view_personal_data")

        page = client.get(LIST).content.decode()
        assert url_of("import") in page
        assert url_of("export") in page
        assert client.get(url_of("import")).status_code == 200


class ListTests:
    @pytest.mark.parametrize("written", ["0671112233", "+380 (67) 111-22-33", "380671112233", "00380671112233"])
    def test_a_number_is_found_in_any_notation(self, admin_client, written):
        import_suppressions([{"phone": "0671112233"}, {"phone": "0671112244"}])

        page = admin_client.get(LIST, {"q": written})

        assert [row.phone_number for row in page.context["cl"].result_list] == ["380671112233"]

    def test_a_reason_that_nobody_gave_is_a_dash_as_everywhere(self, admin_client):
        Suppression.objects.create(phone_number=phone(1))

        assert '<td class="field-why">–</td>' in admin_client.get(LIST).content.decode()

    def test_the_list_takes_the_same_queries_whatever_its_length(self, admin_client, django_assert_num_queries):
        for count in (3, 300):
            import_suppressions([{"phone": phone(number)} for number in range(count)])
            with django_assert_num_queries(5):
                admin_client.get(LIST)

    def test_numbers_are_taken_off_after_a_confirmation(self, admin_client):
        import_suppressions([{"phone": "0671112233"}, {"phone": "0671112244"}])
        data = {"action": "delete_selected", "_selected_action": [Suppression.objects.first().pk]}

        assert "380671112244" in admin_client.post(LIST, data).content.decode()
        admin_client.post(LIST, {**data, "post": "yes"})

        assert list(the_list()) == ["380671112233"]

    def test_the_whole_list_is_not_taken_off_by_one_click(self, admin_client, monkeypatch):
        from django_hyber.admin.audience import opt_outs

        monkeypatch.setattr(opt_outs, "MOST_DELETED", 2)
        import_suppressions([{"phone": phone(number)} for number in range(3)])
        first = Suppression.objects.first().pk

        response = admin_client.post(
            LIST,
            {"action": "delete_selected", "_selected_action": [first], "select_across": "1", "post": "yes"},
            follow=True,
        )

        assert "At most 2 numbers" in response.content.decode()
        assert Suppression.objects.count() == 3

    def test_the_page_of_a_number_shows_who_added_and_removed_it_and_when(self, admin_client, admin_user):
        add, number = reverse("admin:django_hyber_suppression_add"), "+380 67 111 22 33"
        for reason in ("asked by phone", "asked again"):
            admin_client.post(add, {"phone_number": number, "reason": reason})
            entry = Suppression.objects.get()
            page = reverse("admin:django_hyber_suppression_change", args=[entry.pk])
            shown = admin_client.get(page).content.decode()
            admin_client.post(reverse("admin:django_hyber_suppression_delete", args=[entry.pk]), {"post": "yes"})

        steps = re.findall(r"<tr><td>[^<]*</td><td>(.*?)</td><td>(.*?)</td>", shown)
        assert steps == [
            ("Added to the list: asked again", "admin"),
            ("Removed from the list: Removed by a colleague.", "admin"),
            ("Added to the list: asked by phone", "admin"),
        ]
        assert list(FormerOptOut.objects.values_list("ended_by", flat=True)) == ["admin", "admin"]

    def test_numbers_removed_together_keep_their_history(self, admin_client):
        import_suppressions([{"phone": "0671112233"}, {"phone": "0671112244"}])
        chosen = list(Suppression.objects.values_list("pk", flat=True))
        admin_client.post(LIST, {"action": "delete_selected", "_selected_action": chosen, "post": "yes"})

        assert set(FormerOptOut.objects.values_list("phone_number", "ended_by")) == {
            ("380671112233", "admin"),
            ("380671112244", "admin"),
        }
        page = admin_client.get(reverse("admin:django_hyber_formeroptout_changelist"), {"q": "067 111-22-33"})
        assert page.content.decode().count("380671112233") == 1

    def test_an_imported_number_shows_who_imported_it(self, admin_client):
        run(admin_client, CSV)

        assert set(Suppression.objects.values_list("added_by", flat=True)) == {"admin"}
