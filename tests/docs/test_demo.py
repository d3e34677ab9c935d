"""What the README shows of `takt demo` is what it prints today, but for the numbers."""

from __future__ import annotations

import importlib
import re
from functools import partial
from pathlib import Path

import pytest

from domain.twin.config import WarehouseConfig
from flows.progress import Told
from flows.run import run
from flows.settings import Settings
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.slow
def test_the_readme_shows_what_the_demo_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines, columns and captions agree, and the query to paste is one that it gives, with the same columns."""
    demo = importlib.import_module("flows.cli.demo")

    def without_audit(settings: Settings, told: Told) -> None:
        run(settings.model_copy(update={"audit": settings.audit.model_copy(update={"enabled": False})}), told)

    monkeypatch.setattr(demo, "run_flow", without_audit)
    monkeypatch.setattr(demo, "WarehouseConfig", partial(WarehouseConfig, duration_s=3_600))
    monkeypatch.setattr(demo.out, "width", 120)
    demo.demo(tmp_path / "demo", robots=4)
    printed = capsys.readouterr().out

    shown, answer = re.findall(r"```text\n(.*?)```", README, re.DOTALL)[:2]
    assert shape(shown) == shape(printed.partition("data quality:")[0])
    assert shape(answer)[0] in shape(printed)
    (query,) = re.findall(r'```sh\ntakt sql -s var/demo/takt.toml -c "(.*?)"\n', README, re.DOTALL)
    assert " ".join(query.split()) in printed


def shape(text: str) -> list[str]:
    """Lines with N for numbers and Z for zones; of lines that are then alike the first."""
    text = re.sub(r"[+-]?\d[\d,.]*", "N", re.sub(r"\w+/\w+", "Z", text))
    words = [" ".join(re.sub(r"[\u2500-\u257f]", " ", line).split()) for line in text.splitlines()]
    return [*dict.fromkeys(filter(None, words))]
