"""Read a contract from an ODCS 3.1 document (Open Data Contract Standard, https://bitol.io).

Uses of the standard, where it leaves a choice:

- One `schema` object per document. `logicalType` string, integer, number, boolean, timestamp, or array of strings.
- `required: true`: the key must be there and not be null. Field custom properties: `nullable` (JSON null is
  allowed), `default` (value of an absent key), `unit` (UCUM).
- `logicalTypeOptions` carry bounds, lengths and pattern. Allowed values are the library metric `invalidValues`
  with `arguments: {validValues: [...]}` and `mustBe: 0`, as the standard has no other place for them.
- Further rules are `quality` entries of the schema object: `type: custom`, `engine: great-expectations`, `id` (the
  rule's stable code), `implementation: {type: expect_..., kwargs: {...}}`, `severity` critical, warning or info.
- Contract custom properties: `closed` (must be true), `idempotencyKey`, `entityField`, `eventTimeField`,
  `futureToleranceSeconds`, `deprecationWindowDays`. Update frequency is the SLA property `frequency` in seconds.

Everything wrong with a document is reported in one `ContractError`.
"""

from __future__ import annotations

import json
import keyword
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from open_data_contract_standard.model import (
    CustomProperty,
    DataQuality,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
    Team,
)

from schemas.contract import Contract, Field, FieldType, Rule, Severity
from schemas.errors import ContractError
from schemas.odcs_document import parse

_TYPES: Final[Mapping[str, FieldType]] = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "timestamp": "timestamp",
    "array": "strings",
}
_BOUNDS: Final = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "exclusive_minimum",
    "exclusiveMaximum": "exclusive_maximum",
}
_OPTIONS: Final[Mapping[FieldType, Mapping[str, str]]] = {
    "string": {"minLength": "min_length", "maxLength": "max_length", "pattern": "pattern"},
    "integer": _BOUNDS,
    "number": _BOUNDS,
    "boolean": {},
    "timestamp": {},
    "strings": {},
}
_FIXED_OPTIONS: Final[Mapping[FieldType, Mapping[str, object]]] = {
    "integer": {"format": "i64"},
    "number": {"format": "f64"},
    "timestamp": {"format": "yyyy-MM-dd'T'HH:mm:ss[.SSSSSS]'Z'", "timezone": True},
}
"""Options that say what the decoder does anyway; another value than this one is refused."""

