"""Which numbers an import takes: the same from code, by the command and in the admin."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse

from django_hyber.models import Campaign, Suppression
from django_hyber.protocol import SMS
from django_hyber.services import import_recipients, import_suppressions

pytestmark = pytest.mark.django_db(transaction=True)

INPUTS = Path(__file__).parent / "inputs"


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def campaign():
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([SMS(text="Hi", alpha_name="Shop", ttl=300)])
    return campaign


def test_numbers_whose_last_digits_a_spreadsheet_has_lost_are_counted(campaign):
    rows = [
        {"phone": number} for number in ("380671000000", "380501000000", "380671000000", "380671234560", "12000000")
    ]

    assert import_recipients(campaign, rows).rounded == 3


def by_code(campaign, path, client, **switched_on):
    with path.open("rb") as file:
        import_recipients(campaign, file, **switched_on)


def by_command(campaign, path, client, *, foreign=False, number_types=(), countries=()):
    arguments = ["hyber_import_recipients", str(campaign.pk), str(path)]
    arguments += ["--foreign"] if foreign else []
    arguments += ["--number-types", *number_types] if number_types else []
    arguments += ["--countries", *countries] if countries else []
    call_command(*arguments, stdout=io.StringIO(), stderr=io.StringIO())


def by_admin(campaign, path, client, *, foreign=False, number_types=(), countries=()):
    url = reverse("admin:django_hyber_campaign_import", args=[campaign.pk])
    response = client.post(url, {"file": SimpleUploadedFile(path.name, path.read_bytes())})
    page = client.get(response["Location"])
    kinds = [*number_types, *(["foreign"] if foreign else []), *(["without_others"] if countries else [])]
    return client.post(response["Location"], posted(page, *kinds), follow=True)


def posted(page, *kinds):
    """POST data of the page of columns as it stands, with these kinds of numbers switched on."""
    form, numbers = page.context["form"], page.context["numbers"]
    values = {name: form[name].value() or "" for name in form.fields}
    offered = {field.name for field in numbers.kinds}
    assert offered >= {*kinds}
    return values | {"numbers-counted": numbers.counted_column} | {f"numbers-{kind}": "on" for kind in kinds}


@pytest.fixture(params=[by_code, by_command, by_admin])
def import_file(request, campaign, admin_client):
    def run(path, **switched_on):
        request.param(campaign, path, admin_client, **switched_on)
        return sorted(campaign.messages.values_list("phone_number", flat=True))

    return run


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("invisible-marks", ["380501234501", "380501234502", "380501234503", "380501234504"]),
        ("old-trunk-prefix", ["380501234501", "380501234502", "380501234503"]),
        ("landlines", ["380501234501"]),
        ("slashes-and-links", ["380501234501", "380501234502", "380501234503"]),
        ("short-international", ["298211234", "37061234567", "37256123456", "37360123456", "376312345", "77011234567"]),
        ("lost-zero", []),
    ],
)
def test_files_that_people_have(import_file, name, numbers):
    assert import_file(INPUTS / f"{name}.csv") == numbers


def test_landlines_and_toll_free_numbers_are_taken_when_switched_on(import_file):
    found = import_file(INPUTS / "landlines.csv", number_types=["fixed_line", "toll_free"])

    assert found == ["380442345678", "380501234501", "380800500500"]


def test_doubtful_numbers_are_taken_when_switched_on(import_file):
    found = import_file(INPUTS / "lost-zero.csv", foreign=True)

    assert {"38631234567", "38671234567", "38971234567"} <= {*found}
    # A premium-rate number in North Macedonia needs another switch.
    assert "38951234567" not in found


@pytest.mark.parametrize(
    ("region", "neighbour", "home"),
    [
        ("US", "8092345678", "16502530000"),
        ("KZ", "89161234567", "77011234567"),
        ("RU", "7011234567", "79161234567"),
        ("GB", "07781123456", "447400123456"),
    ],
)
def test_a_neighbour_with_the_same_calling_code_is_doubtful(import_file, settings, tmp_path, region, neighbour, home):
    settings.HYBER = {"default": {"DEFAULT_REGION": region}}
    path = tmp_path / "neighbours.csv"
    path.write_text(f"phone\n{neighbour}\n{home}\n")

    assert import_file(path) == [home]


def test_a_neighbour_with_the_same_calling_code_is_taken_when_switched_on(import_file, settings, tmp_path):
    settings.HYBER = {"default": {"DEFAULT_REGION": "US"}}
    path = tmp_path / "neighbours.csv"
    path.write_text("phone\n8092345678\n6502530000\n")

    assert import_file(path, foreign=True) == ["16502530000", "18092345678"]


def test_the_calling_code_in_a_column_is_that_of_all_its_countries(import_file, tmp_path):
    path = tmp_path / "codes.csv"
    path.write_text("phone,country_code\n4165550123,+1\n6502530000,+1\n")

    assert import_file(path, foreign=True) == ["14165550123", "16502530000"]


def test_an_opt_out_beside_another_of_a_neighbour_is_not_lost(settings):
    settings.HYBER = {"default": {"DEFAULT_REGION": "US"}}

    report = import_suppressions([{"phone": "6502530000", "second": "4165550123"}])

    assert report.rejected_count == 1


def test_other_countries_can_be_left_out(import_file, tmp_path):
    path = tmp_path / "mixed.csv"
    path.write_text("phone\n+376312345\n0501234501\n+48512345678\n")

    assert import_file(path, countries=["UA"]) == ["380501234501"]


@pytest.mark.parametrize("region", ["UA", "PL", "US", "DE", None])
def test_the_spellings_are_read_in_every_region(import_file, settings, tmp_path, region):
    settings.HYBER = {"default": {"DEFAULT_REGION": region}}
    path = tmp_path / "people.csv"
    path.write_text(
        'phone\ntel:+380-50-123-45-01\nsms:+33612345678\n"=""+12125550123"""\n\u2066+49 1512 3456789\u2069\n'
        "+380 50/1234502\n00380501234503\n",
        "utf-8",
    )

    found = import_file(path)

    expected = {"380501234501", "33612345678", "12125550123", "4915123456789", "380501234502", "380501234503"}
    # Where landlines have many lengths, 00 may be a prefix with a digit too many.
    assert expected - {"380501234503"} <= set(found) <= expected


