"""The decoder against a slow reference, on messages that are hard on purpose."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import bulk, exact
from schemas import decode as decode_module
from schemas.batch import ROW
from schemas.contract import Contract, Field
from schemas.decode import Decoded, Decoder
from schemas.messages import Messages
from schemas.registry import find_contract
from tests.schemas import reference
from tests.schemas.messages import CONTRACT, FLAT, GOOD, NUMBERS, OTHERS, TEXTS, TIMES, messages

BOTH = pytest.mark.parametrize("contract", [CONTRACT, FLAT], ids=lambda contract: contract.name)


@pytest.fixture(autouse=True)
def _any_number_is_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """All messages that may be are read in bulk, however few, and whatever is among them."""
    monkeypatch.setattr(decode_module, "_MANY", 1)
    monkeypatch.setattr(bulk, "_FEW", 1)


def decode(messages: list[bytes], contract: Contract = CONTRACT, max_bytes: int = decode_module.MAX_BYTES) -> Decoded:
    return Decoder(contract, max_bytes=max_bytes).decode(Messages.of(messages))


def plain(**values: bytes | None) -> bytes:
    """A good message with some values replaced; None leaves the key out."""
    fields: dict[str, bytes | None] = GOOD | values
    return b"{" + b",".join(b'"%s":%s' % (k.encode(), v) for k, v in fields.items() if v is not None) + b"}"


def flat(**values: bytes | None) -> bytes:
    """A good message of `FLAT` with some values replaced."""
    return plain(**dict.fromkeys(GOOD.keys() - {*FLAT.field_names}) | values)


def maker(contract: Contract) -> Callable[..., bytes]:
    """What makes good messages of one of the two contracts."""
    return plain if contract is CONTRACT else flat


def only(message: bytes, contract: Contract = CONTRACT) -> str:
    """Code of the one reject that a message gives; 'good' where it is accepted."""
    decoded = decode([message], contract)
    return decoded.rejects[0].code if decoded.rejects else "good"


def expected(messages: list[bytes], contract: Contract = CONTRACT) -> list[dict[str, Any] | None]:
    rows: list[dict[str, Any] | None] = []
    for message in messages:
        try:
            rows.append(reference.decode(message, contract))
        except reference.RefusedError:
            rows.append(None)
    return rows


def rows_of(decoded: Decoded, count: int) -> list[dict[str, Any] | None]:
    """Decoded rows by message index, timestamps as microseconds; None where rejected."""
    frame = decoded.frame.with_columns(pl.col(pl.Datetime("us", "UTC")).to_physical())
    rows: list[dict[str, Any] | None] = [None] * count
    for row in frame.to_dicts():
        rows[row.pop(ROW)] = row
    assert sorted([r.row for r in decoded.rejects] + decoded.frame[ROW].to_list()) == list(range(count))
    assert [r.row for r in decoded.rejects] == sorted(r.row for r in decoded.rejects)
    return rows


def bits(rows: list[dict[str, Any] | None]) -> list[Any]:
    """Rows in which -0.0 and 0.0 differ."""
    return [
        row and {k: struct.pack("d", v) if isinstance(v, float) else (type(v), v) for k, v in row.items()}
        for row in rows
    ]


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.data(), st.sampled_from([CONTRACT, FLAT]), st.sampled_from([1, 2, 7, 2048]))
def test_the_decoder_says_what_the_reference_says(data: st.DataObject, contract: Contract, size: int) -> None:
    """Verdict and every value of every message agree, whatever shares its batch and wherever slices end."""
    batch = data.draw(st.lists(messages(contract), min_size=1, max_size=30))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "_SLICE", size)
        decoded = decode(batch, contract)
    assert bits(rows_of(decoded, len(batch))) == bits(expected(batch, contract))


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from([CONTRACT, FLAT]))
def test_reading_in_bulk_changes_nothing(data: st.DataObject, contract: Contract) -> None:
    """Values, codes and details are the same when every message is read by itself."""
    batch = data.draw(st.lists(messages(contract), min_size=1, max_size=30))
    together = decode(batch, contract)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode_module, "_MANY", 10**9)
        one_by_one = decode(batch, contract)
    assert together.rejects == one_by_one.rejects
    assert together.frame.equals(one_by_one.frame)


@BOTH
def test_what_is_certain_is_read_in_bulk(contract: Contract) -> None:
    """Good messages among bad ones leave nothing to the exact reader but the bad ones."""
    make = maker(contract)
    bad = [message for message, code in CODES if code != "good"]
    batch = [message for one in bad for message in (make(), one, make(id=b'"a:b"', note=None, until=None))]
    frame = bulk.BulkReader(contract, decode_module.MAX_BYTES).read(Messages.of(batch))
    assert frame[ROW].to_list() == [row for row in range(len(batch)) if row % 3 != 1]


def test_booleans_and_lists_are_read_in_bulk() -> None:
    """Lists of strings, empty ones too, and both booleans are certain; brackets in strings are not."""
    values = (b"[]", b'[""]', b'["a:b","]","true"]', b'[ "null" , "\xc3\xa9" ]', None)
    good = [plain(tags=one, marks=other) for one in (*values, b"null") for other in values]
    good += [plain(flag=value) for value in (b"true", b"false", None)]
    batch = [message for one in good for message in (one, plain(tags=b'["["]'), plain(note=b'"["', marks=None))]
    frame = bulk.BulkReader(CONTRACT, decode_module.MAX_BYTES).read(Messages.of(batch))
    assert frame[ROW].to_list() == [row for row in range(len(batch)) if row % 3 == 0]
    assert bits(rows_of(decode(batch), len(batch))) == bits(expected(batch))


@BOTH
def test_allowed_nulls_are_read_in_bulk(contract: Contract) -> None:
    """A null where the contract allows one is certain; beside a value, twice, or under another key it is not."""
    make = maker(contract)
    good = [make(note=b"null", y=b"null"), make(until=b"null"), make(note=None), make(note=b'"a:null"')]
    bad = [one[:-1] + b"," + more + b"}" for one in good for more in (b'"note":null', b'"zz":null', b'"count":null')]
    bad += [one[:-1] + b',"y":null,"y":null}' for one in (make(y=None), make(y=None, note=None))]
    batch = [*good, *bad, *good]
    decoded = decode(batch, contract)
    assert bits(rows_of(decoded, len(batch))) == bits(expected(batch, contract))
    certain = bulk.BulkReader(contract, decode_module.MAX_BYTES).read(Messages.of(batch))
    assert certain.equals(decoded.frame.filter(pl.col(ROW).is_in(certain[ROW].to_list())))
    assert {*range(len(good)), *range(len(batch) - len(good), len(batch))} <= {*certain[ROW].to_list()}


def test_many_broken_messages_are_counted_over_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pieces broken messages cut a batch into, its bytes are gone through a fixed number of times."""
    calls = []
    count = bulk._count
    monkeypatch.setattr(bulk, "_count", lambda messages, sign: calls.append(sign) or count(messages, sign))
    batch = [plain(), plain(n=b"01"), plain(zz=b"1")] * 500
    assert decode(batch).frame.height == 500
    assert len(calls) == 3


