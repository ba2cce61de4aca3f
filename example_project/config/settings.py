"""Works with no environment at all: SQLite beside this project, and the sandbox as the platform."""

from __future__ import annotations

from pathlib import Path

import django
import environ

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
DEMO_DATABASE = BASE_DIR / "demo.sqlite3"

DEBUG = env.bool("DEBUG", default=True)
SECRET_KEY = env.str("SECRET_KEY", default="only-for-trying-it-out")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_hyber",
    "shop",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
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
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
STATIC_URL = "static/"
# Files of recipients wait here until they are imported, and no URL leads to them.
MEDIA_ROOT = BASE_DIR / "media"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

USE_TZ = True
TIME_ZONE = "Europe/Kyiv"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("uk", "Українська")]

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DEMO_DATABASE}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Web server and sweeps write at the same time: readers never wait, and one writer waits for the other.
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
    }

# Django 6 has the Tasks framework built in; on 5.2 it comes from the package django-tasks.
TASKS_PACKAGE = "django.tasks"
if django.VERSION < (6, 0):
    INSTALLED_APPS.append("django_tasks")
    TASKS_PACKAGE = "django_tasks"
TASKS = {"default": {"BACKEND": f"{TASKS_PACKAGE}.backends.immediate.ImmediateBackend"}}
#: The database backend wants a worker: manage.py db_worker. Then no web request waits for the platform.
DB_WORKER = env.bool("DB_WORKER", default=False)
if DB_WORKER:
    INSTALLED_APPS.append("django_tasks_db")
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

SANDBOX_URL = env.str("SANDBOX_URL", default="http://127.0.0.1:8800/sandbox")
SANDBOX_ACCOUNT = {
    "CLIENT_ID": "sandbox",
    "LOGIN": "sandbox",
    "PASSWORD": "sandbox",
    "API_URL": SANDBOX_URL,
    "BULK_URL": SANDBOX_URL,
    "REPORTS_URL": SANDBOX_URL,
    "CALLBACK_BASE_URL": "http://127.0.0.1:8000",
    "CALLBACK_TOKENS": ["only-for-the-sandbox"],
    # The sandbox's own code for "seen"; the real platform has others.
    "SEEN_CODES": [23099],
}
# With HYBER_CLIENT_ID in the environment the whole account is read from there: HYBER_LOGIN, HYBER_PASSWORD and so on.
HYBER = {"default": {} if "HYBER_CLIENT_ID" in env else SANDBOX_ACCOUNT}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"django_hyber": {"handlers": ["console"], "level": env.str("HYBER_LOG_LEVEL", default="INFO")}},
}
