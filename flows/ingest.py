"""Where ingested messages go: a JSON-lines file, whole or not at all, or a topic, every delivery checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from flows.kafka import connection
from flows.settings import Settings
from schemas.contract import Contract
from schemas.errors import SinkError
from sinks.kafka.raw import produce

_ENTITY = "entity"


def to_file(batches: Iterable[list[bytes]], path: Path, told: Callable[[int], None]) -> int:
    """Write messages as lines; the file appears under its name only when it is complete. How many there were.

    A line break between the values of a message becomes a blank. Raises SinkError where one is in a message that is
    no JSON, or the file cannot be written.
    """
    if path.is_dir():
        raise SinkError(f"{path} is a folder", fix="give the path of a file in it")
    draft = path.with_name(f".{path.name}.part")
    count = 0
    try:
        with draft.open("wb") as file:
            for batch in batches:
                file.writelines(_line(message) for message in batch)
                count += len(batch)
                told(count)
        draft.rename(path)
    except OSError as error:
        raise SinkError(
            f"{path} cannot be written: {error.strerror}", fix="check the folder, its rights and free space"
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink()
    return count


def _line(message: bytes) -> bytes:
    if b"\n" in message:
        try:
            msgspec.json.decode(message, type=msgspec.Raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise SinkError(
                f"a message has a line break and is no JSON, so it cannot be a line of a file: {message[:80]!r}",
                fix="choose others with --reason, or give them to the topic, without --to",
            ) from error
        message = message.replace(b"\n", b" ")
    return message + b"\n"


def to_topic(
    batches: Iterable[list[bytes]], settings: Settings, topic: str, contract: Contract, told: Callable[[int], None]
) -> int:
    """Send messages to a topic, keyed by their entity; how many there were, all delivered."""
    entity = msgspec.defstruct("Entity", [(_ENTITY, str, msgspec.field(name=contract.entity_field))])
    decoder = msgspec.json.Decoder(entity)

    def key(message: bytes) -> str | None:
        try:
            return str(getattr(decoder.decode(message), _ENTITY))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None  # the gate will say what is wrong with it; it has no entity whose order could matter

    keyed = ([(key(message), message) for message in batch] for batch in batches)
    return produce(connection(settings), topic, keyed, told)
