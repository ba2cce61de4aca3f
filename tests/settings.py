"""The least that the app needs. The database is SQLite unless DATABASE_URL names another."""

from __future__ import annotations

from pathlib import Path

import django
import environ

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "only-for-the-tests"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.urls"
USE_TZ = True
TIME_ZONE = "Europe/Kyiv"
LANGUAGE_CODE = "en"
STATIC_URL = "static/"
# Tests run in several processes at once, each with a database and files of its own, and so may several runs be.
RUN = env.str("TOX_ENV_NAME", default="local")
MEDIA_ROOT = BASE_DIR.parent / "test-artifacts" / "media" / RUN / env.str("PYTEST_XDIST_WORKER", default="alone")
# A good hash takes half a second for every user that a test makes.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_tasks_db",
    "django_hyber",
    "tests.store",
]
if django.VERSION < (6, 0):
    INSTALLED_APPS.append("django_tasks")

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'unused.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, so that server and worker processes of the tests see the same rows; one writer waits for the other. Tests
    # kill processes, never the machine: nothing has to reach the disk.
    DATABASES["default"]["TEST"] = {"NAME": str(BASE_DIR / f"test-{RUN}.sqlite3")}
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF",
    }
else:
    DATABASES["default"]["TEST"] = {"NAME": f"test_hyber_{RUN}"}
if DATABASES["default"]["ENGINE"].endswith("postgresql"):
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("options", "-c synchronous_commit=off")

# The sandbox answers, over real HTTP.
HYBER_TESTING = "wire"
HYBER = {
    "default": {
        "CLIENT_ID": "sandbox",
        "LOGIN": "sandbox",
        "PASSWORD": "sandbox-password",
        "CALLBACK_BASE_URL": "https://shop.example",
        "CALLBACK_TOKENS": ["current-token-0123456789", "previous-token-0123456789"],
    }
}

REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}

# Since Django 6.1; others ignore it.
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
