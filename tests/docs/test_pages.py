"""What the documentation says can be typed in works, and prints what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.docs.pages import absent, blocks, needs, scripts, shell
from tests.takt_served import served

PAGES = {str(p.relative_to(ROOT)): p for p in scripts()}
ON_KAFKA = {name: page for name, page in PAGES.items() if "kafka" in needs(page.read_text("utf-8"))}
PLAIN = sorted(PAGES.keys() - ON_KAFKA.keys())


@pytest.mark.slow
@pytest.mark.parametrize("name", PLAIN)
def test_page(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The commands of a page, run in order in an empty folder, do and print what it says."""
    play(PAGES[name], tmp_path, request)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ON_KAFKA))
def test_page_on_kafka(name: str, tmp_path: Path, kafka, request: pytest.FixtureRequest) -> None:
    """The commands of a page do and print what it says, with the broker's address for the one it gives."""
    play(PAGES[name], tmp_path, request, bootstrap=kafka.broker.bootstrap)


def play(page: Path, folder: Path, request: pytest.FixtureRequest, **given: Any) -> None:
    text = page.read_text("utf-8")
    data = request.getfixturevalue("real_data") if "data" in needs(text) else None
    with shell(folder, data=data, audit="audit" in needs(text), takt=served(), **given) as running:
        for block in blocks(text):
            running.play(block)


def test_missing_output_is_noticed() -> None:
    """A line that was not printed, or came too early, is missed; blanks and `...` are taken as they should."""
    assert list(absent("a  1\nb ... c\n", "a 1\nb 2 3 c\n")) == []
    assert list(absent("b\na\n", "a\nb\n")) == ["a"]
    assert list(absent("a\n", "ab\n")) == ["a"]


def test_there_are_pages() -> None:
    """Both kinds of pages are found, or this suite would say nothing."""
    assert len(PLAIN) > 5
    assert len(ON_KAFKA) > 1
