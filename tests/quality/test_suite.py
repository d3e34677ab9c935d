"""The suite is plain JSON that Great Expectations loads, the same for the same contract for ever."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from quality.patterns import to_python, to_rust
from quality.registration import LANE_KINDS
from quality.suite import make_suite, suite_hash, suite_json
from schemas.registry import contracts, find_contract

ROBOT = find_contract("robot.state@1")


def test_rules_come_in_field_order_with_stable_codes() -> None:
    """Codes name field and check; the contract's own rules come last."""
    codes = [e["meta"]["code"] for e in make_suite(ROBOT)["expectations"]]
    assert codes[:3] == ["event_id.required", "event_id.length", "robot.required"]
    assert codes[-3:] == ["source.length", "busy_within_available", "working_battery"]
    assert {"mode.values", "battery.range", "units.range"} <= set(codes)
    assert "error.required" not in codes


def test_the_hash_is_pinned_to_the_rules() -> None:
    """The same contract gives the same hash in every release; any change of a rule gives another."""
    expected = {
        "control@1": "8640826aef4380f110fabfe5e6ba03ee49dfed598b814267e2f7a16e500f5f56",
        "demand.line@1": "82c42ed7f250be0a28b54644fc85ddeabbc34ee21fc22af51519d39bf111f2bb",
        "forecast@1": "4a25f6e25b553a43625884028261008ea218ec142e6a9e02e6e2bc14e428110d",
        "inventory.count@1": "41a36092685b419c171bf1819b44f5f667279d3baa468c4b587a576bab91e1a2",
        "inventory.move@1": "7cfe9d1589ac6ea493d5e2681c526ffe57228b1a6b85a5234fd544b45f92b5a4",
        "inventory.snapshot@1": "790743768d22a2f928cb354886c39f0eacee7b2481e9102a6246d29c542ffeac",
        "item@1": "0920d2ca4c2bac4ae4566fb882fd825e6084e6abbfbfc40b65e0974979d00246",
        "pos.sale@1": "72c30a5db7709adc9c852595c56e22becc3dd1d1b669c1e58b74e292206ad0c5",
        "promotion@1": "09ac321a094508637cecb02ba0abca8f8de5136f438887e4bea295b15761c36a",
        "robot.state@1": "7e8d32fab86ec2b94b18981ab2bbd3186e89e9dbc664994ba26789c70ac68fa4",
        "robot@1": "be5a68c002cef9ab27d5e465013d4b992b8db70dda555b1d233af50dd0a62a60",
        "sensor.reading@1": "8bf756dfb58a1f46748ae72217f7719dc42b87c5772700752b051f09d3cc5e47",
        "task@1": "48d09919898de498ffa5c02573aa1c23f6e40e35b1392cb75203afb68caa7b72",
        "task@2": "af7875c1f41ba93f99239e7d80f6cea0a17e9b2584dac3906c9cf8e2c291d4a1",
    }
    assert {key: suite_hash(make_suite(contract)) for key, contract in contracts().items()} == expected
    battery = replace(ROBOT.field("battery"), maximum=101)
    changed = replace(ROBOT, fields=tuple(battery if f.name == "battery" else f for f in ROBOT.fields))
    assert suite_hash(make_suite(changed)) != expected["robot.state@1"]


def test_canonical_json_reads_back_as_the_suite() -> None:
    """Nothing of the suite is lost in its JSON."""
    suite = make_suite(ROBOT)
    assert json.loads(suite_json(suite)) == suite


@pytest.mark.slow
@pytest.mark.xdist_group("audit")
def test_great_expectations_loads_every_suite_and_knows_the_lane() -> None:
    """Each shipped suite loads with its severities, and every kind of the lane exists."""
    from great_expectations.core.expectation_suite import ExpectationSuite  # noqa: PLC0415 - slow to load
    from great_expectations.expectations.registry import get_expectation_impl  # noqa: PLC0415

    for contract in contracts().values():
        suite = make_suite(contract)
        loaded = ExpectationSuite(name=suite["name"], expectations=[dict(e) for e in suite["expectations"]])
        assert [e.meta["code"] for e in loaded.expectations] == [e["meta"]["code"] for e in suite["expectations"]]
        assert [e.severity for e in loaded.expectations] == [e["severity"] for e in suite["expectations"]]
    for kind in LANE_KINDS:
        assert get_expectation_impl(kind)


@pytest.mark.slow
def test_the_gate_does_not_load_great_expectations() -> None:
    """Importing and registering leaves Great Expectations and pandas unloaded: they take seconds."""
    code = (
        "import sys; from quality.gate import Gate; from quality.registration import register;"
        "from schemas.registry import find_contract; Gate(register(find_contract('task@1')), ['task']);"
        "sys.exit(bool({'great_expectations', 'pandas'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("pattern", "python", "rust"),
    [
        (r"^[a-z]$", r"^[a-z]\Z", r"^[a-z]\z"),
        (r"a|b$", r"a|b\Z", r"a|b\z"),
        (r"^\$[$]$", r"^\$[$]\Z", r"^\$[$]\z"),
        (r"\\$", r"\\\Z", r"\\\z"),
    ],
)
def test_the_end_of_a_contract_pattern_is_the_very_end(pattern: str, python: str, rust: str) -> None:
    """`$` of ECMA-262 becomes `\\Z` in Python and `\\z` in Rust; a literal dollar stays."""
    assert to_python(pattern) == python
    assert to_rust(python) == rust


@pytest.mark.parametrize(
    "pattern",
    [
        r"\d", r"\w", r"\s", r"\b", r"(?i)a", r"(?=a)", r"(?<!a)", r"(a)\1", r"(?P<n>a)", r"a*?", r"a*+", r"a**",
        r"^*", r"[a&&b]", r"[a--b]", r"[[:alpha:]]", r"a{,3}", r"a{", r"[]", r"a$b", r"(a$)", r"\x41", r"\u00e9",
        r"|*", r"(?#c)a", r"\A",
    ],
)  # fmt: skip
def test_what_engines_read_differently_is_not_compiled(pattern: str) -> None:
    """Outside of the subset there is no Rust form."""
    assert to_rust(pattern) is None
