"""A login that expires while a form is being filled: nothing that was typed is lost."""

from __future__ import annotations

import pytest
from django.conf import settings

from django_hyber.models import Campaign, Suppression, Template, TestNumber
from tests.browser.views import wait_until_forgotten

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
NUMBER = "+380 67 123 45 67"
FORMS = [
    ("campaign", {"name": "Spring sale"}, Campaign),
    ("template", {"code": "order-shipped", "name": "Order shipped"}, Template),
    ("suppression", {"phone_number": NUMBER, "reason": "By phone"}, Suppression),
    ("testnumber", {"phone_number": NUMBER, "name": "Olena"}, TestNumber),
]


@pytest.mark.parametrize(("page", "typed", "model"), FORMS, ids=[name for name, _typed, _model in FORMS])
def test_form_is_saved_after_the_next_login(open_admin, complaints, page, typed, model):
    tab = open_admin()
    tab.goto(f"/admin/django_hyber/{page}/add/")
    for name, value in typed.items():
        tab.fill(f"#id_{name}", value)
    tab.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    tab.locator("[name=_save]").click()
    tab.fill("#id_username", "admin")
    tab.fill("#id_password", "password")
    tab.get_by_role("button", name="Log in").click()
    assert not model.objects.exists()
    tab.get_by_role("button", name="Save these changes").click()
    tab.get_by_text("was added successfully").wait_for()

    wait_until_forgotten(tab)
    assert model.objects.count() == 1
    assert complaints == []
