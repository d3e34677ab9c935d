"""The compiled gate says of every row what Great Expectations says, and no mutant of the compiler does."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

import quality.compiler
from schemas.errors import ContractError
from tests.quality.hard_values import CONTRACT, RULES, expectation, hard_frame
from tests.quality.oracle import failing_rows

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("audit")]


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return hard_frame()


@pytest.fixture(scope="module")
def truth(frame: pl.DataFrame) -> list[set[int]]:
    found = failing_rows(frame, [expectation(n) for n in range(len(RULES))])
    return [found[f"rule{n}"] for n in range(len(RULES))]


def compiled(module: ModuleType, frame: pl.DataFrame, number: int) -> set[int]:
    verdict = frame.select(module.compile_rule(expectation(number), CONTRACT)).to_series()
    assert verdict.null_count() == 0
    return set(verdict.arg_true().to_list())


@pytest.mark.parametrize("number", range(len(RULES)), ids=lambda n: f"{n}-{RULES[n][0]}")
def test_the_compiled_rule_fails_the_rows_great_expectations_fails(
    frame: pl.DataFrame, truth: list[set[int]], number: int
) -> None:
    """On hard values the compiled rule and Great Expectations name the same rows."""
    rows = compiled(quality.compiler, frame, number)
    difference = sorted(rows ^ truth[number])[:5]
    assert not difference, (RULES[number], frame[difference].to_dicts())


def test_the_values_are_hard_enough_to_tell_rules_apart(truth: list[set[int]]) -> None:
    """Nearly every rule fails some rows and passes others, so that agreement means something."""
    telling = [n for n, rows in enumerate(truth) if 0 < len(rows) < 259]
    assert len(telling) > 0.9 * len(RULES)


MUTANTS = [
    ("compiler", "column >= low", "column > low"),
    ("compiler", "column > low if", "column >= low if"),
    ("compiler", "column <= high", "column < high"),
    ("compiler", "column < high if", "column <= high if"),
    ("compiler", '(False, False): "both"', '(False, False): "left"'),
    ("compiler", '(True, False): "right"', '(True, False): "both"'),
    ("compiler", '(False, True): "left"', '(False, True): "both"'),
    ("compiler", '(True, True): "none"', '(True, True): "left"'),
    ("compiler", "~holds.fill_null(value=True)", "~holds.fill_null(value=False)"),
    ("compiler", "_ANY)).is_null()", "_ANY)).is_not_null()"),
    ("compiler", "_ANY)).is_not_null()", "_ANY)).is_null()"),
    ("compiler", '("string",))).str.len_chars(), arguments', '("string",))).str.len_bytes(), arguments'),
    ("compiler", ".str.len_chars() == length", ".str.len_bytes() == length"),
    ("compiler", "pl.any_horizontal([column == value", "pl.all_horizontal([column == value"),
    ("compiler", "else column.is_in(values)", "else column.is_in(values[1:])"),
    ("compiler", "_fails(~_member(arguments))", "_fails(_member(arguments))"),
    ("compiler", "column.str.contains(rust)", "column.str.contains(pattern.replace('Z', 'z'))"),
    ("compiler", "_fails(~_found(arguments))", "_fails(_found(arguments))"),
    ("compiler", "lambda a, b: a >= b", "lambda a, b: a > b"),
    ("compiler", "lambda a, b: a > b", "lambda a, b: a >= b"),
    ("compiler", "lambda a, b: a == b", "lambda a, b: a.eq_missing(b)"),
    ("compiler", " & ~(a.is_null() & b.is_null())", ""),
    ("compiler", "holds(a, b).fill_null(value=False)", "holds(a, b).fill_null(value=True)"),
    ("compiler", "operator.add", "operator.sub"),
    ("compiler", "fails &= compile_condition", "fails |= compile_condition"),
    ("arguments", "column.fill_nan(None) if", "column if"),
    ("arguments", "int(value) if value == int(value) else float(value)", "int(value)"),
    ("conditions", "fill_null(operator in _TRUE_OF_MISSING)", "fill_null(value=False)"),
    ("conditions", "fill_null(operator in _TRUE_OF_MISSING)", "fill_null(value=True)"),
    ("conditions", '_TRUE_OF_MISSING: Final = ("!=", "NOT_IN")', '_TRUE_OF_MISSING: Final = ("!=",)'),
    ("conditions", "column < value", "column <= value"),
    ("conditions", "column <= value", "column < value"),
    ("conditions", "column > value", "column >= value"),
    ("conditions", "column >= value", "column > value"),
    ("conditions", "pl.all_horizontal", "pl.any_horizontal"),
    ("conditions", "pl.any_horizontal", "pl.all_horizontal"),
    ("conditions", "column.is_null() if is_null", "column.is_not_null() if is_null"),
    ("patterns", r"\n?\z", r"\z"),
    ("patterns", r'r"\z" if kind', r'r"\n?\z" if kind'),
    ("patterns", r"text = r", r"text = r'|' + r"),
]


@pytest.mark.parametrize(("name", "old", "new"), MUTANTS, ids=lambda text: text[:40])
def test_every_mutant_of_the_compiler_is_caught(
    frame: pl.DataFrame, truth: list[set[int]], monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str
) -> None:
    """A small wrong change to the compiler makes it disagree with Great Expectations somewhere."""
    module = mutated(monkeypatch, name, old, new)
    assert any(differs(module, frame, n, truth[n]) for n in range(len(RULES)))


def test_a_compiler_without_mutation_is_not_caught(
    frame: pl.DataFrame, truth: list[set[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way mutants are made does not itself make them differ."""
    module = mutated(monkeypatch, "compiler", "_FEW", "_FEW")
    assert not any(differs(module, frame, n, truth[n]) for n in range(len(RULES)))


def mutated(monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str) -> ModuleType:
    """The compiler with one text of module `name` replaced; the modules it stands on are loaded afresh."""
    for each in ("patterns", "arguments", "conditions", "compiler"):
        spec = importlib.util.find_spec(f"quality.{each}")
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).read_text(encoding="utf-8")
        if each == name:
            assert old in source, "the mutant is out of date"
            source = source.replace(old, new, 1)
        module = ModuleType(f"quality.{each}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(source, spec.origin, "exec"), module.__dict__)  # noqa: S102 - our own source
    return sys.modules["quality.compiler"]


def differs(module: ModuleType, frame: pl.DataFrame, number: int, rows: set[int]) -> bool:
    try:
        return compiled(module, frame, number) != rows
    except (ContractError, pl.exceptions.PolarsError, AssertionError):
        return True
