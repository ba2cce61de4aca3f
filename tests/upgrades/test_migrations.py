from __future__ import annotations

import io

import pytest
from django.core.management import call_command

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("language", ["en", "uk"])
@pytest.mark.parametrize("auto_field", ["django.db.models.AutoField", "django.db.models.BigAutoField", None])
@pytest.mark.parametrize("hyber", [{}, {"default": {"DEFAULT_REGION": None, "BATCH_SIZE": 7}, "promo": {"SITE": "x"}}])
def test_no_setting_makes_django_want_a_migration(settings, language, auto_field, hyber):
    settings.LANGUAGE_CODE = language
    settings.HYBER = hyber
    if auto_field is None:
        del settings.DEFAULT_AUTO_FIELD
    else:
        settings.DEFAULT_AUTO_FIELD = auto_field

    call_command("makemigrations", "django_hyber", check=True, dry_run=True, stdout=io.StringIO())
