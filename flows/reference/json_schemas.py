"""JSON Schemas (draft 7, as AsyncAPI has it) of published events' data and of the messages that contracts accept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from flows.reference.contracts_page import schema_name
from schemas.contract import Contract, Field
from schemas.outputs import OUTPUTS, Column, Key, Kind, Output
from schemas.registry import contracts

Schema = dict[str, Any]

DRAFT: Final = "http://json-schema.org/draft-07/schema#"

_KINDS: Final[dict[Kind, Schema]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "decimal": {"type": "number"},
    "boolean": {"type": "boolean"},
    "timestamp": {"type": "string", "format": "date-time"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "strings": {"type": "array", "items": {"type": "string"}},
}
_TIMESTAMP: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$"


def json_schemas() -> dict[str, Schema]:
    """Schemas by name: event type, or contract and version."""
    events = {o.event_type: _of_output(o) for o in OUTPUTS.values() if o.event_type}
    return events | {schema_name(c): _of_contract(c) for c in contracts().values()}


def _of_output(output: Output) -> Schema:
    return {
        "$schema": DRAFT,
        "$id": f"urn:takt:schema:{output.event_type}",
        "title": output.event_type,
        "description": f"{output.comment}. {output.grain[0].upper()}{output.grain[1:]}.",
        "type": "object",
        "properties": {c.name: _column(c) for c in output.columns},
        "required": [c.name for c in output.columns],
        "additionalProperties": False,
    }


def _column(column: Column) -> Schema:
    schema = dict(_KINDS[column.kind])
    if column.nullable:
        schema["type"] = [schema["type"], "null"]
    if column.keys:
        schema |= {"contentMediaType": "application/json", "contentSchema": object_schema(column.keys)}
    return schema | {"description": column.comment} | ({"x-unit": column.unit} if column.unit else {})


def object_schema(keys: Iterable[Key]) -> Schema:
    """Schema of a JSON object. Those keys are required that are in every one."""
    nested: dict[str, list[Key]] = {}
    for key in keys:
        first, _, rest = key.name.partition(".")
        nested.setdefault(first, []).append(replace(key, name=rest))
    properties = {name: _key(inner[0]) if not inner[0].name else object_schema(inner) for name, inner in nested.items()}
    required = [name for name, inner in nested.items() if not any(key.optional for key in inner)]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _key(key: Key) -> Schema:
    schema: Schema = {"type": key.type}
    if key.type in {"strings", "integers"}:
        schema = {"type": "array", "items": {"type": key.type.removesuffix("s")}}
    if key.nullable:
        schema["type"] = [schema["type"], "null"]
    return schema | {"description": key.comment} | ({"x-unit": key.unit} if key.unit else {})


def _of_contract(contract: Contract) -> Schema:
    return {
        "$schema": DRAFT,
        "$id": f"urn:takt:contract:{schema_name(contract)}",
        "title": contract.key,
        "description": contract.description,
        "type": "object",
        "properties": {f.name: _field(f) for f in contract.fields},
        "required": [f.name for f in contract.fields if f.required],
        "additionalProperties": False,
    }


def _field(field: Field) -> Schema:
    schema = dict(_KINDS[field.type])
    limits = {
        "minimum": field.minimum,
        "maximum": field.maximum,
        "exclusiveMinimum": field.exclusive_minimum,
        "exclusiveMaximum": field.exclusive_maximum,
        "minLength": field.min_length,
        "maxLength": field.max_length,
        "pattern": _TIMESTAMP if field.type == "timestamp" else field.pattern,
        "default": field.default,
    }
    schema |= {name: value for name, value in limits.items() if value is not None}
    if field.values:
        schema["enum"] = list(field.values)
    if field.nullable:
        schema["type"] = [schema["type"], "null"]
    return schema | {"description": field.description} | ({"x-unit": field.unit} if field.unit else {})
