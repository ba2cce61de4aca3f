"""What comes from outside is text on every page: never markup, a statement of the database, a header or a template.

Each injection is planted in every column that a page of the admin reads, then every address is visited.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.core.files.base import ContentFile
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from django_hyber.models import (
    AccountState,
    BackgroundJob,
    Batch,
    Campaign,
    DeliveryReport,
    FormerOptOut,
    Message,
    Reply,
    StatusCode,
    Suppression,
    TemplateVariant,
    TestNumber,
    UnreadableCallback,
)
from django_hyber.protocol import Viber
from tests.admin.test_every_address import ADDRESSES, content_of, rows, scene, stage  # noqa: F401
from tests.admin.test_masks_hold import usual_addresses

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
MARKUP = [
    *("<x1>", '"><x2>', "'><x3>", '" onx4=1 x="', "' onx5=1 x='", "</script><x6>", "</title><x7>", "</textarea><x8>"),
    *(
        "--><x9>",
        "]]><x10>",
        "&lt;x11&gt;",
        "\\u003cx12\\u003e",
        "javascript:x13()",
        "{{7|add:70007000}}",
        "{% now 'Y' %}x15",
    ),
    *("＜x17＞", "<x18/onx18=1>", "`><x19>", "\x0b<x20>"),
]
STATEMENTS = [
    *(
        "'",
        '"',
        "' OR '1'='1",
        "1; DROP TABLE django_hyber_message; --",
        "') UNION SELECT 1 --",
        "%' --",
        "\\",
        "`",
        "\x00",
    ),
    *("1/*", "%", "_", "${1}", "$$", "😀", "9" * 400, "-1", "1e400", "NaN", "١"),
]


class Page(HTMLParser):
    """Reads a page as a browser does, and collects what an injection would have made of it."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        names = [tag, *(name for name, _value in attrs)]
        self.found += [name for name in names if re.match(r"(on)?x\d", name)]
        links = [value or "" for name, value in attrs if name in ("href", "src", "action", "formaction")]
        self.found += [link for link in links if re.match(r"\W*(javascript|data|vbscript):", link, re.IGNORECASE)]


def injected_into(text):
    return Page(text).found + [mark for mark in ("70007007",) if mark in text]


def plant(scene, injection):  # noqa: F811
    """Put the injection wherever a page takes a text from."""
    now, about = timezone.now(), {"account": "default"}
    number = {"phone_number": "380931239876"}
    short = injection[:64]
    Campaign.objects.update(
        name=injection, tag=short, status_reason=injection, approval_note=injection, approval_by=injection
    )
    scene.campaign.variable_defaults = {"name": injection}
    scene.campaign.save()
    scene.campaign.set_channels([Viber(text=f"{injection} %name%", ttl=60)])
    scene.campaign.messages.update(variables={"name": injection}, error_text=injection, answer_text=injection)
    content = {
        "channels": ["viber"],
        "channel_options": {"viber": {"text": injection, "ttl": 60, "caption": injection}},
    }
    Message.objects.create(
        extra_id=short, content=content, status="rejected", error_text=injection, **number, **about, message_id=short
    )
    raw = {"number": injection, injection: [injection]}
    message = scene.campaign.messages.get()
    DeliveryReport.objects.create(
        fingerprint="1", message=message, raw=raw, extra_id=short, channel=short[:16], **about
    )
    Reply.objects.update(text=injection, file_name=injection, location=injection, raw=raw, media_url=injection)
    scene.reply.refresh_from_db()
    Suppression.objects.create(reason=injection, added_by=injection[:150], **number)
    FormerOptOut.objects.create(reason=injection, created_at=now, ended_at=now, **number)
    UnreadableCallback.objects.create(kind="reports", body=injection, reason=injection, **about)
    Batch.objects.create(
        campaign=scene.campaign, first_id=1, last_id=1, size=1, run=9, state="failed", error_text=injection
    )
    AccountState.objects.create(failures=9, reason=injection, blocked_until=now, **about)
    TestNumber.objects.create(name=injection, **number)
    StatusCode.objects.create(code=23077, name=injection, **about)
    TemplateVariant.objects.update(approved_text=injection)
    for kind in ("check", "export", "import"):
        values = {"kind": kind, "state": "failed", "error_text": injection, "finished_at": now}
        BackgroundJob.objects.create(campaign=scene.campaign, parameters={"file_name": f"{injection}.csv"}, **values)


def pages(scene, stage, client):  # noqa: F811
    """Every page of the admin, with its address."""
    for url in usual_addresses():
        yield url, client.get(url, follow=True)
    for name, address in ADDRESSES.items():
        if address.looks != 405:
            with transaction.atomic():
                stage(name)
                url = scene.url(name)
                yield url, client.get(url, follow=True)
                transaction.set_rollback(True)
            scene.campaign.refresh_from_db()


@pytest.mark.parametrize("injection", [" ".join(MARKUP[first::5]) for first in range(5)], ids=range(5))
def test_no_text_becomes_markup(scene, stage, admin_client, injection):  # noqa: F811
    plant(scene, injection)
    found = {}
    for url, page in pages(scene, stage, admin_client):
        assert page.status_code in (200, 403, 404), url
        content = content_of(page)
        if page["Content-Type"].startswith("text/html"):
            found[url] = injected_into(content.decode())

    assert {url: marks for url, marks in found.items() if marks} == {}
    assert len(found) > len(ADDRESSES) / 2


def test_no_search_or_filter_becomes_a_statement(scene, admin_client):  # noqa: F811
    before = rows()
    models = (Campaign, Message, Batch, DeliveryReport, Reply, Suppression, FormerOptOut, UnreadableCallback)
    for model in models:
        url = reverse(f"admin:django_hyber_{model._meta.model_name}_changelist")
        names = ("o", "p", "id", "status", "account", "campaign")
        asked = [("q", statement) for statement in STATEMENTS]
        asked += [(name, statement) for name in names for statement in STATEMENTS[:4]]
        for name, statement in asked:
            answer = admin_client.get(url, {name: statement})
            assert answer.status_code in (200, 302, 400), (url, name, statement)

    assert rows() == before


@pytest.mark.parametrize(
    "name",
    [
        "x\r\nSet-Cookie: a=1",
        'a";filename="b.html',
        "../../etc/passwd",
        "a.html",
        "a\x07.exe",
        "\u202egnp.exe",
        "con",
        "=1+1.csv",
    ],
)
def test_no_file_name_becomes_a_header(scene, admin_client, name):  # noqa: F811
    Reply.objects.update(file_name=name)
    scene.reply.refresh_from_db()
    scene.reply.media_file.save("photo.jpg", ContentFile(b"photo"))
    answer = admin_client.get(reverse("admin:django_hyber_reply_attachment", args=[scene.reply.pk]))

    assert content_of(answer) == b"photo"
    assert "Set-Cookie" not in answer.headers
    assert re.fullmatch(r'attachment; filename="?\w+(\.\w+)+"?', answer["Content-Disposition"])
    assert answer["Content-Type"] == "application/octet-stream"
