"""What was replayed is remembered, also where a full disk cut the last line short."""

from __future__ import annotations

import pytest

from flows.replay_ledger import opened


@pytest.mark.parametrize("kept", [0, 1, 40, 65, 66])
def test_a_line_cut_short_is_no_replay_and_spoils_none(tmp_path, kept):
    """Of a line of 67 characters some are there: its message waits, the next replay is noted, and read again."""
    for _ in range(2):
        with opened(tmp_path, "robots") as ledger:
            ledger.note([(b"first", 1)])
    path = tmp_path / "replays" / "robots.txt"
    with opened(tmp_path, "robots") as ledger:
        assert not ledger.waits(b"first", 1)
        ledger.note([(b"cut", 1)])
    path.write_text(path.read_text()[: 2 * 67 + kept])
    with opened(tmp_path, "robots") as ledger:
        assert ledger.waits(b"cut", 1)
        ledger.note([(b"next", 2)])
    with opened(tmp_path, "robots") as ledger:
        assert [ledger.waits(raw, 2) for raw in (b"first", b"cut", b"next")] == [True, True, False]
