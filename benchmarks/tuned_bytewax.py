"""The standard job in plain Bytewax operators with what can be won by hand: msgspec, and windows that keep no order.

Run it as:

    python -m benchmarks.tuned_bytewax INPUT OUTPUT_FOLDER
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import msgspec
from bytewax.testing import run_main

from benchmarks.plain_bytewax import dataflow, parse, prepare

if __name__ == "__main__":
    parse_line = partial(parse, decode=msgspec.json.Decoder().decode)
    run_main(dataflow(Path(sys.argv[1]), prepare(Path(sys.argv[2])), parse_line=parse_line, ordered=False))
