"""A login that expires while a page is open: nothing that was typed is lost, and every button can be pressed again."""

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


def log_in(tab):
    tab.fill("#id_username", "admin")
    tab.fill("#id_password", "password")
    tab.press("#id_password", "Enter")


@pytest.mark.parametrize(("page", "typed", "model"), FORMS, ids=[name for name, _typed, _model in FORMS])
def test_form_is_saved_after_the_next_login(open_admin, complaints, page, typed, model):
    tab = open_admin()
    tab.goto(f"/admin/django_hyber/{page}/add/")
    for name, value in typed.items():
        tab.fill(f"#id_{name}", value)
    tab.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    tab.locator("[name=_save]").click()
    log_in(tab)
    assert not model.objects.exists()
    tab.get_by_role("button", name="Save these changes").click()
    tab.get_by_text("was added successfully").wait_for()

    wait_until_forgotten(tab)
    assert model.objects.count() == 1
    assert complaints == []


def test_button_that_was_pressed_too_late_is_there_again_after_the_next_login(open_admin, complaints):
    campaign = Campaign.objects.create(name="Spring sale")
    Campaign.objects.update(status="sending")
    tab = open_admin("uk")
    tab.goto(f"/admin/django_hyber/campaign/{campaign.pk}/change/")
    tab.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    tab.get_by_role("button", name="Призупинити").click()
    log_in(tab)

    tab.get_by_text("Ще нічого не зроблено. Натисніть кнопку ще раз.").wait_for()
    assert Campaign.objects.get().status == "sending"
    tab.get_by_role("button", name="Призупинити").click()
    tab.get_by_text("призупинено").first.wait_for()
    assert Campaign.objects.get().status == "paused"
    assert complaints == []
