"""Coverage-guided fuzzing of the decoder against the slow reference.

Run it for five minutes in an environment that has Takt and atheris (which needs Linux or macOS):

    pip install atheris
    python -m tests.fuzz.fuzz_decode -max_total_time=300 -max_len=4096 [corpus folder]

Any exception, and any verdict or value that differs from the reference, ends the run and leaves the input in a
file `crash-*`. `python -m tests.fuzz.fuzz_decode crash-*` replays it.
"""

from __future__ import annotations

import inspect
import json.decoder
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from schemas import bulk, decode, exact, repeated_keys, timestamps
from schemas.batch import ROW
from schemas.contract import Contract
from schemas.decode import Decoder
from schemas.messages import Messages
from tests.schemas import reference
from tests.schemas.messages import CONTRACT, FLAT, GOOD, KEYS, NUMBERS, OTHERS, TEXTS, TIMES

_SEPARATOR = b"\x1e"
_MAX_BYTES = 100_000


def check(data: bytes) -> None:
    """Decode the messages in `data` (split at 0x1e) as one batch; every verdict and value must be the reference's."""
    messages = data.split(_SEPARATOR)
    decode._MANY = 1  # the bulk reader takes what it can
    for contract in (CONTRACT, FLAT):
        _check(messages, contract)


def _check(messages: list[bytes], contract: Contract) -> None:
    decoded = Decoder(contract, max_bytes=_MAX_BYTES).decode(Messages.of(messages))
    frame = decoded.frame.with_columns(pl.col(pl.Datetime("us", "UTC")).to_physical())
    rows = {row.pop(ROW): row for row in frame.to_dicts()}
    rejected = {reject.row: reject.code for reject in decoded.rejects}
    assert rows.keys() | rejected.keys() == set(range(len(messages)))
    assert not rows.keys() & rejected.keys()
    for at, message in enumerate(messages):
        try:
            values = reference.decode(message, contract, max_bytes=_MAX_BYTES)
        except reference.RefusedError:
            values = None
        assert repr(rows.get(at)) == repr(values), (message, rejected.get(at))


def seeds() -> Iterator[bytes]:
    """A small corpus: one message per hard value, in the field where it is at home, and batches of them."""
    homes = {"id": TEXTS, "at": TIMES, "n": NUMBERS, "x": NUMBERS, "flag": OTHERS, "tags": OTHERS, "marks": OTHERS}
    flat = {name: GOOD[name] for name in FLAT.field_names}
    for name, values in homes.items():
        for value in values:
            yield _message(GOOD | {name: value})
            if name in flat:
                yield _message(flat | {name: value})
    for key in KEYS:
        yield _message(GOOD)[:-1] + b"," + key + b":1}"
    yield _SEPARATOR.join(_message(GOOD | {"x": value}) for value in NUMBERS)
    yield _SEPARATOR.join(_message(flat | {"note": value}) for value in TEXTS)
    yield _SEPARATOR.join(_message(GOOD | {"flag": value, "marks": value}) for value in OTHERS)


def _message(fields: dict[str, bytes]) -> bytes:
    return b"{" + b",".join(b'"%s":%s' % (name.encode(), value) for name, value in fields.items()) + b"}"


def main() -> None:
    """Fuzz until told to stop by the command line or a finding."""
    import atheris  # noqa: PLC0415 - only the fuzzing environment has it

    # msgspec is compiled and gives no coverage: what the reference does with a message has to guide instead.
    for module in (bulk, decode, exact, repeated_keys, timestamps, reference, json.decoder):
        for owner in (module, *filter(inspect.isclass, vars(module).values())):
            for name, function in list(vars(owner).items()):
                if inspect.isfunction(function) and function.__module__ == module.__name__:
                    setattr(owner, name, atheris.instrument_func(function))
    with TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds()):
            Path(folder, str(number)).write_bytes(seed)
        files = [argument for argument in sys.argv[1:] if Path(argument).is_file()]
        atheris.Setup([*sys.argv, *([] if files else [folder])], check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
