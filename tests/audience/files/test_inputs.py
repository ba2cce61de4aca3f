"""Files of the kinds that people have: the same comes of each from code, from the command and from the admin."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError
from django.urls import reverse

from django_hyber.models import Campaign
from django_hyber.protocol import SMS
from django_hyber.services import UnreadableFileError, import_recipients
from tests.management.test_commands import run

pytestmark = pytest.mark.django_db(transaction=True)

INPUTS = Path(__file__).parent.parent / "inputs"
ONE, TWO, THREE, FOUR = (f"38050123450{number}" for number in (1, 2, 3, 4))
OLENA = [(ONE, "Olena")]
READ = {
    "separator-line.csv": [(ONE, "Olena"), (TWO, "Petro")],
    "two-byte-order-marks.csv": OLENA,
    "hidden-first-sheet.xlsx": OLENA,
    "error-values.csv": [(ONE, "Olena"), (TWO, ""), (THREE, "")],
    "error-values.xlsx": [(ONE, "Olena"), (TWO, "")],
    "number-formats.xlsx": [(ONE, "0042"), (TWO, "$34.30"), (THREE, "20%")],
    "dates.xlsx": [(ONE, "05.12.2026"), (TWO, "05.12.2026 14:30"), (THREE, "09:30")],
    "no-values.csv": [(ONE, "Olena"), (TWO, ""), (THREE, ""), (FOUR, "")],
    "spaces.csv": OLENA,
    "encoding-cp1250.csv": [(ONE, "Łukasz Żółw")],
    "encoding-cp866.csv": [(ONE, "Олена")],
    "encoding-koi8u.csv": [(ONE, "Олена")],
    "encoding-mac-cyrillic.csv": [(ONE, "Олена")],
    "formula-without-result.xlsx": [],
    "title-row.csv": OLENA,
    "title-row.xlsx": OLENA,
    "vertical-bars.csv": OLENA,
    "strict.xlsx": OLENA,
}
REFUSED = {
    "web-page.xls": "web page",
    "open-quote.csv": "begins on line 2",
    "repeated-header.csv": "same name: phone",
}


@pytest.fixture
def campaign(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    campaign = Campaign.objects.create(name="Spring sale")
    campaign.set_channels([SMS(text="Hi %name%", alpha_name="GMSU", ttl=300)])
    return campaign


def by_code(campaign, path, client):
    with path.open("rb") as file:
        try:
            report = import_recipients(campaign, file)
        except UnreadableFileError as error:
            return " ".join(error.messages)
    return [str(row.reason) for row in report.rejected]


def by_command(campaign, path, client):
    try:
        _out, err = run("hyber_import_recipients", campaign.pk, path)
    except CommandError as error:
        return str(error)
    return [line.partition(": ")[2] for line in err.splitlines() if line.startswith("row ")]


def by_admin(campaign, path, client):
    url = reverse("admin:django_hyber_campaign_import", args=[campaign.pk])
    response = client.post(url, {"file": SimpleUploadedFile(path.name, path.read_bytes())})
    if response.status_code == 200:
        return " ".join(response.context["form"].errors["file"])
    page = client.get(response["Location"])
    if page.context.get("problem"):
        return page.context["problem"]
    form = page.context["form"]
    client.post(response["Location"], {name: form[name].value() or "" for name in form.fields})
    return [str(reason) for _row, reason, _values in campaign.jobs.get().result["rejected"]]


#: Headers of ordinary files whose second column is %name%.
HEADERS = ["Телефон;Ім'я", "Phone;Name", "phone_number;NAME", "sms;name", "Tel. komórkowy;Imię", "Rufnummer;name"]
HEADERS += ["Телефон:;Ім'я:", "Телефон клієнта;Имя", "T\u0435лефон;name", "Phone *;name", "Номер тел.;ім’я"]


@pytest.mark.parametrize("way", [by_code, by_command, by_admin])
class EveryWayTests:
    @pytest.mark.parametrize("header", HEADERS)
    def test_ordinary_headers_mean_the_same(self, campaign, admin_client, way, header, tmp_path):
        path = tmp_path / "people.csv"
        path.write_text(f"{header}\n+380501234501;Олена\n+380501234502;Петро\n")
        way(campaign, path, admin_client)

        people = campaign.messages.order_by("phone_number").values_list("phone_number", "variables")
        assert list(people) == [(ONE, {"name": "Олена"}), (TWO, {"name": "Петро"})]

    @pytest.mark.parametrize("name", READ)
    def test_the_people_are_those_that_the_table_shows(self, campaign, admin_client, way, name):
        way(campaign, INPUTS / name, admin_client)

        people = campaign.messages.order_by("phone_number").values_list("phone_number", "variables__name")
        assert list(people) == READ[name]

    @pytest.mark.parametrize("name", REFUSED)
    def test_what_cannot_be_read_is_refused_with_the_place(self, campaign, admin_client, way, name):
        assert REFUSED[name] in way(campaign, INPUTS / name, admin_client)
        assert not campaign.messages.exists()

    def test_a_formula_without_a_result_is_rejected_with_that_reason(self, campaign, admin_client, way):
        (reason,) = way(campaign, INPUTS / "formula-without-result.xlsx", admin_client)

        assert "has no result in the file" in reason

    def test_the_phone_column_of_google_contacts_is_found(self, campaign, admin_client, way):
        way(campaign, INPUTS / "google-contacts.csv", admin_client)

        assert campaign.messages.get().phone_number == THREE
