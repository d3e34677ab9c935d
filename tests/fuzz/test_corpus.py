"""The corpus that fuzzing starts from, run once as an ordinary test."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from tests.fuzz.fuzz_decode import _SEPARATOR, check, seeds
from tests.schemas import reference

_TOGETHER = 8


def check_all(inputs: Iterable[bytes]) -> None:
    """Check many inputs, a few in each call, as a call costs far more than a message."""
    inputs = list(inputs)
    for start in range(0, len(inputs), _TOGETHER):
        check(_SEPARATOR.join(inputs[start : start + _TOGETHER]))


@pytest.mark.slow
def test_the_fuzzing_corpus_decodes_as_the_reference_says() -> None:
    """No seed raises, and each is judged as the reference judges it."""
    check_all(seeds())


@pytest.mark.slow
def test_changed_seeds_decode_as_the_reference_says() -> None:
    """Neither does any of 2,000 seeds with a few bytes changed, the same ones in every run."""
    chance = random.Random(20260302)
    corpus = [seed for seed in seeds() if len(seed) < 2000]
    changed = []
    for _ in range(2000):
        data = bytearray(chance.choice(corpus))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            pieces = (b"", b'"', b"\\", b":", b"0", bytes([chance.randrange(256)]))
            data[at : at + chance.randint(0, 2)] = chance.choice(pieces)
        changed.append(bytes(data))
    check_all(changed)


def test_the_check_of_the_fuzzer_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference that takes every integer for 0 is noticed."""
    monkeypatch.setitem(reference._READ, "integer", lambda _: 0)
    with pytest.raises(AssertionError):
        check(next(seeds()))
