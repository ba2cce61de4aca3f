"""The vendor's own sample payloads."""

import json
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"


def load(name):
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def names(*patterns):
    return sorted(path.stem for pattern in patterns for path in DATA.glob(f"{pattern}.json"))
