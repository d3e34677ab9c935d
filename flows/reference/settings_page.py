"""Every setting: key, type, default and meaning, from the model that validates them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flows.reference.markdown import code, page, table
from flows.settings import ENV_PREFIX, Settings

_INTRO = f"""
Settings come from one TOML file and from environment variables, which win. A variable is the key in capitals after
`{ENV_PREFIX}`, nested keys joined by two underscores: `[kafka] password` is `{ENV_PREFIX}KAFKA__PASSWORD`. A list is
written as in TOML. Unknown keys are errors in both places, and all problems are told in one message. Relative paths
start at the folder of the settings file, without one at the working folder. The file is `takt.toml` in the working
folder unless `--settings` or `TAKT_SETTINGS` names another.
"""

_RANGES = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


def settings_page() -> str:
    """The page."""
    schema = Settings.model_json_schema()
    parts = [_table(schema, schema)]
    for name, field in schema["properties"].items():
        for heading, section in _sections(name, field, schema):
            parts += [f"## {heading}", section["description"], _table(section, schema)]
    return page("Settings", _INTRO, *parts)


def _sections(name: str, field: dict[str, Any], schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Headings and schemas of the tables of the TOML file that stand under a key."""
    for entry in field.get("patternProperties", {}).values():
        for option in entry["oneOf"]:
            section = _resolve(option, schema)
            kind = section["properties"]["kind"]["const"]
            yield f'`[{name}.NAME]` with `kind = "{kind}"`', section
    section = _resolve(field, schema)
    if "properties" in section:
        yield f"`[{name}]`", section
        for key, inner in section["properties"].items():
            if _is_list_of_sections(inner, schema):
                yield f"`[[{name}.{key}]]`", _resolve(inner["items"], schema)


def _table(section: dict[str, Any], schema: dict[str, Any]) -> str:
    required = section.get("required", ())
    rows = [
        (code(key), _type(field, schema), _default(key, field, required), field.get("description", ""))
        for key, field in section["properties"].items()
        if not _is_section(field, schema)
    ]
    return table(("key", "type", "default", "meaning"), rows)


def _is_section(field: dict[str, Any], schema: dict[str, Any]) -> bool:
    of_sections = "patternProperties" in field or _is_list_of_sections(field, schema)
    return "properties" in _resolve(field, schema) or of_sections


def _is_list_of_sections(field: dict[str, Any], schema: dict[str, Any]) -> bool:
    return "properties" in _resolve(field.get("items", {}), schema)


def _resolve(field: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema behind a reference, or behind an optional one."""
    options = [option for option in field.get("anyOf", (field,)) if option.get("type") != "null"]
    reference = options[0].get("$ref")
    if reference is None:
        return dict(options[0])
    found: dict[str, Any] = schema["$defs"][reference.rpartition("/")[2]]
    return found


def _type(field: dict[str, Any], schema: dict[str, Any]) -> str:
    field = _resolve(field, schema)
    if "const" in field or "enum" in field:
        return " or ".join(code(value) for value in field.get("enum", [field.get("const")]))
    if field.get("format") == "password":
        return "text, kept secret"
    if field.get("format") == "path":
        return "path"
    if field["type"] == "array":
        return f"list of: {_type(field['items'], schema)}"
    if field["type"] == "object":
        return f"table, name = {_type(field['additionalProperties'], schema)}"
    name = {"string": "text", "boolean": "true or false"}.get(field["type"], field["type"])
    bounds = [f"{words} {field[key]:,.10g}" for key, words in _RANGES.items() if key in field]
    return ", ".join([name, *bounds])


def _default(key: str, field: dict[str, Any], required: list[str]) -> str:
    if key in required:
        return "required"
    default = field.get("default")
    return "" if default is None else code(json.dumps(default))
