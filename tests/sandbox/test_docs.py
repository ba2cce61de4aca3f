import ast
import json
import re
import sys
from dataclasses import fields
from pathlib import Path

from django_hyber.sandbox.answers import UNKNOWN_ID_ANSWERS
from django_hyber.sandbox.control import read_fault
from django_hyber.sandbox.faults import KINDS, PATHS, Fault

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sandbox.rst").read_text(encoding="utf-8")
CELL = r"(.+(?:\n       .+)*)"
KIND_ROW = re.compile(rf"^   \* - ``([a-z_]+)``\n     - {CELL}\n     - {CELL}", re.MULTILINE)
OPTION_ROW = re.compile(r"^``([a-z_]+)`` +``(.+?)``  ", re.MULTILINE)
ANSWER_ROW = re.compile(r"^``(\d{3}[a-z-]*)`` ", re.MULTILINE)
FAULT = re.compile(r"^     - ``(\{.+\})``$", re.MULTILINE)


def test_kinds_of_faults_in_the_documentation_are_those_in_the_code():
    documented = {
        name: (" ".join(sentence.split()), tuple(re.findall(r"\w+", options)))
        for name, sentence, options in KIND_ROW.findall(PAGE)
    }
    assert documented == {name: (kind.sentence, kind.options) for name, kind in KINDS.items()}


def test_options_of_faults_in_the_documentation_are_those_in_the_code_with_their_defaults():
    documented = {name: json.loads(default) for name, default in OPTION_ROW.findall(PAGE)}
    defaults = {field.name: field.default for field in fields(Fault) if field.name != "kind"}
    assert documented == defaults | {"paths": list(defaults["paths"])}


def test_every_path_of_faults_is_documented():
    assert [path for path in PATHS if f"``{path}``" not in PAGE] == []


def test_examples_of_faults_can_be_read():
    examples = [read_fault(json.loads(example)) for example in FAULT.findall(PAGE)]
    assert len(examples) == 8


def test_answers_to_unknown_ids_in_the_documentation_are_those_in_the_code():
    assert ANSWER_ROW.findall(PAGE) == list(UNKNOWN_ID_ANSWERS)


def test_sandbox_imports_nothing_but_the_standard_library_and_itself():
    for path in (ROOT / "django_hyber" / "sandbox").glob("*.py"):
        for name in imported(path):
            own = name.startswith("django_hyber.sandbox")
            assert own or name.partition(".")[0] in sys.stdlib_module_names, (path, name)


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
