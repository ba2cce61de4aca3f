from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.browser.csp import POLICY, with_strict_policy

ARTIFACTS = Path(__file__).resolve().parents[2] / "test-artifacts"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


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
def open_page(chromium, live_server, strict_policy, complaints):
    """Open a page of a project with a strict content policy; the arguments are those of a browser context."""
    contexts = []

    def open_page(**options):
        context = chromium.new_context(
            base_url=live_server.url, **{"viewport": {"width": 1280, "height": 900}, "locale": "en-US", **options}
        )
        context.route("**/favicon.ico", lambda route: route.fulfill(status=204))
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def snap():
    ARTIFACTS.mkdir(exist_ok=True)

    def snap(page, name):
        page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)

    return snap
