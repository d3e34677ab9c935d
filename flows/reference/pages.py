"""All files of the reference."""

from __future__ import annotations

import json

import yaml

from flows.reference.asyncapi import asyncapi
from flows.reference.codes_page import codes_page
from flows.reference.commands_page import commands_page
from flows.reference.contracts_page import contracts_page
from flows.reference.errors_page import errors_page
from flows.reference.json_schemas import json_schemas
from flows.reference.outputs_page import outputs_page
from flows.reference.settings_page import settings_page


def pages() -> dict[str, str]:
    """Texts by path within the folder of the reference."""
    schemas = {
        f"schemas/{name}.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in json_schemas().items()
    }
    return {
        "settings.md": settings_page(),
        "outputs.md": outputs_page(),
        "contracts.md": contracts_page(),
        "codes.md": codes_page(),
        "commands.md": commands_page(),
        "errors.md": errors_page(),
        "asyncapi.yaml": yaml.safe_dump(asyncapi(), sort_keys=False, allow_unicode=True, width=110),
        **schemas,
    }
