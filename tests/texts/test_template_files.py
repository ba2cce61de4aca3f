"""Templates from TOML files."""

from __future__ import annotations

import re
import textwrap
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from django_hyber.models import Template, TemplateChannel
from django_hyber.protocol import SMS, Viber
from django_hyber.services import load_templates
from tests.docs.code import ROOT

pytestmark = pytest.mark.django_db

CHANNEL = '[[{code}.texts.en.channels]]\nchannel = "sms"\ntext = "{text}"\nalpha_name = "GMSU"\nttl = 300\n'
IN_UK = CHANNEL.format(code="order", text="Hi").replace(".en.", ".uk.")


def documented():
    (block,) = re.findall(r"code-block:: toml\n\n((?: +.*\n|\n)+)", (ROOT / "docs/templates.rst").read_text())
    return textwrap.dedent(block)


@pytest.fixture
def load(tmp_path):
    def load(*contents, **options):
        paths = []
        for number, content in enumerate(contents):
            path = tmp_path / f"{number}.toml"
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            paths.append(path)
        said = StringIO()
        call_command("hyber_load_templates", *paths, stdout=said, **options)
        return said.getvalue()

    return load


def test_documented_file_makes_the_documented_template(load):
    said = load(documented())

    template = Template.objects.get(code="order-shipped")
    assert (template.name, template.language) == ("Order shipped", "en")
    assert template.get_channels("en") == [
        Viber(text="Order %order% is on its way.", ttl=60),
        SMS(text="Order %order% is sent.", alpha_name="SHOP", ttl=300),
    ]
    assert template.get_channels("uk") == [SMS(text="Замовлення %order% в дорозі.", alpha_name="SHOP", ttl=300)]
    assert said.splitlines() == [
        "created: order-shipped",
        "created: order-shipped en 1",
        "created: order-shipped uk 1",
        "3 created, 0 changed, 0 unchanged",
    ]


def test_loading_again_changes_nothing(load):
    load(documented())

    assert load(documented()) == "0 created, 0 changed, 3 unchanged\n"
    assert Template.objects.get().find_text().variant.version == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("is sent.", "was sent.", "changed: order-shipped en 2"),
        ("ttl = 60", "ttl = 61", "changed: order-shipped en 2"),
        ('"Order shipped"', '"Shipped"', "changed: order-shipped\n"),
        ("Order %number%", "The order %number%", "changed: order-shipped en 1"),
    ],
)
def test_change_is_stored_and_reported(load, old, new, said):
    load(documented())

    assert said in load(documented().replace(old, new))
    assert load(documented().replace(old, new)).startswith("0 created, 0 changed")


def test_dry_run_stores_nothing(load):
    assert "created: order-shipped en 1" in load(documented(), dry_run=True)
    assert not Template.objects.exists()


def test_what_is_in_no_file_stays(load):
    load(documented())
    template = Template.objects.get()
    template.set_channels([SMS(text="Своє", alpha_name="GMSU", ttl=300)], language="uk")
    load(documented())

    assert template.variants.count() == 2


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("[order", "0.toml: this is no TOML file in UTF-8"),
        (b"\xff\xfe", "0.toml: this is no TOML file in UTF-8"),
        ("order = 1", "0.toml: order: expected a table"),
        ("[order]\ntexts = 1", "0.toml: order: expected a table"),
        ("[order]\ntitle = 1", "0.toml: order: 'title' is unknown; known are language, name, texts"),
        ("[order.texts.en]", "0.toml: order.texts.en: expected channels"),
        ("[order.texts.en]\nchannels = []", "order.texts.en: expected channels"),
        ("[order.texts.en]\nchannels = [1]", "channel 1 needs channel = one of"),
        ('[[order.texts.en.channels]]\nchannel = "fax"', "channel 1 needs channel = one of push, viber"),
        ('[[order.texts.en.channels]]\nchannel = "sms"', r"order.texts.en: sms.text"),
        ('["order shipped"]', "order shipped: code: Use Latin letters"),
        (CHANNEL.format(code="order", text="Hi %імʼя%"), "order.texts.en: .*name of a variable"),
        (IN_UK + IN_UK.replace(".uk.", ".UK."), "order: the text in uk is there twice"),
        (IN_UK.replace(".uk.", '."zz zz".'), "order.texts.zz zz: language: Enter the code of a language"),
        (IN_UK.replace(".uk.", ".uk-cyrl-ukraine-kyiv."), "language: Ensure this value has at most 16 characters"),
        (IN_UK.replace("Hi", "Hi\\u0000"), r"order: the character U\+0000"),
        ('[order]\nname = "x\\u0000"', r"order: the character U\+0000"),
        ('[order.texts.en]\napproved_text = "\\u0000"', r"order: the character U\+0000"),
        (IN_UK + '"a\\u0000" = 1', r"order: the character U\+0000"),
        (IN_UK.replace('"sms"', '["sms"]'), "channel 1 needs channel = one of"),
        (IN_UK + "seen = nan", "Extra options must be valid JSON values"),
        (IN_UK + "seen = 2030-01-01", "Extra options must be valid JSON values"),
        ("order = " + "[" * 5_000, "0.toml: this is no TOML file in UTF-8"),
        (CHANNEL.format(code="order", text="Hi") + "color = 1", None),
    ],
)
def test_mistake_is_named_with_its_place_and_nothing_is_loaded(load, content, error):
    if error is None:
        # A field that this version does not know is passed through, as everywhere.
        assert "created: order" in load(content)
        return
    with pytest.raises(CommandError, match=error):
        load(content, documented())
    assert not Template.objects.exists()


def test_language_in_another_spelling_changes_nothing(load):
    load(IN_UK)

    assert load(IN_UK.replace(".uk.", ".UK.")) == "0 created, 0 changed, 2 unchanged\n"


@pytest.mark.django_db(transaction=True)
def test_programs_that_load_the_same_file_at_once_make_one_version_each_time(load):
    def deploy(wording):
        try:
            return load_templates({"one": documented().replace("is sent", wording).encode()})
        finally:
            connections.close_all()

    load(documented())
    for wording in ("was sent", "is gone", "went out"):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(deploy, [wording] * 4))

    assert Template.objects.get().find_text("en").variant.version == 4
    assert TemplateChannel.objects.count() == 3


def test_template_in_two_files_is_refused(load):
    with pytest.raises(CommandError, match="order-shipped: this template is there twice"):
        load(documented(), documented())


def test_missing_file_is_named(load):
    with pytest.raises(CommandError, match=r"nowhere\.toml cannot be read"):
        call_command("hyber_load_templates", "nowhere.toml")
