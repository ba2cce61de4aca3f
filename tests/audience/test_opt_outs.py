from __future__ import annotations

import io
import tracemalloc
from datetime import UTC, datetime

import openpyxl
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_hyber.audience import export
from django_hyber.audience.files.xlsx_file import XlsxFile
from django_hyber.models import Suppression
from django_hyber.services import ExportError, UnreadableFileError, export_suppressions, import_suppressions
from tests.audience.test_export import NASTY
from tests.samples import phone

pytestmark = pytest.mark.django_db


def csv_file(text):
    return io.BytesIO(text.encode())


def the_list():
    return dict(Suppression.objects.order_by("pk").values_list("phone_number", "reason"))


class ImportTests:
    def test_numbers_come_with_their_reasons(self):
        text = "телефон;причина\n067 111 22 33;complained\n+380671112244;\n12;Ivan\n0671112233;again\n"
        report = import_suppressions(csv_file(text), reason_column="причина", reason="old system")

        assert (report.total, report.accepted, report.duplicates, report.rejected_count) == (4, 2, 1, 1)
        assert [(row.row, row.values["причина"]) for row in report.rejected] == [(4, "Ivan")]
        assert the_list() == {"380671112233": "complained", "380671112244": "old system"}

    def test_a_number_that_is_there_keeps_its_reason(self):
        Suppression.objects.create(phone_number="380671112233", reason="complained")

        report = import_suppressions([{"phone": "0671112233", "reason": "other"}])

        assert (report.accepted, report.existing) == (0, 1)
        assert the_list() == {"380671112233": "complained"}

    def test_a_second_number_does_not_get_lost_as_a_reason(self):
        report = import_suppressions(
            csv_file("phone,reason\n0671112233,067 111 22 44\n0671112255,paid on 2024-05-06\n")
        )

        assert (report.accepted, report.rejected_count) == (1, 1)
        assert "several numbers" in str(report.rejected[0].reason)

    @pytest.mark.parametrize("number", ["+389072989831", "+38971112233", "00951234567"])
    def test_a_number_that_may_be_a_mistyped_one_of_the_home_country_is_not_opted_out_instead_of_it(self, number):
        rows = [{"phone": number}, {"phone": "+48512345678"}]

        report = import_suppressions(rows)

        assert report.left_out == {"foreign": 1}
        assert "a digit missing, too many or swapped" in str(report.rejected[0].reason)
        assert list(the_list()) == ["48512345678"]

        assert import_suppressions(rows, foreign=True).accepted == 1

    def test_a_long_reason_is_cut(self):
        import_suppressions([{"phone": "0671112233", "reason": "x" * 300}])

        assert len(Suppression.objects.get().reason) == 255

    def test_nothing_of_a_broken_file_is_imported(self):
        rows = "".join(f"{phone(number)}\n" for number in range(6_000))
        with pytest.raises(UnreadableFileError, match="line 6002"):
            import_suppressions(csv_file(f'phone\n{rows}"open\n'))

        assert not Suppression.objects.exists()

    def test_statements_do_not_grow_with_the_rows(self):
        used = []
        for count in (10, 4_000):
            with CaptureQueriesContext(
                connection,
            ) as captured:
                import_suppressions([{"phone": phone(number)} for number in range(count)])
            used.append(len(captured))

        assert used[1] <= used[0] + 1


class ExportTests:
    def test_the_list_comes_back_unchanged(self):
        moment = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
        for number, reason in enumerate(NASTY):
            Suppression.objects.create(phone_number=phone(number), reason=reason.strip(), created_at=moment)
        before = the_list()

        for kind in ("csv", "xlsx"):
            content = b"".join(export_suppressions(kind))
            Suppression.objects.all().delete()
            report = import_suppressions(io.BytesIO(content))
            assert report.accepted == len(NASTY)
            assert the_list() == before

    def test_no_reason_can_become_a_formula(self):
        Suppression.objects.create(phone_number="380671112233", reason="=cmd|'/c calc'!A0")

        lines = b"".join(export_suppressions()).decode("utf-8-sig").splitlines()
        book = openpyxl.load_workbook(io.BytesIO(b"".join(export_suppressions("xlsx"))))

        assert lines[0] == "phone,Phone digits (Hyber),reason,added at"
        assert lines[1].startswith("'+380671112233,380671112233,'=cmd|'/c calc'!A0,")
        assert [(cell.data_type, cell.value) for cell in book.active[2]][:3] == [
            ("s", "+380671112233"),
            ("s", "380671112233"),
            ("s", "=cmd|'/c calc'!A0"),
        ]

    def test_memory_does_not_grow_with_the_list(self, monkeypatch):
        monkeypatch.setattr(export, "CHUNK", 200)
        peaks = []
        for count in (400, 1_600):
            import_suppressions([{"phone": phone(number)} for number in range(count)])
            tracemalloc.start()
            for _piece in export_suppressions():
                pass
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()

        assert peaks[1] < 1.5 * peaks[0]

    def test_what_does_not_fit_into_a_sheet_is_refused(self, monkeypatch):
        monkeypatch.setattr(XlsxFile, "most_rows", 2)
        for number in range(2):
            Suppression.objects.create(phone_number=phone(number))

        with pytest.raises(ExportError, match="Export the list as CSV"):
            export_suppressions("xlsx")

    def test_another_format_is_an_error(self):
        with pytest.raises(ValueError, match="csv or xlsx"):
            export_suppressions("ods")
