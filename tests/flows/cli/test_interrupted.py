"""Ctrl-C, as the user who typed it sees it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from flows.settings import Settings


def test_a_run_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A run that is stopped says that the next start goes on, and ends without a trace."""
    (tmp_path / "takt.toml").touch()
    cli, command = importlib.import_module("flows.cli"), importlib.import_module("flows.cli.run")

    def stopped(_: Settings, __: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run_flow", stopped)
    with pytest.raises(SystemExit) as ended:
        cli.app(["run", "-s", str(tmp_path / "takt.toml")])
    assert ended.value.code == 130
    assert capfd.readouterr().err == "stopped; the next start goes on where this one ended\n"


def test_while_the_command_is_being_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C before the command is there ends it without a trace, too."""

    class Interrupted:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "flows.cli.app":
                raise KeyboardInterrupt

    for name in ("flows.cli", "flows.cli.app"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module("flows.cli")
    assert ended.value.code == 130
