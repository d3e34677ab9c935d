"""The generated reference: current, valid against the official schemas, and true of what is written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import polars as pl
import pytest
import yaml
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat

from domain.inventory.reasons import REASONS
from domain.inventory.units import UNITS
from domain.twin.config import NO_DEFECTS, WarehouseConfig
from domain.twin.warehouse import Warehouse
from flows.reference.asyncapi import asyncapi
from flows.reference.json_schemas import json_schemas
from flows.reference.pages import pages
from flows.settings import Time
from flows.stock.streams import ORDER_LINE
from schemas.outputs import OUTPUTS
from sinks.kafka.events import Event, events
from tests.conftest import ROOT
from tests.sinks.kafka.test_events import frame, only

REFERENCE = ROOT / "docs" / "reference"
PUBLISHED = [name for name, output in OUTPUTS.items() if output.event_type]


def test_reference_is_current() -> None:
    """The files in docs/reference are what the code gives now: `python -m flows.reference` writes them."""
    written = {str(p.relative_to(REFERENCE)): p.read_text("utf-8") for p in REFERENCE.rglob("*") if p.is_file()}
    assert written == pages()


def test_every_code_in_the_source_is_documented() -> None:
    """Each code of a refusal and each kind of signal that the source can give stands in the page of codes."""
    page = pages()["codes.md"]
    source = "".join(
        p.read_text("utf-8") for part in ("schemas", "quality", "domain", "flows") for p in code_files(part)
    )
    codes = set(re.findall(r'"((?:decode|time|identity)\.[a-z_]+)"', source))
    codes -= {f"time.{setting}" for setting in Time.model_fields}
    codes |= set(re.findall(r'"((?:breaker|audit|partition)_(?:open|closed|mismatch|failed|returned))"', source))
    codes |= set(re.findall(r'Final = "((?:ledger|reconcile|proposal|demand)\.[a-z_]+)"', source)) - {ORDER_LINE}
    codes |= set(re.findall(r'"((?:stock|demand)_(?:invariant_\w+|leak|drift))"', source))
    assert {"ledger.overflow", "reconcile.too_old", "proposal.expired", "demand.dimension", "stock_leak"} <= codes
    assert {"demand_drift", "stock_invariant_broken", "stock_invariant_restored"} <= codes
    assert {"decode.json", "time.future", "identity.conflict", "breaker_open", "partition_returned"} <= codes
    assert {code for code in codes if f"`{code}`" not in page} == set()


def test_every_reason_and_unit_is_documented() -> None:
    """Reasons of moves and spellings of units, each once, with what they do."""
    page = pages()["codes.md"]
    assert "| `transfer_out` | + on_hand | - in_transit |" in page
    assert "| us_volume | `fl_oz` | `pt`, `PTL` | 16 |" in page
    reasons = re.search(r"## Reasons of moves(.*?)\n## ", page, re.DOTALL)
    assert reasons
    assert re.findall(r"^\| `(\w+)`", reasons[1], re.MULTILINE) == list(REASONS)
    told = re.findall(r"`(\w+)`(?=,| \| [\d.,]+ \|$)", page.partition("## Units of measure")[2], re.MULTILINE)
    assert sorted(told) == sorted(UNITS)


def code_files(part: str) -> list[Path]:
    return [p for p in (ROOT / part).rglob("*.py") if "reference" not in p.parts]


def test_asyncapi_is_valid(real_data: Path) -> None:
    """The AsyncAPI document passes the official schema of version 3.0.0."""
    schema = json.loads((real_data / "standards" / "asyncapi" / "3.0.0.json").read_text("utf-8"))
    document = yaml.safe_load((REFERENCE / "asyncapi.yaml").read_text("utf-8"))
    jsonschema.Draft7Validator(schema).validate(document)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate(document | {"channels": {"x": {"addres": "y"}}})


def test_asyncapi_references_lead_somewhere() -> None:
    """Each reference of the AsyncAPI document names a thing in it, or a schema file beside it."""
    document = asyncapi()
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)):
        if reference.startswith("./"):
            assert (REFERENCE / reference).is_file(), reference
            continue
        place = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


@pytest.mark.parametrize("name", PUBLISHED)
def test_schema_and_headers_describe_written_events(name: str) -> None:
    """Data and headers of an event pass the published schemas; without one column, or with one more, data fails."""
    event = ordinary(name)
    schema = json_schemas()[str(OUTPUTS[name].event_type)]
    data = json.loads(event.value)
    jsonschema.Draft7Validator(schema).validate(data)
    for wrong in ({k: v for k, v in data.items() if k != OUTPUTS[name].columns[0].name}, data | {"other": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft7Validator(schema).validate(wrong)
    headers = {k: v.decode() for k, v in event.headers if isinstance(v, bytes)}
    described = asyncapi()["components"]["messages"][OUTPUTS[name].event_type]["headers"]
    jsonschema.Draft7Validator(described).validate(headers)
    assert set(described["required"]) == set(headers) <= set(described["properties"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_events_are_cloudevents(name: str, real_data: Path) -> None:
    """Each published event, in structured form, passes the official CloudEvents schema."""
    schema = json.loads((real_data / "standards" / "cloudevents" / "cloudevents.json").read_text("utf-8"))
    event = ordinary(name)
    headers = {k: v for k, v in event.headers if isinstance(v, bytes)}
    structured = JSONFormat().write(
        from_binary(KafkaMessage(headers=headers, key=event.key, value=event.value), JSONFormat())
    )
    jsonschema.Draft7Validator(schema).validate(json.loads(structured))


def ordinary(name: str) -> Event:
    numbers = {c.name: 1.5 for c in OUTPUTS[name].columns if c.kind == "number"}
    return only(name, frame(name, **numbers))


def test_nulls_only_where_the_schema_has_them() -> None:
    """A nullable column may be null in an event, another one may not."""
    columns = OUTPUTS["service_time"].columns
    schema = jsonschema.Draft7Validator(json_schemas()["takt.estimate.service_time.v1"])
    rows = frame("service_time", mean_s=1.0, p50_s=1.0, p90_s=1.0, p95_s=1.0, work_units=2.0)
    for column in columns:
        nulled = rows.with_columns(pl.lit(None, rows.schema[column.name]).alias(column.name))
        (event,) = events(OUTPUTS["service_time"], rows, flow="throughput", writer="w")
        data = json.loads(event.value) | {column.name: nulled[column.name][0]}
        assert schema.is_valid(data) == column.nullable, column.name


def test_contract_schemas_describe_real_messages() -> None:
    """Each message of a simulated warehouse without defects passes the JSON Schema of its contract."""
    for chunk in Warehouse(WarehouseConfig(robots=3, duration_s=1800, defects=NO_DEFECTS)).chunks():
        schema = jsonschema.Draft7Validator(json_schemas()[f"{chunk.stream}.v1"])
        for message in chunk.messages[:50]:
            schema.validate(json.loads(message))
