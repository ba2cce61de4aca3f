"""The Ukrainian catalogue: complete, compiled, and what people really read."""

from __future__ import annotations

import ast
import contextlib
import gettext
import html
import re
import shutil
from collections import Counter
from pathlib import Path

import django.contrib.admin
import polib
import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import translation

import django_hyber
from django_hyber.models import Campaign, Message
from django_hyber.protocol import Viber, validate_channels
from django_hyber.services import CampaignError, start_campaign
from django_hyber.words import problem_text

PACKAGE = Path(django_hyber.__file__).resolve().parent
CATALOGUE = PACKAGE / "locale/uk/LC_MESSAGES/django.po"
COMPILED = CATALOGUE.with_suffix(".mo")

PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%%|%\w+%|</?\w+>")
MARKING = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy"}
#: A column that only developers see.
KNOWN_OTHERWISE = {"object id": "id об'єкта"}
#: One number for each plural form that whole numbers have in Ukrainian.
COUNTS = {1: 0, 3: 1, 5: 2}
BLOCK = re.compile(r"{% blocktranslate\b.*?{% endblocktranslate %}", re.DOTALL)
TEMPLATE_TAG = re.compile(r"{%.*?%}|{{.*?}}|{#.*?#}")
#: The blocks of a page that hold no text.
CODE_BLOCK = re.compile(r"{% block (?:bodyclass|coltype|extrahead|extrastyle) %}.*?{% endblock %}")
SHOWN_ATTRIBUTE = re.compile(
    r'\b(?:alt|aria-label|placeholder|title)="([^"]*)"|<input type="submit"[^>]*\bvalue="([^"]*)"'
)


def translations(entry):
    """Every form of a translation, the only one or the plural ones in their order."""
    return [text for _form, text in sorted(entry.msgstr_plural.items())] or [entry.msgstr]


def placeholders(text):
    return Counter(PLACEHOLDER.findall(text))


def messages_of(catalogue):
    return {(entry.msgctxt, entry.msgid, entry.msgid_plural) for entry in catalogue if not entry.obsolete}


@pytest.fixture(scope="module")
def committed():
    return polib.pofile(str(CATALOGUE))


def test_no_text_is_one_that_the_admin_of_django_translates_otherwise(committed):
    """Of two apps with the same text, the first in INSTALLED_APPS decides: ours needs a context."""
    admin = Path(django.contrib.admin.__file__).parent / "locale/uk/LC_MESSAGES/django.po"
    theirs = {entry.msgid: entry.msgstr for entry in polib.pofile(str(admin)) if entry.msgstr and not entry.msgctxt}
    ours = {entry.msgid: entry.msgstr for entry in committed if entry.msgid in theirs and not entry.msgctxt}

    assert {text: same.replace("’", "'") for text, same in ours.items()} | KNOWN_OTHERWISE == {
        text: theirs[text] for text in ours
    }


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """What the sources hold now, extracted from a copy of the package."""
    if shutil.which("xgettext") is None:
        pytest.skip("xgettext of GNU gettext is not installed")
    copy = tmp_path_factory.mktemp("extraction") / "django_hyber"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "locale"))
    (copy / "locale").mkdir()
    with contextlib.chdir(copy):
        call_command("makemessages", locale=["uk"], verbosity=0)
    return polib.pofile(str(copy / CATALOGUE.relative_to(PACKAGE)))


def test_people_and_campaigns_have_one_name_each(committed):
    others = re.compile("одержувач|розсилк", re.IGNORECASE)

    assert [text for entry in committed for text in translations(entry) if others.search(text)] == []


def test_no_text_to_translate_stands_in_an_f_string():
    """Old versions of xgettext do not look inside, so the text would never be translated."""
    found = [
        f"{path.relative_to(PACKAGE)}:{call.lineno}"
        for path in PACKAGE.rglob("*.py")
        for outer in ast.walk(ast.parse(path.read_text()))
        if isinstance(outer, ast.JoinedStr)
        for call in ast.walk(outer)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in MARKING
        if any(isinstance(argument, ast.Constant) for argument in call.args)
    ]

    assert found == []


class TestCatalogue:
    def test_everything_is_translated(self, committed):
        assert [entry.msgid for entry in committed if not all(translations(entry))] == []

    def test_nothing_is_fuzzy_or_obsolete(self, committed):
        assert [entry.msgid for entry in committed if entry.fuzzy or entry.obsolete] == []
        assert not committed.metadata_is_fuzzy

    def test_every_plural_form_is_there(self, committed):
        declared = int(re.search(r"nplurals=(\d+)", committed.metadata["Plural-Forms"])[1])
        plural = [entry for entry in committed if entry.msgid_plural]
        assert [entry.msgid for entry in plural if sorted(entry.msgstr_plural) != list(range(declared))] == []

    def test_translations_keep_the_placeholders(self, committed):
        lost = [
            text
            for entry in committed
            for text in translations(entry)
            if placeholders(text) != placeholders(entry.msgid)
        ]
        assert lost == []

    def test_no_sentence_ends_with_a_time(self, committed):
        """In English a time ends with "p.m.", so that there would be two full stops."""
        sources = [text for entry in committed for text in (entry.msgid, entry.msgid_plural)]
        assert [text for text in sources if re.search(r"%\((time|start|end)\)s\.", text)] == []

    def test_no_message_of_the_sources_is_missing(self, committed, extracted):
        assert messages_of(extracted) - messages_of(committed) == set()

    def test_no_message_has_gone_from_the_sources(self, committed, extracted):
        assert messages_of(committed) - messages_of(extracted) == set()


