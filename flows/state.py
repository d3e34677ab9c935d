"""Stored state: MessagePack of primitives and bytes; large parts that never change lie beside it, each once.

Parts are files in the private recovery folder, named by their content, so that a part means the same in every
snapshot, also in those of an epoch that never happened. A part is written before the snapshot that names it. What the
newest snapshots of a step no longer name is removed: the engine resumes from one of the last.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from domain.streaming.parts import Part
from schemas.errors import RecoveryError

_INLINE: Final = 1
"""Extension code of a part that is written out in the snapshot."""
_NAMED: Final = 2
"""Extension code of a part that is named."""
_SMALL: Final = 128 << 10
"""Bytes up to which a part goes into the snapshot: a file of its own would cost more."""
_KEPT: Final = 16
"""Snapshots of a step whose parts are kept."""


class StepState:
    """Encodes and decodes the state of one key of one step, whose parts lie in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        """`folder` is where the parts of all steps are; it is made when it is needed."""
        self._all = folder
        self._own = uuid.uuid4().hex  # the engine does not tell a step which key it is built for
        self._named: deque[set[str]] = deque(maxlen=_KEPT)

    @property
    def _folder(self) -> Path:
        return self._all / self._own

    def encode(self, state: object) -> bytes:
        """Bytes of a state; RecoveryError where a part cannot be written."""
        named: set[str] = set()
        data = msgspec.msgpack.encode([self._own, state], enc_hook=lambda part: self._reference(part, named))
        full = len(self._named) == _KEPT
        self._named.append(named)
        if full:
            self._tidy(set().union(*self._named))
        return data

    def decode(self, data: bytes) -> Any:
        """State of bytes; RecoveryError where a part is gone."""
        # Twice: where the parts are is said before them, but is not known while they are decoded.
        self._own = msgspec.msgpack.decode(data, ext_hook=lambda *_: None)[0]
        return msgspec.msgpack.decode(data, ext_hook=self._referred)[1]

    def _reference(self, part: object, named: set[str]) -> msgspec.msgpack.Ext:
        if not isinstance(part, Part):
            # What the encoder wants of a hook that does not know a type.
            raise NotImplementedError(f"state of type {type(part).__name__}")
        if part.name is None:
            data = part.read()
            if part.size <= _SMALL:
                return msgspec.msgpack.Ext(_INLINE, data)
            name = hashlib.blake2b(data, digest_size=16).hexdigest()
            self._write(name, data)
            part.stored_as(name, self._reader(name))
        named.add(str(part.name))
        return msgspec.msgpack.Ext(_NAMED, str(part.name).encode())

    def _referred(self, code: int, data: memoryview) -> Part:
        if code == _INLINE:
            return Part(bytes(data))
        name = bytes(data).decode()
        read = self._reader(name)
        part = Part(read())
        part.stored_as(name, read)
        return part

    def _reader(self, name: str) -> Callable[[], bytes]:
        path = self._folder / name

        def read() -> bytes:
            try:
                return path.read_bytes()
            except OSError as error:
                raise RecoveryError(
                    f"part {path} of the stored state cannot be read: {error.strerror}",
                    fix="restore the whole recovery folder from a backup, or start a new run",
                ) from error

        return read

    def _write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        if path.exists():
            return
        draft = path.with_suffix(".new")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
        except OSError as error:
            raise RecoveryError(
                f"part {path} of the stored state cannot be written: {error.strerror}",
                fix="make room on the disk of `recovery.folder`, or give its rights back; then run again, and the flow "
                "goes on from its last commit",
            ) from error

    def _tidy(self, needed: set[str]) -> None:
        if not self._folder.exists():
            return
        for path in self._folder.iterdir():
            if path.name in needed:
                continue
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise RecoveryError(
                    f"part {path} of the stored state, which is needed no more, cannot be removed: {error.strerror}",
                    fix="give `recovery.folder` its rights back, and run again: the flow goes on from its last commit",
                ) from error
