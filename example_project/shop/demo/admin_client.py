"""The admin as a person uses it, without a browser: real pages, real forms, real cookies."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import requests

TIMEOUT = 120
NOT_SENT = {"submit", "button", "image", "reset", "file"}
Channel = tuple[str, Mapping[str, str]]


class AdminRefused(Exception):  # noqa: N818 - says what happened
    """A page did not do what was asked; the text holds what it said."""


@dataclass(kw_only=True)
class Form:
    """A form of a page, with the values that it would send now."""

    action: str
    values: dict[str, str] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)


class FormParser(HTMLParser):
    """Collects the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._select = ""
        self._textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(action=given.get("action", "")))
        elif self.forms and tag in {"input", "select", "textarea", "option"}:
            getattr(self, f"_read_{tag}")(self.forms[-1], given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.forms[-1].values[self._textarea] += data

    def _read_input(self, form: Form, given: Mapping[str, str]) -> None:
        kind, name = given.get("type", "text"), given.get("name", "")
        if kind == "file":
            form.files.add(name)
        elif name and kind not in NOT_SENT and (kind not in {"checkbox", "radio"} or "checked" in given):
            form.values[name] = given.get("value", "")

    def _read_select(self, form: Form, given: Mapping[str, str]) -> None:
        self._select = given.get("name", "")

    def _read_option(self, form: Form, given: Mapping[str, str]) -> None:
        if self._select and ("selected" in given or self._select not in form.values):
            form.values[self._select] = given.get("value", "")

    def _read_textarea(self, form: Form, given: Mapping[str, str]) -> None:
        self._textarea = given.get("name", "")
        form.values[self._textarea] = ""


class AdminClient:
    """A person at the admin of the site that starts at ``origin``."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.session = requests.Session()

    def log_in(self, username: str, password: str) -> None:
        page = self._open("/admin/login/?next=/admin/")
        page = self._submit(page, "password", {"username": username, "password": password})
        if page.url.endswith("/login/"):
            raise AdminRefused(_explain("The admin did not let the demo in", page))

    def add_campaign(self, name: str, channels: Sequence[Channel]) -> int:
        """Fill in the form of a new campaign, save it and return its primary key."""
        page = self._open("/admin/django_hyber/campaign/add/")
        values = {"name": name, "channels-TOTAL_FORMS": str(len(channels)), "_continue": "1"}
        for row, (channel, options) in enumerate(channels):
            fields = {"channel": channel, "position": str(row), **options}
            values |= {f"channels-{row}-{option}": value for option, value in fields.items()}
        page = self._submit(page, "name", values)
        found = re.search(r"/campaign/(\d+)/change/$", page.url)
        if not found:
            raise AdminRefused(_explain("The campaign was not saved", page))
        return int(found[1])

    def import_recipients(self, campaign: int, content: bytes) -> int:
        """Upload a file, take its columns for what they seem to be, and return how many of its rows were accepted."""
        page = self._open(f"/admin/django_hyber/campaign/{campaign}/import/")
        page = self._submit(page, "file", {}, content)
        page = self._submit(page, "use-0", {})
        page = self._await_import(page)
        found = re.search(r'data-count="accepted" data-number="(\d+)"', page.text)
        if not found:
            raise AdminRefused(_explain("The recipients were not imported", page))
        return int(found[1])

    def _await_import(self, page: requests.Response) -> requests.Response:
        """Look at the page of an import until it has ended: large files are imported in the background."""
        deadline = time.monotonic() + TIMEOUT
        while re.search(r'data-refresh="\d', page.text) and time.monotonic() < deadline:
            time.sleep(0.2)
            page = self._open(page.url)
        return page

    def send(self, campaign: int) -> None:
        """Confirm the sending of a campaign."""
        page = self._open(f"/admin/django_hyber/campaign/{campaign}/preflight/")
        page = self._submit(page, "post", {})
        if 'class="success"' not in page.text:
            raise AdminRefused(_explain("The campaign was not sent", page))

    def _open(self, path: str) -> requests.Response:
        return _checked(self.session.get(urljoin(self.origin, path), timeout=TIMEOUT))

    def _submit(
        self, page: requests.Response, having: str, values: Mapping[str, str], content: bytes | None = None
    ) -> requests.Response:
        """Send the form that has a field of this name."""
        form = _find_form(page, having)
        arguments: dict[str, Any] = {"data": {**form.values, **values}}
        if content is not None:
            arguments["files"] = {having: ("recipients.csv", content, "text/csv")}
        url = urljoin(page.url, form.action)
        return _checked(self.session.post(url, headers={"Referer": page.url}, timeout=TIMEOUT, **arguments))


def _find_form(page: requests.Response, having: str) -> Form:
    parser = FormParser()
    parser.feed(page.text)
    for form in parser.forms:
        if having in form.values or having in form.files:
            return form
    raise AdminRefused(_explain(f"No form with the field {having!r}", page))


def _checked(page: requests.Response) -> requests.Response:
    if not page.ok:
        raise AdminRefused(f"{page.url} answered HTTP {page.status_code}.")
    return page


def _explain(what: str, page: requests.Response) -> str:
    notes = re.findall(
        r'class="(?:errornote|errorlist|error|warning)[^"]*"[^>]*>(.*?)</(?:p|ul|li|div)>', page.text, re.DOTALL
    )
    said = " ".join(unescape(re.sub(r"<[^>]+>", " ", " ".join(notes))).split())
    return f"{what} ({page.url}): {said or 'the page does not say why.'}"