@pytest.mark.parametrize(("broken", "most"), [(plain(note=b'"\xff"'), 1), (plain(n=b"01"), 2)])
def test_a_few_broken_messages_do_not_make_polars_read_often(
    broken: bytes, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages that are no UTF-8 are left out beforehand, those that are no JSON when Polars has failed once."""
    calls = []
    read = pl.read_ndjson
    monkeypatch.setattr(bulk.pl, "read_ndjson", lambda *args, **kwargs: calls.append(1) or read(*args, **kwargs))
    assert decode([plain(), broken, plain()] * 100).frame.height == 200
    assert len(calls) == most


def hard(name: str, contract: Contract) -> list[bytes]:
    """Messages with each hard value in a field."""
    return [maker(contract)(**{name: value}) for value in (*TEXTS, *NUMBERS, *TIMES, *OTHERS)]


@BOTH
@pytest.mark.parametrize("name", CONTRACT.field_names)
def test_every_hard_value_in_every_field(name: str, contract: Contract) -> None:
    """Each hard value in each field gets the verdict and the value of the reference."""
    batch = hard(name, contract)
    assert bits(rows_of(decode(batch, contract), len(batch))) == bits(expected(batch, contract))


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("name", CONTRACT.field_names)
def test_every_hard_value_by_itself(name: str, contract: Contract) -> None:
    """So it does where it is the only message."""
    for message in hard(name, contract):
        assert bits(rows_of(decode([message], contract), 1)) == bits(expected([message], contract))


PAIRS = [
    (b'"a"', b"1"),
    (b"1", b'"a"'),
    (b'":"', b"1"),
    (b"null", b'":"'),
    (b"true", b"null"),
    (b"{}", b'"{"'),
    (b'["a"]', b'"a"'),
    (b'["a"]', b"null"),
    (b'["a"]', b"1"),
    (b'[["a"]]', b"[]"),
    (b'["a"]', b'"["'),
    (b'["["]', b'"a"'),
    (b"[1]", b'["a","b"]'),
    (b"[null]", b'["a"]'),
    (b'[["a","b"]]', b'["a"]'),
]


DEFECTIVE = ("id", "n", "x", "note", "flag", "tags", "marks")


def defective(one: bytes, other: bytes) -> list[bytes]:
    """Messages with the values in one field, in one and in one too many, and in any two."""
    batch = [plain(**{name: value}) for name in DEFECTIVE for value in (one, other)]
    batch += [message[:-1] + b',"zz":' + value + b"}" for message in tuple(batch) for value in (one, other)]
    return batch + [plain(**{name: one, second: other}) for name in DEFECTIVE for second in DEFECTIVE]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_defects_do_not_make_up_for_each_other(one: bytes, other: bytes) -> None:
    """Two messages, or two fields of one, of which one has too much and one too little, are both judged alone."""
    batch = defective(one, other)
    assert bits(rows_of(decode(batch), len(batch))) == bits(expected(batch))
    for name, second in itertools.pairwise(DEFECTIVE):
        message = plain(**{name: one, second: other})
        assert bits(rows_of(decode([message]), 1)) == bits(expected([message]))


@pytest.mark.slow
@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_defects_do_not_make_up_for_each_other_in_a_message_by_itself(one: bytes, other: bytes) -> None:
    """So it is where it is the only message, whichever fields have the defects."""
    for message in defective(one, other):
        assert bits(rows_of(decode([message]), 1)) == bits(expected([message]))


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("name", ["at", "until"])
def test_every_single_byte_of_a_timestamp_is_checked(name: str, contract: Contract) -> None:
    """A timestamp with any one byte replaced by any other ASCII character is judged as the reference does."""
    make = maker(contract)
    batch = [
        make(**{name: b'"' + text[:at] + bytes([byte]) + text[at + 1 :] + b'"'})
        for text in (b"2026-03-02T08:15:30.123Z", b"2026-12-31T23:59:59Z", b"2026-01-01T00:00:00.123456Z")
        for at in range(len(text))
        for byte in range(0x20, 0x7F)
    ]
    assert bits(rows_of(decode(batch, contract), len(batch))) == bits(expected(batch, contract))


CODES = [
    (plain(), "good"),
    (b" \t\r\n" + plain() + b"\n", "good"),
    (plain(count=None, note=None, flag=None, until=None, y=None, tags=None), "good"),
    (b"", "decode.json"),
    (b" ", "decode.json"),
    (plain()[:-1], "decode.json"),
    (plain() + b"x", "decode.json"),
    (plain() + plain(), "decode.json"),
    (plain() + b"\n" + plain(), "decode.json"),
    (b"\xef\xbb\xbf" + plain(), "decode.json"),
    (plain().decode().encode("utf-16"), "decode.json"),
    (plain(x=b"NaN"), "decode.json"),
    (plain(x=b"-Infinity"), "decode.json"),
    (plain(note=b'"\\ud800"'), "decode.json"),
    (plain(note=b'"\x00"'), "decode.json"),
    (plain(note=b'"\xff"'), "decode.utf8"),
    (plain(n=b"1.0"), "decode.type"),
    (plain(n=b"true"), "decode.type"),
    (plain(n=b'"1"'), "decode.type"),
    (plain(n=b"null"), "decode.type"),
    (plain(count=b"null"), "decode.type"),
    (plain(id=b"[" * 100_000), "decode.type"),
    (plain(tags=b"[" * 100_000), "decode.type"),
    (plain(tags=b"[" * 100_000 + b"]" * 100_000), "decode.type"),
    (b"[" * 100_000, "decode.type"),
    (b'{"id":' * 100_000, "decode.type"),
    (b"[]", "decode.type"),
    (b"null", "decode.type"),
    (plain(n=b"9223372036854775808"), "decode.range"),
    (plain(n=b"-9223372036854775809"), "decode.range"),
    (plain(n=b"9" * 5000), "decode.range"),
    (plain(x=b"1e400"), "decode.range"),
    (plain(x=b"9" * 400), "decode.range"),
    (plain(n=None), "decode.missing_field"),
    (b"{}", "decode.missing_field"),
    (plain(zz=b"1"), "decode.unknown_field"),
    (plain(zz=b"[" * 100_000), "decode.unknown_field"),
    (plain(at=b'"2026-02-30T00:00:00Z"'), "decode.timestamp"),
    (plain(until=b'"yesterday"'), "decode.timestamp"),
    (plain(note=b'"\\u0000"'), "decode.control_character"),
    (plain(tags=b'["\\n"]'), "decode.control_character"),
    (plain()[:-1] + b',"n":1}', "decode.duplicate_key"),
    (plain()[:-1] + b',"\\u006e" : 1}', "decode.duplicate_key"),
    (plain(note=None)[:-1] + b',"n":1}', "decode.duplicate_key"),
    (plain(until=None)[:-1] + b',"n":1}', "decode.duplicate_key"),
    (plain(at=b'"2026-01-01T00\\u003a00:00Z"')[:-1] + b',"n":1}', "decode.duplicate_key"),
    (plain(note=b'"\\u003a"')[:-1] + b',"n":1}', "decode.duplicate_key"),
    (plain(at=b'"2026-01-01T00\\u003a00:00Z"', until=None)[:-1] + b',"n":1}', "decode.duplicate_key"),
    (plain(at=b'"2026-01-01T00\\u003a00:00Z"', until=None, note=b'":"')[:-1] + b',"n":1}', "decode.duplicate_key"),
    (b"x" * ((1 << 20) + 1), "decode.size"),
    (plain(note=b'"' + b"x" * 10_000_000 + b'"'), "decode.size"),
]


@pytest.mark.parametrize(("message", "code"), CODES, ids=lambda value: repr(value[:40]))
def test_each_defect_has_its_code(message: bytes, code: str) -> None:
    """A defect is named by its stable code."""
    assert only(message) == code


def test_bad_messages_cost_nobody_else() -> None:
    """All defects in one batch with good messages between: each gets its own code, the good ones their values."""
    batch = [message for bad, _ in CODES for message in (plain(), bad)]
    decoded = decode(batch)
    codes = dict.fromkeys(range(len(batch)), "good") | {r.row: r.code for r in decoded.rejects}
    assert [codes[row] for row in range(len(batch))] == [code for _, c in CODES for code in ("good", c)]


def test_the_detail_says_what_and_where_in_bounded_length() -> None:
    """The decoder's words name the place in the message, and a hostile message cannot make them long."""
    decoded = decode([plain(tags=b'["a",1]'), plain(**{"z" * 100_000: b"1"})])
    assert "$.tags[1]" in decoded.rejects[0].detail
    assert len(decoded.rejects[1].detail) <= 500
    (local,) = decode([plain(at=b'"2026-03-02 08:15:30"')]).rejects
    assert local.detail == "Expected a time like 2026-03-02T08:15:30Z, got '2026-03-02 08:15:30' - at `$.at`"


def test_no_messages_give_an_empty_frame_of_the_same_shape() -> None:
    """An empty batch has the columns and types of a full one."""
    for contract in (CONTRACT, FLAT):
        for none in ([], [b""], [b"", b"\xff"]):
            assert decode(none, contract).frame.schema == decode([flat()], contract).frame.schema


@BOTH
def test_the_size_limit_is_a_setting(contract: Contract) -> None:
    """A message exactly as long as the limit is good, one byte more is not, also side by side."""
    just, longer = flat(), flat(id=b'"ab"')
    decoded = decode([longer, just], contract, max_bytes=len(just))
    assert decoded.frame[ROW].to_list() == [1]
    assert [(reject.row, reject.code) for reject in decoded.rejects] == [(0, "decode.size")]


@pytest.mark.parametrize("key", ["robot.state@1", "task@1", "sensor.reading@1"])
def test_the_contracts_of_takt_decode_an_event_with_every_field(key: str) -> None:
    """An event with all fields of a shipped contract is accepted, and columns come in contract order."""
    contract = find_contract(key)
    values = {"string": b'"a"', "integer": b"1", "number": b"1", "timestamp": GOOD["at"], "strings": b'["a"]'}
    body = b",".join(b'"%s":%s' % (f.name.encode(), values[f.type]) for f in contract.fields)
    decoded = decode([b"{" + body + b"}"], contract)
    assert not decoded.rejects
    assert decoded.frame.columns == [*contract.field_names, ROW]


def test_a_field_name_is_never_run_as_code() -> None:
    """A contract made without the document reader cannot smuggle code through a field's name."""
    fields = (*CONTRACT.fields, Field("a, exit()", "string", required=False))
    with pytest.raises(ValueError, match="not a field name"):
        Decoder(replace(CONTRACT, fields=fields))