class TestCompiledCatalogue:
    def test_it_holds_the_same_messages(self, committed):
        assert messages_of(polib.mofile(str(COMPILED))) == messages_of(committed)

    def test_it_gives_the_same_translations(self, committed):
        with COMPILED.open("rb") as file:
            compiled = gettext.GNUTranslations(file)
        assert [entry.msgid for entry in committed if self._given(compiled, entry) != self._written(entry)] == []

    def _given(self, compiled, entry):
        key = entry.msgid if entry.msgctxt is None else f"{entry.msgctxt}\x04{entry.msgid}"
        if entry.msgid_plural:
            return [compiled.ngettext(key, entry.msgid_plural, count) for count in COUNTS]
        return [compiled.gettext(key)]

    def _written(self, entry):
        return [entry.msgstr_plural[form] for form in COUNTS.values()] if entry.msgid_plural else [entry.msgstr]


def test_templates_show_no_word_that_is_not_marked():
    words = {path.name: unmarked_words(path.read_text()) for path in (PACKAGE / "templates").rglob("*.html")}

    assert {name: found for name, found in words.items() if found} == {}
    assert words


def unmarked_words(template):
    source = TEMPLATE_TAG.sub("", CODE_BLOCK.sub("", BLOCK.sub("", template)))
    attributes = " ".join("".join(found) for found in SHOWN_ATTRIBUTE.findall(source))
    text = html.unescape(re.sub(r"<[^>]*>", " ", source))
    return re.findall(r"[^\W\d_]+", f"{text} {attributes}")


class TestInUkrainian:
    @pytest.fixture(autouse=True)
    def ukrainian(self):
        with translation.override("uk"):
            yield

    @pytest.mark.parametrize(
        ("status", "text"),
        [("delivered", "доставлено"), ("seen", "переглянуто"), ("expired", "не доставлено вчасно")],
    )
    def test_status_of_a_message(self, status, text):
        assert Message(status=status).get_status_display() == text

    def test_problem_of_a_channel(self):
        (problem,) = [problem for problem in validate_channels([Viber(text="Hi", ttl=10)]) if problem.is_error]
        assert problem_text(problem) == "Тут має бути від 40 до 86400."

    @pytest.mark.django_db
    def test_status_within_a_sentence(self):
        campaign = Campaign.objects.create(name="Spring sale", status=Campaign.Status.PAUSED)
        with pytest.raises(CampaignError) as refused:
            start_campaign(campaign)
        assert "Цю кампанію вже запущено, її статус: призупинено." in refused.value.messages

    @pytest.mark.parametrize(
        ("count", "text"),
        [
            (1, "У кампанії 1 отримувач."),
            (3, "У кампанії 3 отримувачі."),
            (11, "У кампанії 11 отримувачів."),
            (21, "У кампанії 21 отримувач."),
        ],
    )
    def test_nouns_agree_with_their_numbers(self, count, text):
        one, many = "The campaign has %(number)s recipient.", "The campaign has %(number)s recipients."
        assert translation.ngettext(one, many, count) % {"number": count} == text


class TestAdminInUkrainian:
    @pytest.fixture
    def campaign_list(self, admin_client):
        Campaign.objects.create(name="Spring sale")

        def read(**options):
            return admin_client.get(reverse("admin:django_hyber_campaign_changelist"), **options).content.decode()

        return read

    @pytest.mark.parametrize("text", ["Отримувачі", "чернетка", "Надіслати вибрані кампанії", "Повідомлення Hyber"])
    def test_browser_asks_for_it(self, campaign_list, text):
        assert text in campaign_list(headers={"accept-language": "uk"})

    def test_person_has_chosen_it(self, campaign_list, admin_client, settings):
        admin_client.cookies[settings.LANGUAGE_COOKIE_NAME] = "uk"
        assert "Надіслати вибрані кампанії" in campaign_list(headers={"accept-language": "en"})

    def test_others_still_read_english(self, campaign_list):
        page = campaign_list(headers={"accept-language": "en"})
        assert "Send selected campaigns" in page
        assert "Надіслати" not in page


def test_the_form_of_the_plural_that_is_also_for_21_does_not_speak_of_one():
    """ "1 message was sent, it cannot be recalled" is right, "21 messages were sent, it cannot be recalled" is not."""
    singular = re.compile(r"\b(?:він|вона|воно|його|її|йому|їй|ним|нею|нього|неї|ньому)\b", re.IGNORECASE)
    forms = (entry.msgstr_plural[0] for entry in polib.pofile(CATALOGUE) if entry.msgid_plural)

    assert [text for text in forms if singular.search(text)] == []
