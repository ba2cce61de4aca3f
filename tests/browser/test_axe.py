"""The judge itself: an axe that finds nothing anywhere would let everything pass."""

from __future__ import annotations

import pytest

from tests.browser import axe

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_axe_itself_keeps_to_the_policy(open_admin, complaints):
    page = open_admin()
    page.goto("/admin/django_hyber/campaign/add/")

    axe.issues(page)

    assert complaints == []


def test_axe_finds_a_field_without_a_label_despite_the_strict_policy(open_page, complaints):
    page = open_page()
    page.goto("/admin/login/")
    assert axe.issues(page) == []

    page.evaluate("document.querySelector('label[for=id_username]').remove()")

    (issue,) = axe.issues(page)
    assert issue.startswith("critical label: ")
    assert "#id_username" in issue
    assert axe.issues(page, within="header") == []
    assert complaints == []
