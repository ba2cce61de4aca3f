"""The files, modules and pages that the documentation and the code name exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from django.core.management import get_commands, load_command_class

import django_hyber

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(django_hyber.__file__).parent
PAPERS = [ROOT / name for name in ("README.rst", "CHANGELOG.rst", "CONTRIBUTING.rst", "SECURITY.rst")]
PAGES = [*PAPERS, *(path for path in sorted((ROOT / "docs").rglob("*.rst")) if "_build" not in path.parts)]
SOURCES = sorted(PACKAGE.rglob("*.py"))

FILE = re.compile(
    r"(?<![\w/.-])((?:docs|tests|benchmarks|example_project|django_hyber)/[\w./-]*\w|[A-Z]+\.rst)(?![\w*{])"
)
#: A path inside the package, without its name: ``sending/exchange.py``.
SHORT_FILE = re.compile(r"``((?!shop/)(?:\w+/)+(?:\w+\.py)?)``")
SUBPACKAGES = "|".join(sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")))
#: A module without the name of the package, or a name in it: ``sending.exchange``, ``db.transactions.lock()``.
MODULE = re.compile(rf"``(?:django_hyber\.)?((?:{SUBPACKAGES})(?:\.\w+)+)(?:\(\))?``")

#: A command of the package with its arguments, in a console or in double backquotes. A comment ends it.
COMMAND = re.compile(r"(?:manage\.py |``)(hyber_\w+[^`\n#]*)")
NOT_COMMANDS = {"hyber_level", "hyber_up", "hyber_outbox"}


def test_files_that_the_pages_name_exist():
    missing = []
    for page in PAGES:
        text = page.read_text()
        missing += [
            (page.name, name) for name in FILE.findall(text) if "_build" not in name and not (ROOT / name).exists()
        ]
        short = SHORT_FILE.findall(text)
        missing += [
            (page.name, name) for name in short if not any((place / name).exists() for place in (PACKAGE, ROOT))
        ]

    assert missing == []


def test_modules_that_the_pages_name_exist():
    named = [(page.name, name) for page in PAGES for name in MODULE.findall(page.read_text())]

    assert [item for item in named if not is_in_the_package(item[1])] == []


def is_in_the_package(dotted):
    """Whether it is a module, or a name in one."""
    holder, _, name = dotted.rpartition(".")
    source = source_of(holder)
    return source_of(dotted) is not None or (source is not None and re.search(rf"\b{name}\b", source.read_text()))


def source_of(dotted):
    place = PACKAGE.joinpath(*dotted.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.exists()), None)


def test_pages_that_the_sources_name_exist():
    named = [(path.name, name) for path in SOURCES for name in re.findall(r"docs/[\w./-]+\.rst", path.read_text())]

    assert [item for item in named if not (ROOT / item[1]).exists()] == []


def test_every_floor_is_in_the_picture_of_the_architecture():
    contract = (ROOT / ".importlinter").read_text().split("layers =\n")[1].split("\n\n")[0]
    picture = (ROOT / "docs" / "architecture.rst").read_text().split("code-block:: text")[1].split("\n==")[0]
    floors = set(re.findall(r"\w+", contract)) - {"apps", "migrations", "templatetags", "urls"}

    assert {name for name in floors if not re.search(rf"\b{name}\b", picture)} == set()


def test_every_table_is_described_in_the_architecture():
    from django.apps import apps

    page = (ROOT / "docs" / "architecture.rst").read_text().split("The tables\n")[1]
    internal = {"CallbackQuota", "Contributor", "TestSender", "TestNumber", "TemplateVariant", "TemplateChannel"}
    names = {model.__name__ for model in apps.get_app_config("django_hyber").get_models()}

    assert {name for name in names if f"``{name}``" not in page} <= internal


def test_commands_that_the_pages_name_exist_with_their_options():
    named = [(page.name, line) for page in PAGES for line in COMMAND.findall(page.read_text())]
    for page, line in named:
        name, *arguments = shlex.split(line)
        if name in NOT_COMMANDS:
            continue
        parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
        options = {argument.strip("[]") for argument in arguments if argument.startswith(("-", "[-"))}
        assert options <= set(parser._option_string_actions), (page, line)
