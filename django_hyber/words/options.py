"""What people call the options of the channels: in forms, and where a problem says what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_hyber.models import CampaignChannel
from django_hyber.protocol import Problem

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise  # a name of the stubs only

CHANNEL_NAMES = dict(CampaignChannel.Name.choices)
#: What people call the options, in the order of the form.
LABELS: Mapping[str, str | StrPromise] = {
    "text": _("Text"),
    "title": _("Title"),
    "alpha_name": _("Alpha name (sender)"),
    "img": _("Image link"),
    "img_name": _("Text under the image"),
    "caption": _("Button text"),
    "action": _("Button link"),
    "ttl": _("Try for (TTL, seconds)"),
    "ctr": _("Track clicks"),
    "file_name": _("File name"),
    "thumbnail": _("Video preview link"),
    "file_size": _("Video size, megabytes"),
    "duration": _("Video length, seconds"),
    "doc": _("Document link"),
    "doc_name": _("Text under the document"),
    "audio": _("Audio link"),
    "video": _("Video link"),
    "video_name": _("Text under the video"),
    "latitude": _("Latitude"),
    "longitude": _("Longitude"),
    "device": _("Devices"),
}


def label_of(name: str) -> str | StrPromise:
    """Return what people call an option."""
    return LABELS.get(name, name)


def place_of(problem: Problem) -> str:
    """Return where a problem is, as in "Viber, Button link", or "" for the whole campaign."""
    parts = [CHANNEL_NAMES.get(problem.channel, problem.channel), problem.field and label_of(problem.field)]
    return ", ".join(str(part) for part in parts if part)


def problem_text(problem: Problem) -> str:
    """Return a problem in the reader's language; the fields that it speaks of have the names of the form."""
    other = problem.params.get("other")
    named = replace(problem, params={**problem.params, "other": f"“{label_of(other)}”"}) if other else problem
    return gettext(named.template) % named.params


def name_of_channel(channel: str) -> str:
    """Return what people call a channel; one that we do not know keeps the platform's name, and none is ""."""
    return str(CHANNEL_NAMES.get(channel, channel))
