from __future__ import annotations

import sys

import django
import pytest
from django.core.exceptions import ImproperlyConfigured

import django_hyber
from django_hyber.apps import HyberConfig


@pytest.fixture
def no_backport(monkeypatch):
    monkeypatch.setitem(sys.modules, "django_tasks", None)


def test_missing_backport_of_tasks_is_named_on_django_5(monkeypatch, no_backport):
    monkeypatch.setattr(django, "VERSION", (5, 2, 0, "final", 0))

    with pytest.raises(ImproperlyConfigured, match=r"django-hyber\[django52\]"):
        HyberConfig("django_hyber", django_hyber)


def test_django_6_needs_no_backport_of_tasks(monkeypatch, no_backport):
    monkeypatch.setattr(django, "VERSION", (6, 0, 0, "final", 0))

    assert HyberConfig("django_hyber", django_hyber).name == "django_hyber"
