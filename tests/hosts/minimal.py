"""A project without Django's admin, sessions and messages, and without most of its middleware."""

from __future__ import annotations

from tests.hosts.database import DATABASE
from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

DATABASES = {"default": DATABASE}
UNUSED = {"admin", "messages", "sessions", "staticfiles"}
INSTALLED_APPS = [app for app in INSTALLED_APPS if app.rpartition(".")[2] not in UNUSED]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
ROOT_URLCONF = "tests.hosts.minimal_urls"
