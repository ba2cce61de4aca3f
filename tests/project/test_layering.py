from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "django_hyber"
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if "migrations" not in path.parts]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
#: For a folder, without __init__.py, for a module and for a function.
MOST_FILES = 15
MOST_LINES = 400
MOST_LINES_OF_FUNCTION = 40
LINTER = shutil.which("lint-imports", path=str(Path(sys.executable).parent))


@pytest.mark.skipif(LINTER is None, reason="import-linter is not installed: pip install -e .[lint]")
def test_data_flows_one_way():
    result = subprocess.run([LINTER, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert result.returncode == 0, result.stdout


def test_protocol_works_without_django():
    script = "import sys; from django_hyber.protocol import *; SMS(text='Hi'); sys.exit('django' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=60, check=False).returncode == 0


def test_folders_are_small():
    counted = [path for path in (*FILES, *TESTS) if path.name != "__init__.py"]
    sizes = Counter(path.parent.relative_to(ROOT).as_posix() for path in counted)

    # What Django and projects look for in the package itself, such as apps.py, urls.py and storage.py.
    assert sizes.pop("django_hyber") <= MOST_FILES + 1
    assert {folder: size for folder, size in sizes.items() if size > MOST_FILES} == {}


def test_modules_are_short():
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in FILES}

    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_functions_are_short():
    found = ((path, node) for path in FILES for node in ast.walk(ast.parse(path.read_text())))
    functions = [(path, node) for path, node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {f"{path.relative_to(ROOT)}, {node.name}": node.end_lineno - node.lineno + 1 for path, node in functions}

    assert {name: length for name, length in lengths.items() if length > MOST_LINES_OF_FUNCTION} == {}
