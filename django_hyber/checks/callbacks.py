"""Whether the platform can call back: the address and its token, and the settings of Django that could refuse it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  Django's own name
from django.http.request import split_domain_port, validate_host
from django.urls import NoReverseMatch

from django_hyber import outbox
from django_hyber.conf import Account
from django_hyber.conf.addresses import get_callback_url

MAX_CALLBACK_URL = 256
MIN_TOKEN_LENGTH, MIN_DIFFERENT_CHARACTERS = 20, 8
TOKEN_ALPHABET = re.compile(r"[A-Za-z0-9_-]+")
#: Parts of tokens that were copied from documentation or meant to be replaced.
PLACEHOLDERS = (
    *("changeme", "changethis", "replaceme", "replacethis", "placeholder", "tokenofyourown", "longrandomtoken"),
    *("randomtoken", "secrettoken", "yourtoken", "mytoken", "callbacktoken", "insecure", "password", "qwerty"),
)
#: The hosts that Django allows while developing, if ALLOWED_HOSTS is empty.
HOSTS_OF_DEVELOPMENT = [".localhost", "127.0.0.1", "[::1]"]


def check_callbacks(account: Account) -> Iterator[CheckMessage]:
    """Check the callback settings of an account."""
    yield from _check_tokens(account)
    if any(network.prefixlen == 0 for network in account.callback_proxies):
        yield Error(
            f"HYBER[{account.name!r}]['CALLBACK_PROXIES'] trusts every address: anyone who sends the header "
            "X-Forwarded-For passes CALLBACK_NETWORKS.",
            hint="List the addresses of your proxies only.",
            id="django_hyber.E034",
        )
    tokens = [token for token in account.callback_tokens if _weakness(token) is None]
    if not account.callback_base_url or not tokens:
        return
    try:
        urls = [get_callback_url(account, token) for token in tokens]
    except NoReverseMatch:
        yield Error(
            "The callback URLs of django-hyber are not in the URLconf.",
            hint='Add path("hyber/", include("django_hyber.urls")) to ROOT_URLCONF.',
            id="django_hyber.E008",
        )
        return
    longest = max(map(len, urls))
    if longest > MAX_CALLBACK_URL:
        yield Error(
            f"The callback URL of HYBER[{account.name!r}] has {longest} characters; the platform accepts 256.",
            hint="Shorten CALLBACK_BASE_URL, the path of the include or the token.",
            id="django_hyber.E009",
        )
    yield from _check_path(account, urls[0])
    yield from _check_redirects(account, urls[0])
    yield from _check_host(account)


def _check_tokens(account: Account) -> Iterator[CheckMessage]:
    create = "Create one with: python -c 'import secrets; print(secrets.token_urlsafe(24))'"
    if account.callback_base_url and not account.callback_tokens:
        yield Error(
            f"HYBER[{account.name!r}] has CALLBACK_BASE_URL but no CALLBACK_TOKENS: every callback would be rejected.",
            hint=create,
            id="django_hyber.E005",
        )
    for position, token in enumerate(account.callback_tokens, start=1):
        weakness = _weakness(token)
        if weakness:
            yield Error(
                f"HYBER[{account.name!r}]['CALLBACK_TOKENS']: token {position} {weakness}. Anyone who guesses it can "
                "forge reports.",
                hint=create,
                id="django_hyber.E006",
            )


def _weakness(token: str) -> str | None:
    """Return what makes a token easy to guess or unsafe in a URL. The token itself is not repeated."""
    letters = re.sub(r"[^a-z]", "", token.lower())
    if len(token) < MIN_TOKEN_LENGTH:
        return f"has {len(token)} characters; at least {MIN_TOKEN_LENGTH} are required"
    if not TOKEN_ALPHABET.fullmatch(token):
        return "has characters other than A-Z, a-z, 0-9, - and _"
    if len(set(token)) < MIN_DIFFERENT_CHARACTERS:
        return f"has fewer than {MIN_DIFFERENT_CHARACTERS} different characters"
    if token in (token + token)[1:-1]:
        return "repeats a shorter text"
    if any(placeholder in letters for placeholder in PLACEHOLDERS):
        return "is an example that was to be replaced"
    return None


def _check_path(account: Account, url: str) -> Iterator[CheckMessage]:
    """Warn about a base that already has a part of what is added to it: nothing would be served there."""
    base = account.callback_base_url.rstrip("/")
    if set(urlsplit(base).path.split("/")[1:]) & set(url.removeprefix(base).split("/")):
        path = urlsplit(url).path
        for token in account.callback_tokens:
            path = path.replace(token, "<token>")
        yield Warning(
            f"A part of the path of HYBER[{account.name!r}]['CALLBACK_BASE_URL'] is added to it again: reports are "
            f"sent to {path}.",
            hint="Set only the public origin of the project, as in https://shop.example. A path belongs to it only if "
            "the web server removes it.",
            id="django_hyber.W045",
        )


def _check_redirects(account: Account, url: str) -> Iterator[CheckMessage]:
    """The platform sends a POST and is not known to follow redirects: a report that is redirected is lost."""
    parts = urlsplit(url)
    place = f"HYBER[{account.name!r}]['CALLBACK_BASE_URL']"
    if parts.scheme == "http":
        path = parts.path.lstrip("/")
        is_exempt = any(re.search(pattern, path) for pattern in settings.SECURE_REDIRECT_EXEMPT)
        if settings.SECURE_SSL_REDIRECT and not is_exempt:
            yield Error(
                f"{place} begins with http://, and SECURE_SSL_REDIRECT redirects every report.",
                hint="Use https:// in CALLBACK_BASE_URL.",
                id="django_hyber.E020",
            )
        elif not settings.DEBUG and not outbox.is_active():
            yield Warning(
                f"{place} begins with http://: phone numbers, answers and the token are sent unencrypted.",
                hint="Use https:// in CALLBACK_BASE_URL.",
                id="django_hyber.W022",
            )
    if settings.PREPEND_WWW and not (parts.hostname or "").startswith("www."):
        yield Error(
            f"{place} does not begin with www., and PREPEND_WWW redirects every report.",
            hint=f"Use {parts.scheme}://www.{parts.netloc} in CALLBACK_BASE_URL, or turn PREPEND_WWW off.",
            id="django_hyber.E020",
        )


def _check_host(account: Account) -> Iterator[CheckMessage]:
    # For tests Django turns DEBUG off and allows its own host, and nothing is sent that could be called back.
    if outbox.is_active():
        return
    domain, _port = split_domain_port(urlsplit(account.callback_base_url).netloc)
    allowed = settings.ALLOWED_HOSTS or (HOSTS_OF_DEVELOPMENT if settings.DEBUG else [])
    if not domain or not validate_host(domain, allowed):
        yield Error(
            f"ALLOWED_HOSTS does not contain the host of HYBER[{account.name!r}]['CALLBACK_BASE_URL']: every report "
            "would be answered with HTTP 400.",
            hint=f"Add {domain!r} to ALLOWED_HOSTS.",
            id="django_hyber.E021",
        )
