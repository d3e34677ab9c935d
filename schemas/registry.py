"""Find contracts: those that come with Takt and those of a user's folder, by `name@version`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import ContractError
from schemas.odcs import read_contract

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from schemas.contract import Contract

_SUFFIX = ".odcs.yaml"


def contracts(folder: Path | None = None) -> dict[str, Contract]:
    """All contracts by `name@version`: those of Takt, then those of `folder` (files `*.odcs.yaml`).

    Raises ContractError when a document cannot be read, or two documents claim the same name and version: a
    published version never changes.
    """
    return _read(_of_user(folder), _of_takt()) if folder else dict(_of_takt())


@cache
def _of_takt() -> Mapping[str, Contract]:
    """Read once: a flow asks for the contract of each of its sources."""
    documents = sorted(files("schemas").joinpath("contracts").iterdir(), key=lambda resource: resource.name)
    return _read(((d.name, d.read_text(encoding="utf-8")) for d in documents if d.name.endswith(_SUFFIX)), {})


def _read(documents: Iterable[tuple[str, str]], known: Mapping[str, Contract]) -> dict[str, Contract]:
    """What is known and what the documents say."""
    found = dict(known)
    for place, text in documents:
        contract = read_contract(text, place)
        if contract.key in found:
            raise ContractError(
                f"{place}: {contract.key} exists already", fix="give the changed contract a new version"
            )
        found[contract.key] = contract
    return found


def find_contract(key: str, folder: Path | None = None) -> Contract:
    """Contract `name@version`. Raises ContractError that lists the known ones where it is absent."""
    known = contracts(folder)
    if key not in known:
        raise ContractError(f"no contract {key!r}", fix=f"use one of: {', '.join(sorted(known))}")
    return known[key]


def _of_user(folder: Path) -> Iterator[tuple[str, str]]:
    if not folder.is_dir():
        raise ContractError(f"contract folder {folder} does not exist", fix="create it or correct the setting")
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            yield str(path), path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ContractError(f"{path}: {error}", fix="make the file readable and save it as UTF-8") from error
