"""Every contract that comes with Takt: its fields, units and bounds, and the rules with their codes."""

from __future__ import annotations

import json

from flows.contract_words import bounds_of, type_of
from flows.reference.markdown import code, page, table
from quality.registration import Registered, register
from schemas.contract import Contract
from schemas.registry import contracts

_INTRO = """
The documents are in `schemas/contracts/`, in the Open Data Contract Standard (ODCS) 3.1. Messages are flat JSON objects
in UTF-8 and closed: a key that the contract does not name is refused. Timestamps are RFC 3339 text in UTC that ends in
`Z`, with 0 to 6 fractional digits.

A message that fails a *critical* rule is quarantined with the codes of all the critical rules it fails. A *warning* or
*info* lets it pass. How to add a contract: [contracts](../how-to/contracts.md). What the codes mean:
[codes](codes.md).
"""


def contracts_page() -> str:
    """The page."""
    return page("Contracts", _INTRO, *(_contract(contract) for contract in contracts().values()))


def _contract(contract: Contract) -> str:
    registered = register(contract)
    every = f"{contract.update_every_s:g} s" if contract.update_every_s else "on change"
    facts = [
        f"- Owner: {contract.owner}",
        f"- Identity (idempotency key): {', '.join(map(code, contract.idempotency_key))}",
        f"- Entity: `{contract.entity_field}`; event time: `{contract.event_time_field}`",
        f"- One entity reports: {every}",
        f"- An event time more than {contract.future_tolerance_s:g} s ahead of the message's arrival is refused",
        f"- Readable for {contract.deprecation_days} days after a successor is published",
        f"- [JSON Schema](schemas/{schema_name(contract)}.schema.json)",
    ]
    fields = table(
        ("field", "type", "unit", "bounds", "meaning"),
        [(code(f.name), type_of(f), code(f.unit), bounds_of(f, code), f.description) for f in contract.fields],
    )
    rules = table(("code", "severity", "rule"), _rules(registered))
    return "\n\n".join([f"## `{contract.key}`", contract.description, "\n".join(facts), fields, rules])


def schema_name(contract: Contract) -> str:
    """Name of a contract's JSON Schema, `robot.state.v1`."""
    return f"{contract.name}.v{contract.version}"


def _rules(registered: Registered) -> list[tuple[str, str, str]]:
    described = {rule.code: rule.description for rule in registered.contract.rules}
    rows = []
    for expectation in registered.suite["expectations"]:
        meta, kwargs = expectation["meta"], json.dumps(expectation["kwargs"])
        text = f"{described.get(meta['code'], '')} `{expectation['type']}` `{kwargs}`"
        rows.append((code(meta["code"]), meta["severity"], text))
    return rows
