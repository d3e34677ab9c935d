"""The AsyncAPI 3.0 document of the topics: what Takt reads, by contract, and what it writes, by event type."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from flows.reference.contracts_page import schema_name
from flows.reference.json_schemas import json_schemas
from flows.settings import Topics
from schemas.contract import Contract
from schemas.outputs import OUTPUTS, Output
from schemas.registry import contracts
from sinks.kafka.events import CUT_HEADER, ID_HEADER, WRITER_HEADER

Document = dict[str, Any]

_FORMAT: Final = "application/schema+json;version=draft-07"

_TIME_HEADER: Final = "ce_time"
_HEADERS: Final = {
    "ce_specversion": ("1.0", "Version of CloudEvents"),
    ID_HEADER: (None, "Identity of the row for ever: 32 hex digits, a hash of type and key"),
    "ce_type": (None, "Event type"),
    "ce_source": (None, "takt/ and the flow that wrote it"),
    "ce_subject": (None, "What it is about; also the message key"),
    _TIME_HEADER: (None, "End of the window or bucket that it is about, else the event time"),
    "ce_dataschema": (None, "Identity of the JSON Schema of the data"),
    "content-type": ("application/json", "Media type of the data"),
    "traceparent": (None, "W3C trace context, derived from the id"),
    WRITER_HEADER: (None, "Writer, by which it knows its own events after a restart"),
    CUT_HEADER: (None, "Columns whose bytes were cut to 256 KiB; the lake has them whole"),
}


def asyncapi() -> Document:
    """The document, ready to be written as YAML."""
    read = {c.key: c for c in contracts().values()}
    published = [o for o in OUTPUTS.values() if o.event_type]
    topics = Topics().model_dump()
    channels = {_id(key): _input(contract) for key, contract in read.items()}
    operations = {
        f"read.{_id(key)}": {"action": "receive", "channel": _reference("channels", _id(key))} for key in read
    }
    for role, topic in topics.items():
        outputs = [o for o in published if o.topic == role]
        channels[role] = _channel(role, topic, outputs)
        operations[f"write.{role}"] = {"action": "send", "channel": _reference("channels", role)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Takt",
            "version": version("takt"),
            "description": "Topics that Takt reads and writes. Names are settings; those given here are the defaults. "
            "Outputs are CloudEvents 1.0 in the binary mode of the Kafka protocol binding; read them with isolation "
            "level read_committed.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": {str(o.event_type): _message(o) for o in published}},
    }


def _channel(role: str, topic: str, outputs: list[Output]) -> Document:
    messages = {str(o.event_type): _reference("components/messages", str(o.event_type)) for o in outputs}
    return {"address": topic, "description": f"Setting `topics.{role}`.", "messages": messages}


def _input(contract: Contract) -> Document:
    message = {
        "name": contract.key,
        "summary": contract.description,
        "payload": _payload(schema_name(contract)),
        "bindings": {"kafka": {"key": {"type": "string", "description": f"The {contract.entity_field}"}}},
    }
    about = "The topic of any source with this contract; partitioned by entity. Its name is in the settings."
    return {"address": None, "description": about, "messages": {_id(contract.key): message}}


def _message(output: Output) -> Document:
    key = {"type": "string", "description": "/".join(output.subject)}
    return {
        "name": output.event_type,
        "summary": output.comment,
        "description": output.grain,
        "contentType": "application/json",
        "headers": _headers(output),
        "payload": _payload(str(output.event_type)),
        "bindings": {"kafka": {"key": key}},
    }


def _headers(output: Output) -> Document:
    """Headers of an output's events; all are always there but that of what had to be cut."""
    event_type = str(output.event_type)
    fixed = {"ce_type": event_type, "ce_dataschema": json_schemas()[event_type]["$id"]}
    never = set() if output.dated_by else {_TIME_HEADER}
    if not any(column.kind == "bytes" for column in output.columns):
        never.add(CUT_HEADER)
    properties = {}
    for name, (constant, meaning) in _HEADERS.items():
        value = fixed.get(name, constant)
        properties[name] = {"type": "string", "description": meaning} | ({"const": value} if value else {})
    told = {name: about for name, about in properties.items() if name not in never}
    return {"type": "object", "properties": told, "required": [name for name in told if name != CUT_HEADER]}


def _payload(name: str) -> Document:
    return {"schemaFormat": _FORMAT, "schema": {"$ref": f"./schemas/{name}.schema.json"}}


def _reference(place: str, name: str) -> Document:
    return {"$ref": f"#/{place}/{name}"}


def _id(key: str) -> str:
    """Contract key as an identifier of AsyncAPI, `robot.state.v1`."""
    return key.replace("@", ".v")
