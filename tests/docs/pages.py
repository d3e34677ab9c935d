"""Pages of the documentation as scripts: which files they give, which commands, and what these should print.

The info string of a fenced block says what it is to a test:

    toml file=takt.toml   the text of a file
    sh run                commands that must succeed; those of a page run in its order, in one empty folder
    sh fails              commands of which the last must end with an error
    sql same=docs/x.sql   the text of a file of the repository
    text output           lines that the commands before it print, in this order; `...` stands for anything

A comment `<!-- needs: data kafka audit -->` says what else a page needs. The audit, which takes seconds to
load, runs only on pages that need it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

from tests.conftest import ROOT

DOCS = ROOT / "docs"
BOOTSTRAP = "127.0.0.1:9092"
_FENCE = re.compile(r"^( *)```\S+ ([^\n]+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_PATIENCE_S = 180
_OWN = Path(sys.executable).parent
_BACKGROUND = re.compile(r"^takt (?=.*&$)", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block: what it is to a test, the line it begins on, and its text."""

    role: str
    line: int
    text: str


def blocks(text: str) -> list[Block]:
    """The blocks of a page that say what they are."""
    return [Block(m[2].strip(), text.count("\n", 0, m.start()) + 1, dedent(m[3])) for m in _FENCE.finditer(text)]


def needs(text: str) -> set[str]:
    """What a page needs beyond an empty folder."""
    found = re.search(r"<!-- needs: (.*?) -->", text)
    return set(found[1].split()) if found else set()


def scripts() -> list[Path]:
    """All pages with commands to run."""
    pages = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    return [p for p in pages if any(b.role in ("run", "fails") for b in blocks(p.read_text("utf-8")))]


@dataclass
class Shell:
    """Runs the blocks of one page in a folder."""

    folder: Path
    bootstrap: str = BOOTSTRAP
    audit: bool = False
    takt: Path = _OWN
    """Folder of the `takt` that commands mean, but for one in the background, which is a process of its own."""
    output: str = ""
    _groups: list[int] = field(default_factory=list)

    def play(self, block: Block) -> None:
        """Do what a block says, or fail with its line."""
        text = block.text.replace(BOOTSTRAP, self.bootstrap)
        if block.role.startswith("file="):
            path = self.folder / block.role.removeprefix("file=")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        elif block.role.startswith("same="):
            assert (ROOT / block.role.removeprefix("same=")).read_text("utf-8") == block.text, f"line {block.line}"
        elif block.role == "output":
            missing = list(absent(text, self.output))
            assert not missing, f"line {block.line}: not printed: {missing}\nprinted:\n{self.output}"
        else:
            code = self._run(text)
            assert (code != 0) == (block.role == "fails"), f"line {block.line}: exit code {code}\n{self.output}"

    def _run(self, commands: str) -> int:
        env = {k: v for k, v in os.environ.items() if not k.startswith("TAKT_")}
        path = f"{self.takt}:{_OWN}:{env['PATH']}"
        env |= {"PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
        if not self.audit:
            env["TAKT_AUDIT__ENABLED"] = "false"
        log = self.folder / ".output"
        with log.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", _BACKGROUND.sub(f"{_OWN}/takt ", commands)],
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._groups.append(process.pid)
            code = process.wait(_PATIENCE_S)
        self.output = log.read_text("utf-8", "replace")
        return code

    def end(self) -> None:
        """End what the page left running in the background."""
        for group in self._groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)


@contextmanager
def shell(
    folder: Path,
    bootstrap: str = BOOTSTRAP,
    data: Path | None = None,
    *,
    audit: bool = False,
    takt: Path = _OWN,
) -> Iterator[Shell]:
    """A shell in a folder that looks like a checkout, with real data in `data` where it is given."""
    for name in ("schemas", "deploy", "docs"):
        (folder / name).symlink_to(ROOT / name)
    if data is not None:
        (folder / "data").symlink_to(data)
    running = Shell(folder, bootstrap, audit, takt)
    try:
        yield running
    finally:
        running.end()


def absent(expected: str, printed: str) -> Iterator[str]:
    """Expected lines that were not printed, or not in that order; blanks count alike."""
    lines = iter([" ".join(line.split()) for line in printed.splitlines()])
    for wanted in filter(None, (" ".join(line.split()) for line in expected.splitlines())):
        pattern = re.compile(".*".join(map(re.escape, wanted.split("..."))))
        if not any(pattern.fullmatch(line) for line in lines):
            yield wanted
