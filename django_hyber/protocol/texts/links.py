"""Parameters for web statistics (UTM) in the links of a channel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django_hyber.protocol.channels.content import Channel, Viber
from django_hyber.protocol.texts.variables import split_template

#: The texts in which a link can be followed.
TEXTS = ("text", "img_name", "doc_name", "video_name")
_LINK = re.compile(r"""https?://[^\s<>"«»“”]+""", re.IGNORECASE)
#: A link with one of these has the parameters of somebody else, whom it would confuse to have both.
_TAGGED = re.compile(r"[?&;]utm_(source|medium|campaign)=", re.IGNORECASE)
#: What follows a link in a sentence, and marks of Viber's and WhatsApp's markdown around it.
_PUNCTUATION = ".,;:!?'’…*_~`]}"


def tag_links(channel: Channel, parameters: Mapping[str, str]) -> Channel:
    """Return the channel with these parameters in the http(s) links of its button and its texts.

    The address of a file or a video stays as it is.
    """
    if not parameters:
        return channel
    changed: dict[str, Any] = {name: tag_text(text, parameters) for name in TEXTS if (text := _text(channel, name))}
    is_file = isinstance(channel, Viber) and bool(channel.file_name or channel.thumbnail)
    action = _text(channel, "action")
    if not is_file and _LINK.fullmatch(action):
        changed["action"] = tag_link(action, parameters)
    return replace(channel, **changed)


def tag_text(text: str, parameters: Mapping[str, str]) -> str:
    """Return the text with these parameters in each of its http(s) links."""

    def tagged(match: re.Match[str]) -> str:
        link = _without_punctuation(match[0])
        return tag_link(link, parameters) + match[0][len(link) :]

    return _LINK.sub(tagged, text)


def tag_link(link: str, parameters: Mapping[str, str]) -> str:
    """Return a link with these parameters, before its other ones and its fragment.

    A link that has such parameters stays as it is, and so does one with a variable before its question mark: the value
    may have a question mark itself.
    """
    if _TAGGED.search(link):
        return link
    added = urlencode(parameters)
    address, mark, query = link.partition("?")
    if mark and "#" not in address:
        is_unsafe, new = bool(split_template(address)[1]), f"{address}?{added}{_joined(query)}"
    else:
        address, hash_mark, fragment = link.partition("#")
        slash = "" if "/" in address.partition("://")[2] else "/"
        is_unsafe, new = bool(split_template(address)[1]), f"{address}{slash}?{added}{hash_mark}{fragment}"
    return link if is_unsafe else new


def _joined(query: str) -> str:
    return query if not query or query.startswith(("#", "&")) else f"&{query}"


def _without_punctuation(link: str) -> str:
    while link.endswith(tuple(_PUNCTUATION)) or (link.endswith(")") and link.count(")") > link.count("(")):
        link = link[:-1]
    return link


def _text(channel: Channel, name: str) -> str:
    value = getattr(channel, name, None)
    return value if isinstance(value, str) else ""
