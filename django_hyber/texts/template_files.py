"""Templates from TOML files: checked as a whole, then stored, with a report of what has changed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import router, transaction

from django_hyber.models import Template, TemplateVariant
from django_hyber.models.template import language_key
from django_hyber.protocol import CHANNELS, Channel, channel_from_wire, find_misspelled_variables, validate_channels

TEMPLATE_KEYS = {"name", "language", "texts"}
TEXT_KEYS = {"approved_text", "channels"}


class TemplateFileError(ValueError):
    """The files cannot be loaded. ``errors`` says what is wrong and where; nothing was stored."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = list(errors)
        super().__init__("\n".join(self.errors))


@dataclass(frozen=True, kw_only=True)
class Text:
    """The text of a template in one language, as a file has it."""

    language: str
    approved_text: str
    channels: list[Channel]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A template as a file has it."""

    code: str
    name: str
    language: str
    texts: list[Text]


@dataclass(kw_only=True)
class Loaded:
    """What has changed: templates and texts, as in "order-shipped" and "order-shipped uk 2"."""

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)


def load_templates(files: Mapping[str, bytes], *, dry_run: bool = False) -> Loaded:
    """Store the templates of these TOML files, given by name. Loading the same files again changes nothing.

    Templates and texts that are in no file stay as they are. ``dry_run`` only reports. Raises TemplateFileError.
    """
    errors: list[str] = []
    sources = [source for name, content in files.items() for source in _read(name, content, errors)]
    codes = [source.code for source in sources]
    errors += [f"{code}: this template is there twice." for code in sorted({*codes}) if codes.count(code) > 1]
    if errors:
        raise TemplateFileError(errors)
    loaded = Loaded()
    with transaction.atomic(using=router.db_for_write(Template)):
        for source in sources:
            _store(source, loaded)
        transaction.set_rollback(dry_run, using=router.db_for_write(Template))
    return loaded


def _read(file_name: str, content: bytes, errors: list[str]) -> Iterator[Source]:
    try:
        document = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        # A wrong encoding, wrong TOML, or tables without end; the text of most names the line.
        errors.append(f"{file_name}: this is no TOML file in UTF-8: {error}.")
        return
    for code, item in document.items():
        place = f"{file_name}: {code}"
        if not isinstance(item, dict) or not isinstance(item.get("texts", {}), dict):
            errors.append(f"{place}: expected a table, as in [{code}] and [{code}.texts.en].")
            continue
        errors += _unknown_keys(place, item, TEMPLATE_KEYS)
        if any("\0" in text for text in _strings(item)):
            errors.append(f"{place}: the character U+0000 is in a text; no database stores it.")
        source = Source(
            code=code,
            name=str(item.get("name", code)),
            language=str(item.get("language", Template().language)),
            texts=[text for key, value in item.get("texts", {}).items() if (text := _text(place, key, value, errors))],
        )
        errors += [*_field_errors(place, source), *_repeated_languages(place, source)]
        yield source


def _text(place: str, language: str, item: object, errors: list[str]) -> Text | None:
    place = f"{place}.texts.{language}"
    entries = item.get("channels") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(entries, list) or not entries:
        errors.append(f"{place}: expected channels, as in [[….texts.{language}.channels]].")
        return None
    errors += _unknown_keys(place, item, TEXT_KEYS)
    channels: list[Channel] = []
    for number, entry in enumerate(entries, start=1):
        name = entry.get("channel") if isinstance(entry, dict) else None
        if not isinstance(name, str) or name not in CHANNELS:
            errors.append(f"{place}: channel {number} needs channel = one of {', '.join(CHANNELS)}.")
            return None
        channels.append(channel_from_wire(name, {key: value for key, value in entry.items() if key != "channel"}))
    problems = [*validate_channels(channels, variables=True), *find_misspelled_variables(channels)]
    errors += [f"{place}: {problem}" for problem in problems if problem.is_error]
    approved_text = str(item.get("approved_text", ""))
    return Text(language=language_key(language), approved_text=approved_text, channels=channels)


def _unknown_keys(place: str, item: Mapping[str, Any], known: set[str]) -> list[str]:
    return [
        f"{place}: {key!r} is unknown; known are {', '.join(sorted(known))}." for key in sorted(item.keys() - known)
    ]


def _strings(value: object) -> Iterator[str]:
    """Yield the texts of a TOML value, with the names of its keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


def _field_errors(place: str, source: Source) -> Iterator[str]:
    rows = {place: Template(code=source.code, name=source.name, language=source.language)} | {
        f"{place}.texts.{text.language}": TemplateVariant(language=text.language) for text in source.texts
    }
    for row_place, row in rows.items():
        try:
            row.clean_fields(exclude={"template"})
        except ValidationError as error:
            for name, texts in error.message_dict.items():
                yield f"{row_place}: {name}: {' '.join(texts)}"


def _repeated_languages(place: str, source: Source) -> list[str]:
    languages = [text.language for text in source.texts]
    repeated = sorted({language for language in languages if languages.count(language) > 1})
    return [f"{place}: the text in {language} is there twice, in two spellings." for language in repeated]


def _store(source: Source, loaded: Loaded) -> None:
    values = {"name": source.name, "language": source.language}
    template, is_new = Template.objects.get_or_create(code=source.code, defaults=values)
    is_changed = not is_new and any(getattr(template, name) != value for name, value in values.items())
    if is_changed:
        Template.objects.filter(pk=template.pk).update(**values)
    _report(loaded, source.code, is_new=is_new, is_changed=is_changed)
    for text in source.texts:
        approved = {"approved_text": text.approved_text}
        variant, is_new = template.variants.get_or_create(language=text.language, defaults=approved)
        is_changed = variant.set_channels(text.channels)
        if variant.approved_text != text.approved_text:
            TemplateVariant.objects.filter(pk=variant.pk).update(**approved)
            is_changed = True
        _report(loaded, variant.label, is_new=is_new, is_changed=is_changed)


def _report(loaded: Loaded, name: str, *, is_new: bool, is_changed: bool) -> None:
    found = loaded.created if is_new else loaded.changed if is_changed else loaded.unchanged
    found.append(name)
