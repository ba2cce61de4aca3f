from __future__ import annotations

from django.core.checks import run_checks

GOOD = {
    "CLIENT_ID": "1234",
    "LOGIN": "shop",
    "PASSWORD": "secret-word",
    "CALLBACK_BASE_URL": "https://shop.example",
    "CALLBACK_TOKENS": ["current-token-0123456789"],
}


def found(settings, **changes):
    """The messages about a good account with these changes."""
    settings.HYBER = {"default": GOOD | changes}
    return run_checks(tags=["django_hyber"])
