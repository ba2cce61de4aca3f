"""The smallest Django project that the reference pages are read from."""

from __future__ import annotations

import django
from django.conf import settings

if not settings.configured:
    settings.configure(
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "rest_framework",
            "django_hyber",
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        HYBER={"default": {}},
        LANGUAGE_CODE="en",
        USE_TZ=True,
    )
    django.setup()
