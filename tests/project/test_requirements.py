"""The lists of what is installed here: complete, pinned, with hashes, for every supported Python."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LISTS = sorted((ROOT / "requirements").glob("*.txt"))
LANES = {"3.11": "5.2", "3.12": "6.0", "3.13": "6.1", "3.14": "6.1"}
ENTRY = re.compile(
    r"^(?P<pin>\S+==\S+(?: ; .+?)?) \\\n(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


def pins(path):
    return [Requirement(entry["pin"]) for entry in ENTRY.finditer(path.read_text())]


def versions(path, python):
    """The version of each package on this Python, on Linux."""
    environment = {"python_version": python, "python_full_version": f"{python}.9", "sys_platform": "linux"}
    found = [pin for pin in pins(path) if pin.marker is None or pin.marker.evaluate(environment)]
    names = [canonicalize_name(pin.name) for pin in found]
    assert len(names) == len(set(names))
    return {name: next(iter(pin.specifier)).version for name, pin in zip(names, found, strict=True)}


def named_in(section, option):
    """What setup.cfg asks for, with the extras of our own that it names."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    for line in filter(None, (line.partition("#")[0].strip() for line in setup[section][option].splitlines())):
        wanted = Requirement(line)
        if wanted.name == "django-hyber":
            for extra in wanted.extras:
                yield from named_in("options.extras_require", extra)
        else:
            yield wanted


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_everything_is_pinned_with_a_hash_and_no_address(path):
    rest = ENTRY.sub("", path.read_text())

    assert pins(path)
    assert all(line.startswith("#") for line in rest.splitlines())
    assert "://" not in path.read_text()


@pytest.mark.parametrize("python", LANES)
@pytest.mark.parametrize(
    ("name", "section", "option"),
    [
        ("core", "options", "install_requires"),
        ("test", "options.extras_require", "test"),
        ("dev", "options.extras_require", "dev"),
        ("mariadb", "options.extras_require", "mariadb"),
    ],
)
def test_lists_have_what_setup_cfg_asks_for(name, section, option, python):
    found = versions(ROOT / "requirements" / f"{name}.txt", python)
    missing = [
        str(wanted)
        for wanted in named_in(section, option)
        if wanted.marker is None or wanted.marker.evaluate({"python_version": python})
        if not wanted.specifier.contains(found.get(canonicalize_name(wanted.name), "0"), prereleases=True)
    ]

    assert missing == [], 'Run "make constraints".'


@pytest.mark.parametrize(("python", "django"), LANES.items())
def test_each_python_has_its_django_and_all_lists_the_same_versions(python, django):
    core, test, dev = (versions(ROOT / "requirements" / f"{name}.txt", python) for name in ("core", "test", "dev"))

    assert dev["django"].startswith(f"{django}.")
    assert core.items() <= test.items() <= dev.items()