class ReportTests:
    def test_numbers_are_counted_by_country_and_type(self, campaign):
        rows = ["0501234501", "+380442345678", "0800500500", "+48512345678", "+12125550123", "+38671234567", "bad"]

        report = import_recipients(campaign, [{"phone": number} for number in rows])

        assert report.countries == {"UA": 3, "PL": 1, "US": 1, "SI": 1}
        assert report.number_types == {"mobile": 3, "fixed_line": 1, "toll_free": 1, "fixed_line_or_mobile": 1}
        assert report.left_out == {"fixed_line": 1, "toll_free": 1, "foreign": 1}
        assert (report.accepted, report.rejected_count) == (3, 4)

    def test_the_reason_says_what_to_do(self, campaign):
        report = import_recipients(campaign, [{"phone": "48512345678"}])

        assert "write it with +" in str(report.rejected[0].reason)

    def test_an_unknown_type_is_refused_before_anything_is_read(self, campaign):
        with pytest.raises(ValueError, match=r"landline.*fixed_line"):
            import_recipients(campaign, [{"phone": "0501234501"}], number_types=["landline"])


class PolicyTests:
    def test_the_countries_of_the_account_cannot_be_widened(self, campaign, settings):
        settings.HYBER = {"default": {"ALLOWED_COUNTRIES": ["UA"]}}

        report = import_recipients(campaign, [{"phone": "+48512345678"}], countries=["PL", "UA"], foreign=True)

        assert (report.accepted, report.left_out) == (0, {"country": 1})

    def test_the_types_of_the_account_cannot_be_widened(self, campaign, settings):
        settings.HYBER = {"default": {"ALLOWED_NUMBER_TYPES": ["mobile"]}}

        report = import_recipients(campaign, [{"phone": "+380442345678"}], number_types=["fixed_line"])

        assert (report.accepted, report.left_out) == (0, {"fixed_line": 1})

    def test_the_types_of_the_account_need_no_switch(self, campaign, settings):
        settings.HYBER = {"default": {"ALLOWED_NUMBER_TYPES": ["mobile", "fixed_line"]}}

        assert import_recipients(campaign, [{"phone": "+380442345678"}]).accepted == 1


