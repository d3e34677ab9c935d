"""Links within the documentation lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def slug(heading: str) -> str:
    """Anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(h) for h in re.findall(r"^#+ +(.+)$", page.read_text("utf-8"), re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links(page: Path) -> None:
    """Each relative link of a page names a file of the repository, and a heading in it where it has an anchor."""
    for link in _LINK.findall(_CODE.sub("", page.read_text("utf-8"))):
        if "://" in link:
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), f"{page.name}: {link}"
        assert target.is_relative_to(ROOT), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


def test_every_page_can_be_reached() -> None:
    """From the README, by links, each page of the documentation can be reached."""
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or not page.is_file():
            continue
        seen.add(page)
        if page.suffix == ".md":
            links = [link.partition("#")[0] for link in _LINK.findall(page.read_text("utf-8")) if "://" not in link]
            waiting += [(page.parent / link).resolve() for link in links if link]
    assert {str(p.relative_to(ROOT)) for p in PAGES if p not in seen} == set()


def test_every_error_that_names_a_page_names_one_that_is_there() -> None:
    """Pages that error messages point to exist."""
    source = "".join(
        p.read_text("utf-8")
        for part in ("flows", "quality", "schemas", "sinks", "dashboards")
        for p in (ROOT / part).rglob("*.py")
    )
    named = set(re.findall(r"docs/[\w/-]+\.md", source))
    assert named
    assert {name for name in named if not (ROOT / name).is_file()} == set()
