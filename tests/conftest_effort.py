"""What is loaded to find tests, which go to one worker, which come first, and how many examples the fast part tries."""

from __future__ import annotations

import gc
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# On a busy machine any example may take long.
settings.register_profile("takt", deadline=None)
settings.load_profile("takt")

_FAST = "not slow"
_ALL_SLOW = re.compile(r"^pytestmark = .*\bpytest\.mark\.slow\b", re.MULTILINE)
_SHARE = 10
_FEWEST = 5
_LONG = ("kafka kills", "kafka", "rware")
"""Groups that take minutes, the longest first: one that is begun late is what the other workers wait for at the end."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out modules with nothing to run: to load them and what they import takes every worker many seconds.

    These have neither tests nor examples, or in the fast part slow tests alone.
    """
    if collection_path.suffix != ".py":
        return None
    text = collection_path.read_text("utf-8")
    if collection_path.name.startswith("test_"):
        return (_FAST in config.option.markexpr and bool(_ALL_SLOW.search(text))) or None
    return ">>>" not in text or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep together what shares something or is over at once; begin with what takes long; try few examples if asked to.

    The whole suite tries all of them, the fast part fewer.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None and (_shares(item) or not item.get_closest_marker("slow")):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items.sort(key=_turn)
    if _FAST in config.option.markexpr:
        for test in {id(item.obj): item.obj for item in items if isinstance(item, pytest.Function)}.values():
            _try_few(test)


def pytest_collection_finish() -> None:
    """Keep what was loaded, and stays, from the collector of cycles, which would look through it a hundred times."""
    gc.freeze()


def _turn(item: pytest.Item) -> int:
    """Long groups, then slow tests, then the others."""
    marked = item.get_closest_marker("xdist_group")
    if marked is not None and marked.args[0] in _LONG:
        return _LONG.index(marked.args[0])
    return len(_LONG) + (item.get_closest_marker("slow") is None)


def _shares(item: pytest.Item) -> bool:
    """Whether the test has a fixture that is made once for its file."""
    fixtures = getattr(item, "_fixtureinfo", None)
    made = fixtures.name2fixturedefs.values() if fixtures else ()
    return any(fixture.scope == "module" for definitions in made for fixture in definitions)


def _try_few(test: Any) -> None:
    # Where Hypothesis' own plugin sets it too: a profile would not bind tests that give a number.
    given = getattr(test, "_hypothesis_internal_use_settings", None)
    if given is not None:
        few = min(given.max_examples, max(_FEWEST, given.max_examples // _SHARE))
        test._hypothesis_internal_use_settings = settings(given, max_examples=few)
