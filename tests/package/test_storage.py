"""Where files of people are kept: who can read them, and when they go."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from django.db import transaction
from django.utils import timezone

from django_hyber.checks.files import check_media_root
from django_hyber.db import stored_files
from django_hyber.db.stored_files import delete_orphans
from django_hyber.models import BackgroundJob, Campaign, Reply
from django_hyber.services import dispatch, keep_upload, request_job
from django_hyber.storage import hyber_storage, private_name

PRIVATE = "django_hyber.storage.PrivateFileSystemStorage"
IDS = ("django_hyber.E04", "django_hyber.W04")


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def campaign(transactional_db):
    return Campaign.objects.create(name="Sale")


def people():
    return ContentFile(b"phone,name\n380671234567,Olena\n", name="../people of Olena.CSV")


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def found():
    messages = run_checks(tags=["django_hyber"])
    assert all(message.hint for message in messages)
    return [message.id for message in messages if message.id.startswith(IDS)]


def use(settings, backend, **options):
    settings.STORAGES = {**settings.STORAGES, "hyber": {"BACKEND": backend, "OPTIONS": options}}


def in_folder_of(days_ago, kind="jobs"):
    day = timezone.now() - timedelta(days=days_ago)
    return f"hyber/{kind}/{day:%Y-%m-%d}/{'a' * 48}.csv"


class PlaceTests:
    def test_no_file_is_stored_below_the_media_folder(self, campaign, tmp_path):
        keep_upload(campaign, None, people())

        (path,) = files(tmp_path)
        assert path.is_relative_to(tmp_path / "hyber-private")

    def test_only_the_user_of_the_process_can_read_them(self, campaign, tmp_path):
        keep_upload(campaign, None, people())

        modes = {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "hyber-private").rglob("*") if path.is_dir()}
        assert modes == {"0o700"}
        assert oct((tmp_path / "hyber-private").stat().st_mode & 0o777) == "0o700"
        assert [oct(path.stat().st_mode & 0o777) for path in files(tmp_path)] == ["0o600"]

    def test_no_name_says_what_is_in_the_file(self, campaign, tmp_path):
        request_job(BackgroundJob.Kind.EXPORT, campaign, {"format": "csv"}, None)
        keep_upload(campaign, None, people())

        names = [path.relative_to(tmp_path / "hyber-private").as_posix() for path in files(tmp_path)]
        assert len(set(names)) == 2
        assert all(re.fullmatch(r"hyber/jobs/[0-9-]{10}/[0-9a-f]{48}\.csv", name) for name in names)

    @pytest.mark.parametrize(
        "given", ["", "x" * 999, "a.tar.gz~", "a.с", "a.exe\x00", "../../x.html/..", "a." + "y" * 99]
    )
    def test_a_strange_name_leaves_at_most_a_short_suffix(self, given):
        assert re.fullmatch(r"hyber/jobs/[0-9-]{10}/[0-9a-f]{48}(\.[a-z0-9]{1,5})?", private_name("jobs", given))

    def test_files_have_no_urls(self, campaign):
        job = keep_upload(campaign, None, people())

        with pytest.raises(ValueError, match="not accessible via a URL"):
            assert job.source.url

    def test_they_need_no_default_storage(self, campaign, settings, tmp_path):
        settings.STORAGES = {name: found for name, found in settings.STORAGES.items() if name != "default"}
        request_job(BackgroundJob.Kind.EXPORT, campaign, {"format": "csv"}, None)
        job = keep_upload(campaign, None, people())

        assert len(files(tmp_path)) == 2
        with job.source.open() as file:
            assert b"Olena" in file.read()

    def test_a_project_names_another_storage(self, campaign, settings, tmp_path):
        use(settings, "django.core.files.storage.InMemoryStorage")
        job = keep_upload(campaign, None, people())

        assert isinstance(hyber_storage(), InMemoryStorage)
        assert files(tmp_path) == []
        with job.source.open() as file:
            assert b"Olena" in file.read()


class CheckTests:
    def test_a_folder_beside_the_media_folder_is_good(self):
        assert found() == []

    def test_a_private_folder_of_ones_own_is_good(self, settings, tmp_path):
        settings.MEDIA_ROOT = ""
        use(settings, PRIVATE, location=str(tmp_path / "elsewhere"))

        assert found() == []

    @pytest.mark.parametrize("name", ["MEDIA_ROOT", "STATIC_ROOT"])
    def test_a_folder_that_is_served_is_refused(self, settings, tmp_path, name):
        setattr(settings, name, str(tmp_path / "served"))
        use(settings, PRIVATE, location=str(tmp_path / "served" / "deep" / ".." / "hyber"))

        assert found() == ["django_hyber.E041"]

    def test_a_link_into_the_media_folder_is_refused(self, settings, tmp_path):
        (tmp_path / "media").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "media")
        use(settings, PRIVATE, location=str(tmp_path / "link"))

        assert found() == ["django_hyber.E041"]

    def test_a_usual_folder_has_urls_and_other_readers(self, settings, tmp_path):
        use(settings, "django.core.files.storage.FileSystemStorage", location=str(tmp_path / "elsewhere"))

        assert found() == ["django_hyber.W042"]

    def test_without_media_root_the_place_is_a_chance(self, settings, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        settings.MEDIA_ROOT = ""

        assert found() == []
        assert [error.id for error in check_media_root()] == ["django_hyber.W043"]
        assert Path(hyber_storage().location) == tmp_path / "hyber-private"

    def test_a_place_where_nothing_can_be_written_is_told(self, settings, tmp_path):
        (tmp_path / "file").write_text("not a folder")
        settings.MEDIA_ROOT = tmp_path / "file" / "media"

        assert found() == ["django_hyber.W044"]

    def test_a_storage_that_does_not_exist_is_told(self, settings):
        use(settings, "shop.storage.Missing")

        assert found() == ["django_hyber.E040"]

    def test_such_a_storage_does_not_keep_the_project_from_starting(self, tmp_path):
        lines = ["from tests.settings import *", "from django.conf import global_settings"]
        lines.append("STORAGES = global_settings.STORAGES | {'hyber': {'BACKEND': 'shop.storage.Missing'}}")
        (tmp_path / "broken.py").write_text("\n".join(lines))
        path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
        command = [sys.executable, "-m", "django", "check", "--settings", "broken"]
        ended = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
        )

        assert "django_hyber.E040" in ended.stderr
        assert "Traceback" not in ended.stderr

    def test_another_kind_of_storage_is_the_projects_own_care(self, settings):
        use(settings, "django.core.files.storage.InMemoryStorage")

        assert found() == []


class LifeTests:
    def test_files_go_with_their_campaign(self, campaign, tmp_path):
        keep_upload(campaign, None, people())
        request_job(BackgroundJob.Kind.EXPORT, campaign, {"format": "csv"}, None)
        campaign.delete()

        assert files(tmp_path) == []

    def test_attachments_go_with_their_reply(self, transactional_db, tmp_path):
        reply = Reply.objects.create(account="default", fingerprint="1", raw={})
        reply.media_file.save("photo.jpg", ContentFile(b"photo"))
        reply.save()
        reply.delete()

        assert files(tmp_path) == []

    def test_files_stay_if_the_deletion_is_rolled_back(self, campaign, tmp_path):
        keep_upload(campaign, None, people())
        with transaction.atomic():
            campaign.delete()
            transaction.set_rollback(True)

        assert len(files(tmp_path)) == 1

    def test_an_orphan_is_swept(self, campaign, tmp_path):
        hyber_storage().save(in_folder_of(3), ContentFile(b"380671234567"))
        dispatch()

        assert files(tmp_path) == []

    def test_every_folder_has_its_turn(self, db, tmp_path, monkeypatch):
        for day in range(3, 8):
            hyber_storage().save(in_folder_of(day, "replies"), ContentFile(b"380671234567"))
        for minute in range(5):
            monkeypatch.setattr(stored_files.time, "time", lambda now=60 * minute: now)
            stored_files.delete_some_orphans()
        monkeypatch.undo()
        delete_orphans()

        assert files(tmp_path) == []
        assert list((tmp_path / "hyber-private" / "hyber" / "replies").iterdir()) == []

    def test_what_has_a_row_or_is_new_is_no_orphan(self, campaign, tmp_path):
        job = keep_upload(campaign, None, people())
        name = in_folder_of(3)
        for kept in (name, in_folder_of(0), in_folder_of(1)):
            hyber_storage().save(kept, ContentFile(b"380671234567"))
        BackgroundJob.objects.filter(pk=job.pk).update(produced=name)

        assert delete_orphans() == 0
        assert len(files(tmp_path)) == 4

    def test_the_file_of_an_attempt_that_was_cut_off_is_replaced(self, campaign, tmp_path):
        job = request_job(BackgroundJob.Kind.EXPORT, campaign, {"format": "csv"}, None)
        BackgroundJob.objects.update(
            state="running", finished_at=None, lease_until=timezone.now() - timedelta(minutes=1)
        )
        dispatch()

        job.refresh_from_db()
        assert (job.state, job.attempts) == ("done", 2)
        assert [path.name for path in files(tmp_path)] == [Path(job.produced.name).name]
