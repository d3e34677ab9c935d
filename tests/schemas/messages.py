"""Messages that are hard to decode: values and defects sampled on purpose, for one contract with every type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from schemas.contract import Contract, Field

CONTRACT = Contract(
    name="every.type",
    version="1",
    description="",
    owner="tests",
    fields=(
        Field("id", "string"),
        Field("at", "timestamp"),
        Field("n", "integer"),
        Field("x", "number"),
        Field("count", "integer", required=False, default=7),
        Field("note", "string", required=False, nullable=True),
        Field("flag", "boolean", required=False, default=False),
        Field("until", "timestamp", required=False, nullable=True),
        Field("y", "number", required=False, nullable=True),
        Field("tags", "strings", required=False, nullable=True),
        Field("marks", "strings", required=False),
    ),
    rules=(),
    idempotency_key=("id",),
    entity_field="id",
    event_time_field="at",
    future_tolerance_s=300,
    deprecation_days=0,
)

FLAT = replace(CONTRACT, name="flat", fields=tuple(f for f in CONTRACT.fields if f.type not in ("boolean", "strings")))
"""The same without booleans and lists, so that no message with a bracket is read in bulk."""

GOOD = {
    "id": b'"a"',
    "at": b'"2026-03-02T08:15:30.123Z"',
    "n": b"1",
    "x": b"1.5",
    "count": b"3",
    "note": b'"b"',
    "flag": b"true",
    "until": b'"2026-03-02T08:15:30Z"',
    "y": b"2",
    "tags": b'["c"]',
    "marks": b'["d:e","f"]',
}

TEXTS = (
    b'""',
    b'"a:b"',
    b'":"',
    b'"\\":"',
    b'"\\u003a"',
    b'"\\u003A:"',
    b'"\\\\u003a"',
    b'"\\\\"',
    b'"\\\\\\u000a"',
    b'"\\\\n"',
    b'"\\n"',
    b'"\\t"',
    b'"\\u0000"',
    b'"\\u001f"',
    b'"\\u001F"',
    b'"\\u0020"',
    b'"\\/"',
    b'"\\""',
    b'"\\u00e9"',
    '"\u00e9\U0001f600\u2028\ufeff"'.encode(),
    b'"\x7f"',
    b'"\x00"',
    b'"\n"',
    b'"\xff"',
    b'"\xc0\x80"',
    b'"\xed\xa0\x80"',
    b'"\xf4\x90\x80\x80"',
    b'"\\ud800"',
    b'"\\udc00"',
    b'"\\ud83d\\ude00"',
    b'"\\ud83d\\u0041"',
    b'"\\ude00\\ud83d"',
    b'"\\u12"',
    b'"\\x41"',
    b"'a'",
    b'"a',
    b'"' + b"x" * 5000 + b'"',
    b'"2026-03-02T08:15:30Z"',
)
NUMBERS = (
    b"0",
    b"-0",
    b"-0.0",
    b"0.0",
    b"1.0",
    b"1e0",
    b"1E+2",
    b"1e-400",
    b"1e400",
    b"-1e400",
    b"1.7976931348623157e308",
    b"1.7976931348623159e308",
    b"5e-324",
    b"2e-324",
    b"9007199254740993",
    b"9007199254740993.0",
    b"0.1000000000000000055511151231257827021181583404541015625",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775808",
    b"-9223372036854775809",
    b"18446744073709551615",
    b"18446744073709551616",
    b"1" * 308,
    b"1" * 400,
    b"1" * 5000,
    b"0." + b"3" * 5000,
    b"01",
    b"+1",
    b".5",
    b"1.",
    b"-",
    b"1e",
    b"0x10",
    b"1_000",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"nan",
    "\u0663".encode(),
)
TIMES = (
    *(f'"2026-03-02T08:15:30.{"123456789"[:digits]}Z"'.encode() for digits in range(10)),
    b'"1970-01-01T00:00:00Z"',
    b'"1969-12-31T23:59:59.999999Z"',
    b'"2261-12-31T23:59:59.999999Z"',
    b'"2262-01-01T00:00:00Z"',
    b'"0000-01-01T00:00:00Z"',
    b'"9999-12-31T23:59:59.999Z"',
    b'"2024-02-29T00:00:00.000Z"',
    b'"2026-02-29T00:00:00.000Z"',
    b'"2026-02-30T00:00:00.000Z"',
    b'"2100-02-29T00:00:00Z"',
    b'"2026-04-31T00:00:00.000000Z"',
    b'"2026-00-10T00:00:00.000Z"',
    b'"2026-13-01T00:00:00.000Z"',
    b'"2026-01-00T00:00:00.000Z"',
    b'"2026-01-32T00:00:00.000Z"',
    b'"2026-01-01T24:00:00.000Z"',
    b'"2026-01-01T23:60:00.000Z"',
    b'"2026-01-01T23:59:60.000Z"',
    b'"2026-01-01T23:59:60Z"',
    b'"2026-06-30T23:59:60.5Z"',
    b'"2026-01-01t00:00:00.000Z"',
    b'"2026-01-01T00:00:00.000z"',
    b'"2026-01-01 00:00:00.000Z"',
    b'"2026-01-01T00:00:00.000+00:00"',
    b'"2026-01-01T00:00:00+00:00"',
    b'"2026-01-01T00:00:00.00 Z"',
    b'"2026-01-01T00:00:00,000Z"',
    b'"2026-01-01T00:00:-1.000Z"',
    b'"+026-01-01T00:00:00.000Z"',
    b'"-026-01-01T00:00:00.000Z"',
    b'"2026-1-01T00:00:00.0000Z"',
    b'" 2026-01-01T00:00:00.00Z"',
    b'"2026-01-01T00:00:00.000Z "',
    b'"2026-01-01T00\\u003a00:00.000Z"',
    b'"2026\\u002d01-01T00:00:00.000Z"',
    '"2026-01-01T00:00:0\u0660.000Z"'.encode(),
    '"\uff12026-01-01T00:00:00.000Z"'.encode(),
    b'"20260101T000000Z"',
    b'""',
    b"1772439330",
)
OTHERS = (
    b"null",
    b"true",
    b"false",
    b"1",
    b"0",
    b"TRUE",
    b"tru",
    b'"true"',
    b'"null"',
    b'"["',
    b'"]"',
    b'"[]"',
    b"\"['a']\"",
    b'"[1]"',
    b"[]",
    b"[null]",
    b"[null,null]",
    b"[true]",
    b"[1]",
    b"[1.50]",
    b"[:]",
    b"[[]]",
    b"[[[]]]",
    b"[{}]",
    b"[]]",
    b"[][]",
    b'["a"]["b"]',
    b'["a" "b"]',
    b'[ "a" ,\t"b" ]',
    b'[""]',
    b'["",""]',
    b'["[","a"]',
    b'["]"]',
    b'["[]"]',
    b'["null"]',
    b'[":","::"]',
    b'[","]',
    b'["\\u005b"]',
    b'["\xff"]',
    b'["a",["b"]]',
    b'[["a","b"]]',
    b'[["a:b"],"c"]',
    b"{}",
    b'{"id":1}',
    b'["a","b:c"]',
    b'["a",null]',
    b'["a",1]',
    b'[["a"]]',
    b'["\\u0001"]',
    b'["a",]',
    b"",
    b"[" * 5000,
    b'{"a":' * 5000,
    b"undefined",
)
SPACES = (b"", b" ", b"\t\n\r ", b"\x0b", b"\xc2\xa0", b"\xef\xbb\xbf", b"\x00", b"/**/")
KEYS = (b'"zz"', b'"n"', b'"id"', b'"\\u006e"', b'"n "', b'"N"', b'""', b'"n\\u0000"', b"n", b'"\xff"')


@st.composite
def messages(draw: st.DrawFn, contract: Contract = CONTRACT) -> bytes:
    """A message of a contract: mostly good fields, with hard values, repeated, strange or missing keys, noise."""
    fields = {name: GOOD[name] for name in contract.field_names}
    for name in draw(st.lists(st.sampled_from([*fields][4:]), max_size=6, unique=True)):
        del fields[name]
    for name in draw(st.lists(st.sampled_from(contract.field_names), max_size=2)):
        values = st.sampled_from((*TEXTS, *NUMBERS, *TIMES, *OTHERS))
        fields[name] = draw(st.one_of(st.sampled_from(_fitting(name)), values))
    pairs = [(f'"{name}"'.encode(), value) for name, value in fields.items()]
    if draw(st.integers(0, 3)) == 0:
        extra = draw(st.sampled_from((*KEYS, *(key for key, _ in pairs))))
        pairs.insert(draw(st.integers(0, len(pairs))), (extra, draw(st.sampled_from((b"1", b'"a"', b'":"', b"null")))))
    if draw(st.integers(0, 9)) == 0:
        pairs.pop(draw(st.integers(0, len(pairs) - 1)))
    pairs = draw(st.permutations(pairs))
    space = draw(st.sampled_from(SPACES[:3])) if draw(st.booleans()) else b""
    body = (b"," + space).join(key + space + b":" + space + value for key, value in pairs)
    ends = st.sampled_from(SPACES) if draw(st.integers(0, 9)) == 0 else st.just(b"")
    message = draw(ends) + b"{" + body + b"}" + draw(ends)
    return draw(_noise(message)) if draw(st.integers(0, 4)) == 0 else message


def _fitting(name: str) -> tuple[bytes, ...]:
    kind = CONTRACT.field(name).type
    return {"string": TEXTS, "timestamp": TIMES, "integer": NUMBERS, "number": NUMBERS}.get(kind, OTHERS)


def _noise(message: bytes) -> st.SearchStrategy[bytes]:
    """The message with a byte or a stretch of it changed, cut out, doubled or cut off."""

    def change(at: int, length: int, insert: bytes) -> bytes:
        at %= len(message) + 1
        return message[:at] + insert + message[at + length :]

    pieces: Any = st.one_of(st.binary(max_size=2), st.sampled_from((b'"', b"\\", b":", b",", b"{", b"}", message)))
    lengths = st.sampled_from((0, 1, 2, 10, 10_000))
    return st.builds(change, st.integers(0, 400), lengths, pieces)
