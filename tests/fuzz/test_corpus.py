"""The corpus that fuzzing starts from, run once as an ordinary test."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.fuzz_decode import check, seeds
from tests.schemas import reference


def test_the_fuzzing_corpus_decodes_as_the_reference_says() -> None:
    """No seed raises, and each is judged as the reference judges it."""
    for seed in seeds():
        check(seed)


@pytest.mark.slow
def test_changed_seeds_decode_as_the_reference_says() -> None:
    """Neither does any of 2,000 seeds with a few bytes changed, the same ones in every run."""
    chance = random.Random(20260302)
    corpus = [seed for seed in seeds() if len(seed) < 2000]
    for _ in range(2000):
        data = bytearray(chance.choice(corpus))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            pieces = (b"", b'"', b"\\", b":", b"0", bytes([chance.randrange(256)]))
            data[at : at + chance.randint(0, 2)] = chance.choice(pieces)
        check(bytes(data))


def test_the_check_of_the_fuzzer_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference that takes every integer for 0 is noticed."""
    monkeypatch.setitem(reference._READ, "integer", lambda _: 0)
    with pytest.raises(AssertionError):
        check(next(seeds()))
