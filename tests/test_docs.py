"""The pages say what the code does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.docs import ROOT, problems


def test_the_pages_are_up_to_date() -> None:
    """Every table that is made from the code is current, and every link leads somewhere."""
    assert list(problems()) == []


def test_what_is_proven_is_proven_by_tests_that_there_are() -> None:
    """Each of the thirty promises, and each kind of bad input, names tests, and every test that is named is there."""
    text = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| | ")]
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text))
    there = {(file, name) for file in {file for file, _ in named} for name in _tests_of(ROOT / file)}

    assert [int(number) for number in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)] == list(range(1, 31))
    assert [row for row in rows if "::test_" not in row] == []
    assert sorted(named - there) == []


def _tests_of(file: Path) -> list[str]:
    """The names of a file's tests; none where the file is not there."""
    if not file.is_file():
        return []
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_no_merge_is_left_half_done() -> None:
    """A page with the marks of a merge in it would be read by everybody who upgrades."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    marks = re.compile(r"^(<{7} |={7}$|>{7} )", re.MULTILINE)

    assert len(pages) > 10
    assert [str(page.relative_to(ROOT)) for page in pages if marks.search(page.read_text(encoding="utf-8"))] == []
