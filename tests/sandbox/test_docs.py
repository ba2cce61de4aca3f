import ast
import re
import sys
from pathlib import Path

from django_hyber.sandbox import OUTCOMES

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^   \* - (\d\d)\n     - ``([a-z-]+)``\n     - (.+(?:\n       .+)*)", re.MULTILINE)


def test_table_in_the_documentation_is_the_table_in_the_code():
    text = (ROOT / "docs" / "sandbox.rst").read_text(encoding="utf-8")
    documented = {digits: (name, " ".join(sentence.split())) for digits, name, sentence in ROW.findall(text)}
    assert documented == {digits: (outcome.name, outcome.sentence) for digits, outcome in OUTCOMES.items()}


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
