"""The Python code of the documentation, as tests run it."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^( *)\.\. code-block:: python\n\n((?:\1 +\S.*\n|\s*\n)+)", re.MULTILINE)


def code_of(page: str) -> list[str]:
    """The code blocks of a page, in their order."""
    return [textwrap.dedent(block) for _, block in _BLOCK.findall((ROOT / page).read_text() + "\n")]


def code_with(page: str, words: str) -> str:
    """The only code block of a page that has these words in it."""
    (block,) = [block for block in code_of(page) if words in block]
    return block


def run(code: str, **names: Any) -> dict[str, Any]:
    """Execute the code with these names, and return all names afterwards."""
    exec(compile(code, "documentation", "exec", dont_inherit=True), names)
    return names
