"""The figures of the package's own structure: its size, its imports, and the files that an operation passes through.

    python -m benchmarks.structure

Migrations are not counted. An operation passes through a file if it calls one of its functions. It runs with immediate
tasks and a sandbox, whose files are not counted, on a SQLite database of its own. The operations run one after another:
what an earlier one has cached, such as the settings, is not read again.
"""

from __future__ import annotations

import ast
import inspect
import os
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.site.databases import own_database
from django_hyber.sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "django_hyber"
MOST_LINES = 40
MOST_IMPORTS = 12
FOLDERS = 5
CSV = b"phone,name\n+380671234500,Anna\n+380671234600,Bohdan\nabc,Vira\n"
SMS = {"text": "Hi %name%", "alpha_name": "GMSU", "ttl": 300}

Trees = Mapping[str, ast.Module]
Graph = Mapping[str, set[str]]


def main() -> None:
    paths = [path for path in sorted(PACKAGE.rglob("*.py")) if "migrations" not in path.parts]
    trees = {_name(path): ast.parse(path.read_text()) for path in paths}
    graph = {name: set(_imported(tree, trees)) - {name} for name, tree in trees.items()}
    lines = sum(len(path.read_text().splitlines()) for path in paths)
    print(f"{len(paths)} files, {lines:,} lines")
    folders = Counter(path.parent.relative_to(ROOT) for path in paths if path.name != "__init__.py")
    _print(
        "Largest folders, without __init__.py", (f"{count} {folder}" for folder, count in folders.most_common(FOLDERS))
    )
    _print("Module names that occur more than once", _repeated(paths))
    imports = Counter({name: len(names) for name, names in graph.items() if len(names) > MOST_IMPORTS})
    hubs = (f"{count} {name}" for name, count in imports.most_common())
    _print(f"Modules with more than {MOST_IMPORTS} internal imports", hubs)
    _print("Circles of imports", sorted(map(" ".join, _circles(graph))))
    _print(f"Functions of more than {MOST_LINES} lines", _long_functions(trees))
    for operation, files in _passages().items():
        _print(f"Files that {operation} passes through", sorted(files))


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _print(title: str, found: Iterable[str]) -> None:
    rows = list(found)
    print(f"\n{title}: {len(rows)}", *(f"  {row}" for row in rows), sep="\n")


def _imported(tree: ast.Module, trees: Trees) -> Iterator[str]:
    """Yield the modules of the package that a module imports anywhere, those of a function included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in trees)
        elif isinstance(node, ast.ImportFrom) and (module := node.module or "") in trees:
            full = (f"{module}.{alias.name}" for alias in node.names)
            yield from (name if name in trees else module for name in full)


def _repeated(paths: Iterable[Path]) -> Iterator[str]:
    """Yield the modules of the same name. Commands are named after what they run."""
    places = defaultdict(list)
    for path in paths:
        if path.stem != "__init__" and "management" not in path.parts:
            places[path.stem].append(str(path.parent.relative_to(PACKAGE)))
    return (f"{stem}: {', '.join(found)}" for stem, found in sorted(places.items()) if len(found) > 1)


def _circles(graph: Graph) -> set[tuple[str, ...]]:
    """Return the groups of modules that import each other, directly or not."""
    reached = {name: _reached(name, graph) for name in graph}
    circular = [name for name in graph if name in reached[name]]
    return {tuple(sorted(other for other in reached[name] if name in reached[other])) for name in circular}


def _reached(start: str, graph: Graph) -> set[str]:
    found: set[str] = set()
    waiting = set(graph[start])
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= graph[name] - found
    return found


def _long_functions(trees: Trees) -> Iterator[str]:
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MOST_LINES:
                    yield f"{lines} {name}.{node.name}"


def _passages() -> dict[str, set[str]]:
    """Return the files that each operation passes through, with a campaign of two recipients."""
    sandbox = Sandbox(client_id="sandbox", login="sandbox", password="sandbox-password")
    with tempfile.TemporaryDirectory() as folder, own_database("hyber_bench_structure", "sqlite"), sandbox:
        os.environ["BENCH_PLATFORM"] = sandbox.url
        campaign, another = _new_campaigns(folder)
        from django.core.files.base import ContentFile

        from django_hyber import services

        def import_in_background() -> None:
            upload = services.keep_upload(another, None, ContentFile(CSV, name="people.csv"))
            services.confirm_upload(upload, {"phone_column": "phone", "variables": {"name": "name"}}, at_once=True)

        source = ContentFile(CSV, name="people.csv")
        found = {
            "an import of a CSV file by code": _files_of(lambda: services.import_recipients(campaign, source)),
            "an import of a CSV file in the background": _files_of(import_in_background),
            "the start of a campaign": _files_of(lambda: services.start_campaign(campaign)),
        }
        assert campaign.messages.filter(status="accepted").count() == another.messages.count() == 2
    return found


def _new_campaigns(folder: str) -> list[Any]:
    from django.conf import settings
    from django.core.management import call_command

    from benchmarks.site.project import start_project

    start_project()
    settings.MEDIA_ROOT = folder
    call_command("migrate", verbosity=0)
    from django_hyber.models import Campaign, CampaignChannel

    campaigns = [Campaign.objects.create(name=name) for name in ("By code", "In the background")]
    for campaign in campaigns:
        CampaignChannel.objects.create(campaign=campaign, channel="sms", position=1, options=SMS)
    return campaigns


def _files_of(work: Callable[[], object]) -> set[str]:
    """Return the files of the package of which the work calls a function."""
    found: set[str] = set()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        path = Path(frame.f_code.co_filename)
        # The bodies of modules and classes run at an import. They are not optimized, as functions are.
        if event == "call" and frame.f_code.co_flags & inspect.CO_OPTIMIZED and path.is_relative_to(PACKAGE):
            found.add(str(path.relative_to(PACKAGE)))

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return {name for name in found if not name.startswith("sandbox/")}


if __name__ == "__main__":
    main()
