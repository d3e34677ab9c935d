"""Contract documents of the user, held against everything that a flow will demand of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from flows.kinds import demand_fields
from quality.registration import Registered, register
from schemas.contract import Contract
from schemas.errors import ContractError
from schemas.odcs import read_contract
from schemas.registry import contracts, find_contract

_SUFFIX = ".odcs.yaml"
_DOCUMENTS = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Checked:
    """One document: the contract with its rules in force, or what is wrong with it."""

    place: str
    outcome: Registered | ContractError


def check(paths: list[Path]) -> Iterator[Checked]:
    """Check documents, and folders of documents, as a flow would read them: all of them, whatever the others say."""
    places = {contract.key: "Takt's own" for contract in contracts().values()}
    for path in paths:
        try:
            documents = _documents(path)
        except ContractError as error:
            yield Checked(str(path), error)
            continue
        for document in documents:
            try:
                yield Checked(str(document), _registered(document, places))
            except ContractError as error:
                yield Checked(str(document), error)


def read_or_find(name: str, folder: Path | None) -> Contract:
    """Contract of a document, or `name@version` among Takt's and those of a folder. Raises ContractError."""
    path = Path(name)
    if path.suffix in _DOCUMENTS or path.is_file():
        return read_contract(_text(path), name)
    return find_contract(name, folder)


def _documents(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.iterdir() if p.suffix in _DOCUMENTS and not p.name.startswith("."))
    if not found:
        raise ContractError(
            f"{path} holds no contract", fix=f"documents end in {_SUFFIX}; schemas/contracts holds some"
        )
    return found


def _registered(path: Path, places: dict[str, str]) -> Registered:
    contract = read_contract(_text(path), str(path))
    registered = register(contract)
    demand_fields(contract)
    if path.resolve().parent == Path(str(files("schemas"))).resolve() / "contracts":
        return registered
    if contract.key in places:
        raise ContractError(
            f"{path}: {contract.key} exists already ({places[contract.key]})",
            fix="give the changed contract a new version: a published one never changes",
        )
    places[contract.key] = str(path)
    if not path.name.endswith(_SUFFIX):
        raise ContractError(f"{path}: a flow would not find it", fix=f"let its name end in {_SUFFIX}")
    return registered


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        raise ContractError(
            f"{path} does not exist", fix="give the path of a document, or name@version as in robot.state@1"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: {error}", fix="make the file readable and save it as UTF-8") from error
