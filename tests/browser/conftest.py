from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from tests.browser.csp import POLICY, with_strict_policy
from tests.browser.views import LOCALES, VIEWS

ARTIFACTS = Path(__file__).resolve().parents[2] / "test-artifacts"
#: The one without a window does half the work.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nobody looks at what more processes and threads would draw sooner, nor at what moves.
    "--in-process-gpu",
    "--num-raster-threads=1",
    "--animation-duration-scale=0",
    "--force-prefers-reduced-motion",
]
#: Milliseconds. A page that follows something asks more seldom the longer it lasts, and the slower the server is.
LONGEST_WAIT = 90_000
HAS_FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session", autouse=True)
def database_before_the_server(django_db_setup):
    """A server that starts before the test database is there would share one connection among all its threads."""


@pytest.fixture(scope="session")
def chromium():
    if CHROMIUM is None:
        pytest.skip("There is no Chromium on this machine.")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS, headless=True)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def find_page(chromium, live_server):
    """The page of a browser with these options. To open one costs more than most tests, so that they take turns."""
    pages = {}

    def find_page(**options):
        key = tuple(options.items())
        if key not in pages:
            context = chromium.new_context(base_url=live_server.url, **options)
            context.set_default_timeout(LONGEST_WAIT)
            pages[key] = context.new_page()
        return pages[key]

    yield find_page
    for page in pages.values():
        page.context.close()


@pytest.fixture
def complaints():
    """What the browser has logged as an error, violations of the content policy among it."""
    return []


@pytest.fixture
def strict_policy(live_server):
    server = live_server.thread.httpd
    application = server.get_app()
    server.set_app(with_strict_policy(application))
    yield POLICY
    server.set_app(application)


@pytest.fixture
def open_page(find_page, strict_policy, complaints, request):
    """Open a page of a project with a strict content policy, with nobody logged in. A test has one of a kind.

    A test that fails leaves a picture of what it had before it.
    """
    pages = []

    def on_console(message):
        if message.type == "error":
            complaints.append(message.text)

    def on_error(error):
        complaints.append(str(error))

    def open_page(language="en", view=None, *, java_script_enabled=True):
        page = find_page(locale=LOCALES[language], java_script_enabled=java_script_enabled)
        width, theme = view or VIEWS[language]
        page.set_viewport_size(width)
        page.emulate_media(color_scheme=theme)
        page.on("console", on_console)
        page.on("pageerror", on_error)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        if request.node.stash[HAS_FAILED]:
            page.screenshot(path=ARTIFACTS / f"{request.node.name}.png", full_page=True)
        page.remove_listener("console", on_console)
        page.remove_listener("pageerror", on_error)
        page.unroute_all()
        page.evaluate("sessionStorage.clear()")
        # Nothing may go on asking the server when the rows of the test are gone.
        page.goto("about:blank")
        page.context.clear_cookies()


@pytest.fixture
def open_admin(open_page, live_server, admin_user):
    """Open a page like ``open_page``, with the administrator logged in."""

    def open_admin(*arguments, **options):
        page = open_page(*arguments, **options)
        client = Client()
        client.force_login(admin_user)
        name = settings.SESSION_COOKIE_NAME
        page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
        return page

    return open_admin


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    item.stash[HAS_FAILED] = item.stash.get(HAS_FAILED, False) or report.failed
    return report
