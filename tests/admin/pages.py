"""Pages as a person reads them, and the buttons that a person presses."""

from __future__ import annotations

import re
from html import unescape

from django.urls import reverse


def url_of(campaign, page="preflight", *args):
    return reverse(f"admin:django_hyber_campaign_{page}", args=[campaign.pk, *args])


def text_of(response):
    """What the page says, in one line and without its tags."""
    text = re.sub(r"<[^>]+>", " ", response.content.decode())
    return unescape(re.sub(r"\s+", " ", text))


def button_of(response):
    """The words on the page's button, None without one."""
    found = re.search(r'class="default" value="([^"]+)"', response.content.decode())
    return found and unescape(found[1])


def seen_on(response):
    """What a page has shown of campaigns, as its form would send it."""
    return dict(re.findall(r'name="(preflight-\d+)" value="([^"]+)"', response.content.decode()))


def confirm(client, campaign, note="", **extra):
    """Look at the page before the launch and press its button."""
    return client.post(url_of(campaign), {**seen_on(client.get(url_of(campaign))), "note": note}, **extra)
