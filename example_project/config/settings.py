"""Settings from the environment: a deployment sets those of deploy/shop.env, a trial on this machine needs none."""

from __future__ import annotations

from pathlib import Path

import django
import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
DEMO_DATABASE = BASE_DIR / "demo.sqlite3"

TRIAL_KEY = "only-for-trying-it-out"
SECRET_KEY = env.str("SECRET_KEY", default=TRIAL_KEY) or TRIAL_KEY
DEBUG = env.bool("DEBUG", default=SECRET_KEY == TRIAL_KEY)
if SECRET_KEY == TRIAL_KEY and not DEBUG:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Set it in the environment to a long random text, as in deploy/shop.env, or set DEBUG=on"
        " to try the project on this machine."
    )
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
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "static"))
# Images for messages, which anybody can see. Files with personal data are in the folder hyber-private beside this one.
MEDIA_URL = "media/"
MEDIA_ROOT = env.str("MEDIA_ROOT", default=str(BASE_DIR / "media"))
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
else:
    DATABASES["default"] |= {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}

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

SANDBOX_URL = env.str("SANDBOX_URL", default="http://127.0.0.1:8900/sandbox")
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

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
if not DEBUG:
    # deploy/nginx/shop.conf ends TLS and sets this header.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=30 * 24 * 60 * 60)
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    # Whether subdomains use HTTPS as well, only the owner of the domain knows.
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"django_hyber": {"handlers": ["console"], "level": env.str("HYBER_LOG_LEVEL", default="INFO")}},
}
