"""Which settings a run keeps."""

from __future__ import annotations

from typing import Any

import pytest

from flows.bound import bound_settings
from flows.settings import Settings


def bound(contract: str = "robot.state@1", source: str = "files", **sections: Any) -> dict[str, str]:
    """What is bound of settings with one source."""
    places = {"files": {"path": "day"}, "kafka": {"topic": "telemetry"}}
    one = {"kind": source, "contract": contract, **places[source], **sections.pop("one", {})}
    kafka = {"bootstrap": "localhost:9092"}
    return bound_settings(Settings.model_validate({"sources": {"a": one}, "kafka": kafka, **sections}))


def test_versions_of_a_contract_may_change_and_kinds_may_not():
    """Length of windows and kinds of sources are bound; versions of contracts, lateness and how it is run are not."""
    assert bound("task@1") == bound("task@2")
    assert bound("task@1") != bound("robot.state@1")
    assert bound() == bound(time={"lateness_s": 5, "dedupe_s": 900}, workers=2, output={"eager": True})
    assert bound() == bound(one={"path": "elsewhere", "follow": True}, breaker={"ratio": 0.5}, contracts=None)


@pytest.mark.parametrize(
    ("contract", "changed"),
    [
        ("robot.state@1", {"time": {"window_s": 30}}),
        ("robot.state@1", {"alignment": {"interval_s": 60}}),
        ("robot.state@1", {"source": "kafka"}),
        ("pos.sale@1", {"stock": {"window_s": 300}}),
        ("pos.sale@1", {"stock": {"bucket": "week"}}),
        ("inventory.move@1", {"stock": {"time_zone": "Europe/Berlin"}}),
        ("pos.sale@1", {"stock": {"horizon": 14}}),
    ],
)
def test_what_state_is_made_for_is_bound(contract, changed):
    """Windows, calendar and horizon of demand, what feeds a source, and whether capacity is aligned, are kept."""
    assert bound(contract) != bound(contract, **changed)


def test_lengths_of_windows_that_hardly_differ_are_two():
    """Each starts its windows elsewhere soon; a length in whole seconds is told as such."""
    assert bound(time={"window_s": 60.00001}) != bound(time={"window_s": 60.00002})
    assert bound(time={"window_s": 60})["time.window_s"] == "60"


def test_what_no_source_uses_is_not_bound():
    """A calendar of demand is nothing to robots, nor alignment to sensors; another topic is another place."""
    assert bound() == bound(stock={"bucket": "week"})
    assert bound("sensor.reading@1").keys() == bound().keys() - {"[alignment]"}
    assert bound(source="kafka") != bound(source="kafka", one={"topic": "other"})


def test_rules_of_work_are_bound_to_their_version():
    """A version is that of the same rules for good, in whatever order; another may bring others; none need one."""

    def of(*units: float, version: str = "1") -> dict[str, str]:
        rules = [{"sku": f"sku-{one}", "zone": "pick", "units": one} for one in units]
        return bound(alignment={"work": rules, "work_version": version})

    key = "alignment.work_version '1'"
    assert of(1, 2)[key] == of(2, 1)[key] != of(1, 3)[key]
    assert of(1, 2).keys() - of(version="1").keys() == {key}
    assert of(1, version="2").keys() - of().keys() == {"alignment.work_version '2'"}
