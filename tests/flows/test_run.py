"""What a user meets when the flow fails or is interrupted."""

from __future__ import annotations

import gc
import os
import signal
import time

import pytest

from flows.run import run
from schemas.errors import SourceError

from .process import PATIENCE_S, start
from .warehouse import settings_of


@pytest.mark.parametrize("workers", [1, 2])
def test_failure_is_the_error_itself_and_nothing_else_on_stderr(tmp_path, capfd, monkeypatch, workers):
    """The error comes out of the engine as it was raised, without reports of Rust panics, whatever RUST_BACKTRACE."""
    monkeypatch.setenv("RUST_BACKTRACE", "1")
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "a.parquet").write_bytes(b"PAR1 not really")
    before = gc.get_threshold(), gc.get_freeze_count() > 0
    with pytest.raises(SourceError, match=r"a\.parquet is not a readable Parquet file"):
        run(settings_of(tmp_path, tmp_path / "input", workers=workers))
    assert (gc.get_threshold(), gc.get_freeze_count() > 0) == before
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("workers", [1, 2])
def test_other_failures_are_not_hidden(tmp_path, monkeypatch, workers):
    """A fault of the program comes out with its cause, so that it can be reported."""
    (tmp_path / "a.jsonl").write_bytes(b"{}\n")

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("flows.steps.PartitionStep.on_batch", broken)
    with pytest.raises(Exception, match="error calling") as failed:
        run(settings_of(tmp_path, tmp_path / "a.jsonl", workers=workers))
    error: BaseException | None = failed.value
    while error is not None and not isinstance(error, ZeroDivisionError):
        error = error.__cause__
    assert error is not None


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_ctrl_c_ends_a_followed_input_at_once(tmp_path, workers):
    """SIGINT ends the flow without a report; the store is free for the next start."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"{}\n")
    settings = settings_of(tmp_path, path, follow=True, workers=workers)
    for _ in range(2):
        flow = start(settings)
        deadline = time.monotonic() + PATIENCE_S
        while flow.commits == 0 and time.monotonic() < deadline:
            flow.process.join(0.05)
            assert flow.process.is_alive(), "the flow ended by itself"
            path.open("ab").write(b"{}\n")
        assert flow.process.pid is not None
        os.kill(flow.process.pid, signal.SIGINT)
        assert flow.end() == 1
