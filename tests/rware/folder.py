"""A day as a folder: messages, settings of a run over them, and the truth."""

from __future__ import annotations

from pathlib import Path

from .day import Day

GRACE_S = 600
WINDOW_S = 150
"""Nearly all that a run over a day costs is the number of its windows."""
_SETTINGS = f"""[lake]
folder = "lake"

[recovery]
folder = "recovery"
snapshot_every_s = 5

[audit]
enabled = false

[time]
window_s = {WINDOW_S}

[alignment]
grace_s = {GRACE_S}
"""
_SOURCE = """
[sources.{name}]
kind = "files"
contract = "{contract}"
path = "{contract}.jsonl"
"""
SETTINGS = "takt.toml"


def write(day: Day, folder: Path) -> int:
    """Write a day; how many messages it has."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = _SETTINGS
    for contract, messages in day.messages.items():
        (folder / f"{contract}.jsonl").write_bytes(b"".join(messages))
        settings += _SOURCE.format(name=contract.partition("@")[0].replace(".", "_"), contract=contract)
    (folder / SETTINGS).write_text(settings, "utf-8")
    day.truth().write_parquet(folder / "truth.parquet")
    return sum(len(messages) for messages in day.messages.values())
