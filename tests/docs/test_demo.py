"""What the README shows of `takt demo` is what it prints today, but for the numbers."""

from __future__ import annotations

import importlib
import re
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from typing import NamedTuple

import pytest

from dashboards.sql import query
from domain.twin.config import WarehouseConfig
from flows.progress import Told
from flows.run import run
from flows.settings import Settings
from sinks.lake.catalog import LakeLocation
from sinks.lake.meta import example_queries
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text("utf-8")


class Played(NamedTuple):
    """What a demo of one hour printed, and where its lake is."""

    printed: str
    lake: LakeLocation


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """`takt demo` with forty robots and without the audit."""
    demo = importlib.import_module("flows.cli.demo")
    folder, printed = tmp_path_factory.mktemp("demo") / "demo", StringIO()

    def without_audit(settings: Settings, told: Told) -> None:
        run(settings.model_copy(update={"audit": settings.audit.model_copy(update={"enabled": False})}), told)

    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.setattr(demo, "run_flow", without_audit)
        patch.setattr(demo, "WarehouseConfig", partial(WarehouseConfig, duration_s=3_600))
        patch.setattr(demo.out, "width", 120)
        demo.demo(folder, robots=40)
    return Played(printed.getvalue(), LakeLocation(folder / "lake"))


@pytest.mark.slow
def test_the_readme_shows_what_the_demo_prints(played: Played) -> None:
    """Lines, columns and captions agree, and the query to paste is one that it gives, with the same columns."""
    shown, answer = re.findall(r"```text\n(.*?)```", README, re.DOTALL)[:2]
    assert shape(shown) == shape(played.printed.partition("data quality:")[0])
    assert shape(answer)[0] in shape(played.printed)
    (query,) = re.findall(r'```sh\ntakt sql -s var/demo/takt.toml -c "(.*?)"\n', README, re.DOTALL)
    assert " ".join(query.split()) in played.printed


@pytest.mark.slow
def test_robots_and_tasks_tell_the_same_story(played: Played) -> None:
    """Little's law holds between counters of robots and service times of tasks, and nobody is more than busy."""
    law = next(example.sql for example in example_queries() if example.name == "littles_law")
    found = query(played.lake, law)
    zones = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    assert sum(zone["tasks"] for zone in zones) > 50
    for zone in zones:
        assert zone["busy_by_littles_law"] == pytest.approx(zone["busy_by_counters"], rel=0.3)
        assert 0 < zone["utilisation"] <= 1


def shape(text: str) -> list[str]:
    """Lines with N for numbers and Z for zones; of lines that are then alike the first."""
    text = re.sub(r"[+-]?\d[\d,.]*", "N", re.sub(r"\w+/\w+", "Z", text))
    words = [" ".join(re.sub(r"[\u2500-\u257f]", " ", line).split()) for line in text.splitlines()]
    return [*dict.fromkeys(filter(None, words))]
