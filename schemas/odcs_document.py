"""The text of an ODCS document as its model, in which nothing of the text is lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import yaml
from open_data_contract_standard.model import OpenDataContractStandard
from pydantic import ValidationError

from schemas.errors import ContractError

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML was built with it


def parse(text: str, place: str) -> OpenDataContractStandard:
    """Document from its text; `place` names it in errors. Raises ContractError where it is none or has unknown keys."""
    data, twice = _yaml(text, place)
    if not isinstance(data, dict):
        raise ContractError(f"{place}: not an ODCS document", fix="start with `apiVersion: v3.1.0`")
    try:
        document = OpenDataContractStandard.model_validate(data)
    except ValidationError as error:
        listed = "".join(f"\n  - {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ContractError(
            f"{place}: not an ODCS 3.1 document:{listed}", fix="correct these keys as ODCS 3.1 has them"
        ) from error
    if twice:
        raise ContractError(f"{place}: given twice: {', '.join(twice)}", fix="leave one; YAML would take the last")
    lost = list(_lost(data, document.model_dump(by_alias=True, exclude_unset=True), ""))
    if lost:
        raise ContractError(
            f"{place}: ODCS knows no key {', '.join(lost)}", fix="correct the spelling, or use customProperties"
        )
    return document


def _yaml(text: str, place: str) -> tuple[object, list[str]]:
    """What a YAML text holds, and which keys stand in it twice."""
    loader = _LOADER(text)
    try:
        node = loader.get_single_node()
        return (None, []) if node is None else (loader.construct_document(node), [*_repeated(node)])
    except yaml.YAMLError as error:
        raise ContractError(f"{place}: not YAML: {error}", fix="correct the YAML at that place") from error
    finally:
        loader.dispose()


def _repeated(root: yaml.Node) -> Iterator[str]:
    """Keys that a mapping has twice, with their lines."""
    nodes, looked_at = [root], set()
    while nodes:
        node = nodes.pop()
        if id(node) in looked_at:  # what an alias stands for
            continue
        looked_at.add(id(node))
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value in seen:
                    yield f"{key.value} (line {key.start_mark.line + 1})"
                seen.add(str(key.value))
                nodes.append(value)
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value


def _lost(data: object, kept: object, path: str) -> Iterable[str]:
    """Paths of keys that the ODCS model dropped: a misspelt key must not pass in silence."""
    if isinstance(data, dict) and isinstance(kept, dict):
        for key, value in data.items():
            if key in kept:
                yield from _lost(value, kept[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}".lstrip(".")
    elif isinstance(data, list) and isinstance(kept, list):
        for index, (value, other) in enumerate(zip(data, kept, strict=True)):
            yield from _lost(value, other, f"{path}[{index}]")