_DEFAULT_TYPES: Final[Mapping[FieldType, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "timestamp": (),
    "strings": (),
}
_SEVERITIES: Final = ("critical", "warning", "info")


def read_contract(text: str, place: str) -> Contract:
    """Contract from the text of an ODCS document; `place` names it in errors.

    Raises ContractError that lists everything wrong with the document.
    """
    reader = _Reader(place)
    contract = reader.contract(parse(text, place))
    if reader.problems:
        listed = "".join(f"\n  - {problem}" for problem in reader.problems)
        raise ContractError(
            f"{place}: {len(reader.problems)} problem(s) in the contract:{listed}",
            fix="correct the document; schemas/contracts holds examples that load",
        )
    return cast("Contract", contract)  # no problems: the reader got to the end


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_json(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


class _Reader:
    """Turns one document into a contract and collects what is wrong on the way."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.problems: list[str] = []

    def contract(self, doc: OpenDataContractStandard) -> Contract | None:
        self._expect(doc.kind == "DataContract", "kind must be DataContract")
        self._expect(str(doc.apiVersion).startswith("v3.1."), f"apiVersion {doc.apiVersion}: must be v3.1.x")
        self._expect(bool(doc.name and doc.version and doc.id), "id, name and version are needed")
        self._expect(isinstance(doc.team, Team) and bool(doc.team.name), "team.name (the owner) is needed")
        if not doc.schema_ or len(doc.schema_) != 1:
            self.problems.append("schema must hold exactly one object")
            return None
        fields = tuple(self._field(prop) for prop in doc.schema_[0].properties or ())
        custom = self._custom(doc.customProperties, "customProperties")
        self._expect(custom.pop("closed", None) is True, "customProperties.closed must be true")
        contract = Contract(
            name=str(doc.name),
            version=str(doc.version),
            description=((doc.description and doc.description.purpose) or "").strip(),
            owner=str(doc.team.name) if isinstance(doc.team, Team) else "",
            fields=fields,
            rules=tuple(self._rules(doc.schema_[0])),
            idempotency_key=tuple(self._take(custom, "idempotencyKey", list, [])),
            entity_field=self._take(custom, "entityField", str, ""),
            event_time_field=self._take(custom, "eventTimeField", str, ""),
            future_tolerance_s=self._take(custom, "futureToleranceSeconds", (int, float), 0),
            deprecation_days=self._take(custom, "deprecationWindowDays", int, 0),
            update_every_s=self._frequency(doc),
        )
        self._expect(not custom, f"unknown customProperties {', '.join(custom)}")
        self._references(contract)
        return contract

    def _expect(self, holds: bool, problem: str) -> None:
        if not holds:
            self.problems.append(problem)

    def _custom(self, properties: list[CustomProperty] | None, where: str) -> dict[str, Any]:
        names = [str(p.property) for p in properties or ()]
        self._expect(len(set(names)) == len(names), f"{where}: a property is given twice")
        return {str(p.property): p.value for p in properties or ()}

    def _take(self, custom: dict[str, Any], name: str, kind: type | tuple[type, ...], default: Any) -> Any:
        """Value of a custom property that must be there with this type; `default` stands in after a problem."""
        value = custom.pop(name, None)
        if isinstance(value, kind) and not isinstance(value, bool):
            return value
        self.problems.append(f"customProperties.{name} is missing or has the wrong type: {value!r}")
        return default

    def _frequency(self, doc: OpenDataContractStandard) -> float | None:
        for sla in doc.slaProperties or ():
            if sla.property == "frequency":
                if isinstance(sla.value, int | float) and sla.value > 0 and sla.unit == "s":
                    return float(sla.value)
                self.problems.append("slaProperties.frequency: a positive number with unit s is needed")
        return None

    def _field(self, prop: SchemaProperty) -> Field:
        name = str(prop.name)
        kind = _TYPES.get(str(prop.logicalType))
        usable = name.isidentifier() and not name.startswith("_") and not keyword.iskeyword(name)
        self._expect(usable, f"{name}: not a usable field name")
        self._expect(kind is not None, f"{name}: logicalType {prop.logicalType} is not supported")
        kind = kind or "string"
        if kind == "strings":
            self._expect(
                prop.items is not None and prop.items.logicalType == "string",
                f"{name}: items of an array must have logicalType string",
            )
        custom = self._custom(prop.customProperties, name)
        field = Field(
            name=name,
            type=kind,
            required=bool(prop.required),
            nullable=bool(custom.pop("nullable", False)),
            default=custom.pop("default", None),
            unit=str(custom.pop("unit", "")),
            description=(prop.description or "").strip(),
            values=self._values(name, prop.quality or ()),
            **self._options(name, kind, prop.logicalTypeOptions or {}),
        )
        self._expect(not custom, f"{name}: unknown customProperties {', '.join(custom)}")
        self._consistent(field)
        return field

    def _options(self, name: str, kind: FieldType, options: Mapping[str, Any]) -> dict[str, Any]:
        taken = {}
        for option, value in options.items():
            if option in _OPTIONS[kind]:
                taken[_OPTIONS[kind][option]] = value
            elif _FIXED_OPTIONS.get(kind, {}).get(option) != value:
                self.problems.append(f"{name}: logicalTypeOptions {option}: {value!r} is not supported")
        return taken

    def _consistent(self, field: Field) -> None:
        name = field.name
        self._expect(not (field.required and field.nullable), f"{name}: required excludes nullable")
        self._expect(not (field.required and field.default is not None), f"{name}: required excludes a default")
        allowed = _DEFAULT_TYPES[field.type]
        if field.default is not None:
            right = isinstance(field.default, allowed) and (
                field.type == "boolean" or not isinstance(field.default, bool)
            )
            self._expect(right, f"{name}: default {field.default!r} is not of type {field.type}")
        self._expect(not field.values or field.type == "string", f"{name}: only strings can have validValues")
        for bound in (field.minimum, field.maximum, field.exclusive_minimum, field.exclusive_maximum):
            self._expect(bound is None or _is_finite(bound), f"{name}: bound {bound!r} is not a finite number")
        for low, high in (("minimum", "exclusive_minimum"), ("maximum", "exclusive_maximum")):
            both = getattr(field, low) is not None and getattr(field, high) is not None
            self._expect(not both, f"{name}: give {low} or {high}, not both")
        for length in (field.min_length, field.max_length):
            self._expect(length is None or _is_length(length), f"{name}: bad length {length!r}")

    def _values(self, name: str, quality: Iterable[DataQuality]) -> tuple[str, ...]:
        values: tuple[str, ...] = ()
        for check in quality:
            given = (check.arguments or {}).get("validValues")
            if check.metric != "invalidValues" or check.mustBe != 0 or not isinstance(given, list) or not given:
                self.problems.append(
                    f"{name}: a field's quality may only be metric invalidValues with validValues and mustBe 0"
                )
                continue
            self._expect(all(isinstance(v, str) for v in given), f"{name}: validValues must be strings")
            self._expect(check.severity in (None, "critical"), f"{name}: validValues are always critical")
            values = tuple(map(str, given))
        return values

    def _rules(self, schema: SchemaObject) -> Iterable[Rule]:
        for check in schema.quality or ():
            code = str(check.id)
            body = check.implementation
            if check.type != "custom" or check.engine != "great-expectations" or not isinstance(body, dict):
                self.problems.append(f"quality {code}: must be type custom, engine great-expectations")
                continue
            self._expect(check.severity in _SEVERITIES, f"quality {code}: severity {check.severity!r}")
            self._expect(set(body) == {"type", "kwargs"}, f"quality {code}: implementation is {{type, kwargs}}")
            self._expect(_is_json(body), f"quality {code}: only plain JSON values may stand in it (quote dates)")
            self._expect(bool(check.id), "quality: every rule needs an id, its stable code")
            yield Rule(
                code=code,
                severity=cast("Severity", check.severity),
                expectation=str(body.get("type")),
                kwargs=body.get("kwargs") or {},
                description=(check.description or "").strip(),
            )

    def _references(self, contract: Contract) -> None:
        names = contract.field_names
        self._expect(len(set(names)) == len(names), "a field is named twice")
        codes = [rule.code for rule in contract.rules]
        self._expect(len(set(codes)) == len(codes), "a rule code is used twice")
        required = {field.name: field.type for field in contract.fields if field.required}
        for name in contract.idempotency_key:
            self._expect(required.get(name) == "string", f"idempotencyKey {name}: not a required string field")
        self._expect(bool(contract.idempotency_key), "idempotencyKey must name at least one field")
        for what, name, kind in (
            ("entityField", contract.entity_field, "string"),
            ("eventTimeField", contract.event_time_field, "timestamp"),
        ):
            self._expect(required.get(name) == kind, f"{what} {name}: not a required {kind} field")
        self._expect(contract.future_tolerance_s >= 0, "futureToleranceSeconds must not be negative")
