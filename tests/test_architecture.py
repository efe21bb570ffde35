"""The house's arrows hold: who may import whom, and that the core reads no clock and does no I/O."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]
PACKAGES = ("incident", "integrations", "activities", "workflows", "runtime", "worker", "starter")

MAY_IMPORT: dict[str, set[str]] = {
    "incident": {"incident"},
    "integrations": {"integrations", "incident"},
    "activities": {"activities", "incident", "integrations.ports", "integrations.errors"},
    "workflows": {"workflows", "incident", "activities"},
    "runtime": {"runtime"},
    "worker": {"worker", "incident", "integrations", "activities", "workflows", "runtime"},
    "starter": {"starter", "incident", "integrations", "workflows", "runtime"},
}
"""Of our own packages; a package may import itself."""

CORE_LIBRARIES = {"pydantic", "pydantic_core"}
NOT_IN_THE_CORE = {"asyncio", "os", "time", "random", "uuid", "socket", "subprocess", "threading", "secrets", "pathlib", "io", "structlog"}
CLOCKS = {"now", "utcnow", "today", "fromtimestamp", "monotonic", "perf_counter"}
VAGUE = {"utils", "util", "helpers", "helper", "common", "service", "manager", "misc"}


def _modules(package: str) -> Iterator[Path]:
    return (path for path in sorted((ROOT / package).rglob("*.py")) if "__pycache__" not in path.parts)


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for name in node.names:
                yield node.lineno, f"{node.module}.{name.name}"


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_imports_only_what_it_may(package: str) -> None:
    """An arrow that points the wrong way makes the core depend on the outside, or a door on the worker."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in _modules(package)
        for line, name in _imports(path)
        if name.split(".")[0] in PACKAGES and not any(name == allowed or name.startswith(f"{allowed}.") for allowed in MAY_IMPORT[package])
    ]

    assert not wrong, f"{package} may import of ours only {sorted(MAY_IMPORT[package])}; hand it in, or move the code:\n" + "\n".join(wrong)


def test_the_core_has_no_io_and_no_clock() -> None:
    """The sandbox does not look into the core, so this test does: every moment is an argument."""
    wrong = []
    for path in _modules("incident"):
        for line, name in _imports(path):
            top = name.split(".")[0]
            if top in NOT_IN_THE_CORE or (top not in sys.stdlib_module_names and top not in CORE_LIBRARIES and top != "incident"):
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} calls .{node.func.attr}()")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"open", "print", "input"}:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} calls {node.func.id}()")

    assert not wrong, "the core takes `now` as an argument and touches nothing outside:\n" + "\n".join(wrong)


def test_workflows_and_integrations_do_not_know_each_other() -> None:
    """A vendor's module may be deleted without a workflow noticing; an integration knows nothing of Temporal."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in _modules("integrations")
        for line, name in _imports(path)
        if name.startswith("temporalio")
    ]

    assert not wrong, "integrations never import temporalio:\n" + "\n".join(wrong)


def test_whoever_starts_the_register_gives_it_its_priority() -> None:
    """The first to ask is often a storm's alert group; a register that were as little urgent keeps waiting whoever opens an incident."""
    starts = [
        (path, node)
        for package in ("activities", "starter", "worker")
        for path in _modules(package)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and any(isinstance(given, ast.Constant) and given.value == "Registry" for given in node.args)
    ]
    without = [f"{path.relative_to(ROOT)}:{node.lineno}" for path, node in starts if "priority" not in {word.arg for word in node.keywords}]

    assert len(starts) >= 4
    assert not without, f"say priority=options.REGISTER, from the wiring where options can't be imported: {without}"


def test_every_package_is_shipped() -> None:
    """A folder that the wheel leaves out works here and nowhere else."""
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    assert sorted(shipped) == sorted(PACKAGES)


def test_pages_and_their_files_are_shipped() -> None:
    """A template that the wheel leaves out is a page that breaks everywhere but here."""
    shipped = {file.relative_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    folders = [ROOT / "starter" / "web" / name for name in ("templates", "static")]
    files = {str(path.relative_to(ROOT)) for folder in folders for path in folder.rglob("*") if path.is_file()}

    assert len(files) > 20
    assert files - shipped == set()


def test_files_are_named_for_their_noun() -> None:
    """Nobody finds a thing in `utils`; a name of the standard library's hides it."""
    names = [path for package in PACKAGES for path in _modules(package)]
    vague = [str(path.relative_to(ROOT)) for path in names if path.stem in VAGUE]

    assert not vague, f"name them for what they hold: {vague}"