class OptOutTests:
    def test_numbers_of_every_kind_can_opt_out(self):
        rows = ["+380442345678", "0800500500", "+48512345678", "+37360123456", "8 050 123 45 01"]

        report = import_suppressions([{"phone": number} for number in rows])

        assert report.accepted == 5

    def test_nobody_else_is_opted_out_by_a_lost_digit(self):
        report = import_suppressions([{"phone": "38671234567"}])

        assert (report.accepted, report.left_out) == (0, {"foreign": 1})

    def test_numbers_without_a_plus_are_taken_when_the_caller_says_so(self):
        import_suppressions([{"phone": "48512345678"}], foreign=True)

        assert Suppression.objects.get().phone_number == "48512345678"


class PageTests:
    def test_the_kinds_are_counted_before_anything_is_imported(self, admin_client, campaign):
        page = self.show(admin_client, campaign, "phone\n0501234501\n+380442345678\n+380442345679\n+48512345678\n")
        text = page.content.decode()

        assert "Landlines: 2" in text
        assert "Skip all other countries: 1" in text
        assert "PL (+48): 1" in text
        assert [field.name for field in page.context["numbers"].kinds] == ["fixed_line", "without_others"]

    def test_a_file_of_home_numbers_asks_nothing(self, admin_client, campaign):
        page = self.show(admin_client, campaign, "phone\n0501234501\n")

        assert page.context["numbers"].kinds == []
        assert "mobile numbers: 1" in page.content.decode()

    def test_types_that_the_account_forbids_are_not_offered(self, admin_client, campaign, settings):
        settings.HYBER = {"default": {"ALLOWED_NUMBER_TYPES": ["mobile"]}}

        page = self.show(admin_client, campaign, "phone\n+380442345678\n")

        assert page.context["numbers"].kinds == []
        assert "landlines: 1" in page.content.decode()
        assert "forbidden by the settings of the account" in page.content.decode()

    def test_another_column_is_counted_before_it_is_imported(self, admin_client, campaign):
        page = self.show(admin_client, campaign, "phone,second\n0501234501,+380442345678\n")
        data = posted(page) | {"use-0": "nothing", "use-1": "phone"}

        asked = admin_client.post(page.request["PATH_INFO"], data)

        assert "“second” have been counted" in asked.content.decode()
        assert not campaign.messages.exists()
        admin_client.post(page.request["PATH_INFO"], posted(asked, "fixed_line"))
        assert campaign.messages.get().phone_number == "380442345678"

    def test_a_large_file_offers_every_kind(self, admin_client, campaign, monkeypatch):
        monkeypatch.setattr("django_hyber.audience.uploads.LARGE_BYTES", 1)

        page = self.show(admin_client, campaign, "phone\n0501234501\n")

        assert "counted during the import" in page.content.decode()
        assert len(page.context["numbers"].kinds) == 9

    def test_the_report_says_what_was_left_out(self, admin_client, campaign):
        page = by_admin(campaign, INPUTS / "landlines.csv", admin_client)

        text = page.content.decode()
        assert "Skipped because they were not switched on: landlines: 1, toll-free numbers: 1." in text
        assert "This is a landline, and landlines are switched off." in text

    def test_the_same_file_adds_what_is_switched_on_later(self, admin_client, campaign):
        by_admin(campaign, INPUTS / "landlines.csv", admin_client)
        by_admin(campaign, INPUTS / "landlines.csv", admin_client, number_types=["fixed_line"])

        assert campaign.messages.count() == 2

    def test_the_opt_out_list_asks_about_doubtful_numbers_only(self, admin_client):
        url = reverse("admin:django_hyber_suppression_import")
        content = SimpleUploadedFile("out.csv", b"phone\n38671234567\n+380442345678\n+48512345678\n")
        response = admin_client.post(url, {"file": content})

        page = admin_client.get(response["Location"])

        assert [field.name for field in page.context["numbers"].kinds] == ["foreign"]
        admin_client.post(response["Location"], posted(page, "foreign"))
        assert Suppression.objects.count() == 3

    def show(self, client, campaign, text):
        url = reverse("admin:django_hyber_campaign_import", args=[campaign.pk])
        response = client.post(url, {"file": SimpleUploadedFile("people.csv", text.encode())})
        return client.get(response["Location"])
