"""Ctrl-C, as the user who typed it sees it."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest


class Panic(BaseException):
    """What the engine raises for Ctrl-C while it starts."""


def interrupted_while_starting(*_: object) -> None:
    with suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    raise Panic


def interrupted_while_running(*_: object) -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("run", [interrupted_while_starting, interrupted_while_running])
def test_a_run_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], run: Callable[..., None]
) -> None:
    """A run that is stopped says that the next start goes on, and ends without a trace, whenever it was."""
    (tmp_path / "takt.toml").touch()
    monkeypatch.setattr(importlib.import_module("flows.cli.run"), "run_flow", run)
    with pytest.raises(SystemExit) as ended:
        importlib.import_module("flows.cli").app(["run", "-s", str(tmp_path / "takt.toml")])
    assert ended.value.code == 130
    assert capfd.readouterr().err == "stopped; the next start goes on where this one ended\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


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
