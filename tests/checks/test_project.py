from __future__ import annotations

import pytest
from django.core.checks import run_checks

from tests.checks.samples import GOOD, found

IMMEDIATE = "django.tasks.backends.immediate.ImmediateBackend"
WORKERS = "django_tasks_db.DatabaseBackend"
CELERY = "django_hyber.celery.backend.CeleryBackend"


@pytest.mark.parametrize("tasks", [None, {"default": {"BACKEND": IMMEDIATE}}])
def test_immediate_backend_outside_of_debug_is_warned_about(settings, tasks):
    settings.TASKS = tasks

    assert [message.id for message in found(settings)] == ["django_hyber.W012"]


def test_immediate_backend_is_fine_while_developing(settings):
    settings.TASKS = None
    settings.DEBUG = True

    assert found(settings) == []


@pytest.mark.parametrize("tasks", [{}, {"mail": {"BACKEND": WORKERS}}, {"default": None}, "django_tasks_db", []])
def test_tasks_without_the_backend_default_are_refused(settings, tasks):
    settings.TASKS = tasks
    (error,) = found(settings)

    assert (error.id, error.msg) == ("django_hyber.E017", 'TASKS has no backend "default": nothing can be sent.')
    assert error.hint


def test_tasks_without_the_queue_default_are_refused(settings):
    settings.TASKS = {"default": {"BACKEND": WORKERS, "QUEUES": ["mail"]}}
    (error,) = found(settings)

    assert (error.id, 'Add "default" to QUEUES' in error.hint) == ("django_hyber.E017", True)


@pytest.mark.parametrize("queues", [[], ["default"], ["mail", "default"]])
def test_queues_with_default_among_them_are_accepted(settings, queues):
    settings.TASKS = {"default": {"BACKEND": WORKERS, "QUEUES": queues}}

    assert found(settings) == []


@pytest.mark.parametrize(
    ("backend", "reason"),
    [
        ({}, "BACKEND"),
        ({"BACKEND": "django_tasks_db.Backend"}, "does not define"),
        ({"BACKEND": "django_tasks_bd.DatabaseBackend"}, "No module named 'django_tasks_bd'"),
    ],
)
def test_task_backend_that_cannot_be_loaded_is_refused(settings, backend, reason):
    settings.TASKS = {"default": backend}
    (error,) = found(settings)

    assert (error.id, reason in error.msg) == ("django_hyber.E017", True)


@pytest.mark.django_db
@pytest.mark.parametrize("app", ["shop.celery.app", "tests.celery.project", "tests.celery.project.none"])
def test_celery_app_that_cannot_be_imported_is_refused(settings, app):
    settings.TASKS = {"default": {"BACKEND": CELERY, "OPTIONS": {"app": app}}}
    settings.HYBER = {"default": GOOD}
    (error,) = [message for message in run_checks() if message.id == "django_hyber.E017"]

    assert repr(app) in error.msg
    assert "shop.celery.app" in error.hint


def test_celery_app_is_accepted(settings):
    settings.TASKS = {"default": {"BACKEND": CELERY}}

    assert found(settings) == []


@pytest.mark.django_db
def test_task_backend_whose_app_is_not_installed_is_refused_once(settings):
    settings.TASKS = {"default": {"BACKEND": WORKERS}}
    settings.HYBER = {"default": GOOD}
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "django_tasks_db"]
    (error,) = [message for message in run_checks() if "django_tasks_db" in str(message)]

    assert "INSTALLED_APPS" in error.hint


def test_storages_without_default_are_warned_about(settings):
    settings.STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    (warning,) = found(settings)

    assert (warning.id, "FileSystemStorage" in warning.hint) == ("django_hyber.W018", True)


def test_naive_times_are_refused(settings):
    settings.USE_TZ = False

    assert [message.id for message in found(settings)] == ["django_hyber.E013"]


def test_time_zone_of_the_project_has_to_be_known(settings):
    settings.TIME_ZONE = "Europe/Atlantis"
    (error,) = found(settings)

    assert (error.id, "'Europe/Atlantis'" in error.msg) == ("django_hyber.E015", True)


def test_machine_without_the_zones_of_phone_numbers_is_warned_about(settings, forget_zones):
    forget_zones(package=True)
    (warning,) = found(settings)

    assert warning.id == "django_hyber.W016"
    assert "such as Africa/Abidjan:" in warning.msg


def test_python_package_has_every_zone_that_the_machine_lacks(settings, forget_zones):
    forget_zones(package=False)

    assert found(settings) == []
