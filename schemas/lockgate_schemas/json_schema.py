"""The JSON Schemas (2020-12) of every type that crosses a process border, made from the types themselves.

One document a type, which refers to the others by file name. What a type cannot say is in two tables here: what stands in a member
that keeps its exact bytes, and the grammar of members that are text to the decoder but not to the gateway. Pure; `generate` writes.
A schema describes the form alone: no schema replaces a signature, a digest or a stamp.
"""

from __future__ import annotations

import inspect as docs
import re
from collections.abc import Iterator
from typing import Any, Final, get_args

from msgspec import Struct, inspect

from lockgate_schemas.audit import AuditEntry
from lockgate_schemas.envelope import EVENT_TYPE, Access, Event
from lockgate_schemas.errors import ERRORS
from lockgate_schemas.mailbox import Mail, Refused
from lockgate_schemas.names import NAME_PATTERN
from lockgate_schemas.passage import (
    Acceptance,
    Cancel,
    Convoy,
    Facts,
    Incident,
    Outcome,
    Passage,
    Receipt,
    Release,
    Reply,
    Response,
    Stamp,
    Statement,
)
from lockgate_schemas.principal import Principal
from lockgate_schemas.trust import Trust

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MAIL_FILE: Final = "mail.schema.json"
PROBLEM_FILE: Final = "problem.schema.json"

ROOTS: Final[tuple[type[Struct], ...]] = (
    *(Event, Access, Facts, Principal, Statement, Stamp, Passage, Convoy, Release, Reply, Response),
    *(Cancel, Receipt, Acceptance, Incident, AuditEntry, Trust, *get_args(Mail)),
)
"""The types to describe; those they are made of follow."""

_EMBEDDED: Final[dict[str, type[Struct] | None]] = {"facts": Facts, "statement": Statement, "response": Response, "data": None}
"""What stands in a member that keeps its exact bytes, by the member's name; ``None`` is any JSON value."""

_NAME: Final = {"pattern": NAME_PATTERN}
_DIGEST: Final = {"pattern": "^[0-9a-f]{64}$"}
_DIGEST_OR_NOTHING: Final = {"pattern": "^(?:[0-9a-f]{64})?$"}
_MOMENT: Final = {
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})$",
}
_GRAMMAR: Final[dict[tuple[type[Struct], str], Schema]] = {
    (Event, "specversion"): {"const": "1.0"},
    (Event, "type"): {"const": EVENT_TYPE},
    (Event, "id"): {"pattern": "^[ -~]{1,64}$"},
    (Event, "source"): _NAME,
    (Event, "agent"): _NAME,
    (Event, "action"): _NAME,
    (Event, "time"): _MOMENT,
    (Event, "expirytime"): _MOMENT,
    (Facts, "agent"): _NAME,
    (Facts, "action"): _NAME,
    (Facts, "envelope"): _DIGEST,
    (Principal, "client"): _NAME,
    (Principal, "tenant"): _NAME,
    (Statement, "facts"): _DIGEST_OR_NOTHING,
    (Statement, "previous"): _DIGEST_OR_NOTHING,
    (Statement, "input"): _DIGEST,
    (Statement, "output"): _DIGEST,
    (Stamp, "proof"): {"pattern": "^c2sp\\.org/tlog-proof@v1\n"},
    (Refused, "envelope"): _DIGEST,
}
_PLAIN: Final[dict[type[inspect.Type], str]] = {
    inspect.StrType: "string",
    inspect.IntType: "integer",
    inspect.BoolType: "boolean",
    inspect.NoneType: "null",
}


def file_of(type_: type[Struct]) -> str:
    """The file name of a type's schema: ``AuditEntry`` is in ``audit-entry.schema.json``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type_.__name__).lower() + ".schema.json"


def documents() -> dict[str, Schema]:
    """Every schema by file name."""
    types: dict[type[Struct], inspect.StructType] = {}
    for root in ROOTS:
        _collect(root, types)
    schemas = {file_of(type_): _struct(info) for type_, info in types.items()}
    return schemas | {MAIL_FILE: _mail(), PROBLEM_FILE: _problem()}


def plain_text(docstring: str) -> str:
    """A docstring as text for readers of a schema: one line a paragraph, code in single backquotes."""
    paragraphs = docs.cleandoc(docstring).split("\n\n")
    return "\n\n".join(" ".join(one.split()) for one in paragraphs).replace("``", "`")


def _collect(type_: type[Struct], into: dict[type[Struct], inspect.StructType]) -> None:
    if type_ in into:
        return
    info = inspect.type_info(type_)
    if not isinstance(info, inspect.StructType):
        raise TypeError(f"{type_.__name__} is not a struct")
    into[type_] = info
    for field in info.fields:
        for part in _parts(field):
            _collect(part, into)


def _parts(field: inspect.Field) -> Iterator[type[Struct]]:
    pending: list[inspect.Type] = [field.type]
    while pending:
        match pending.pop():
            case inspect.StructType(cls=part):
                yield part
            case inspect.VarTupleType(item_type=item):
                pending.append(item)
            case inspect.UnionType(types=types):
                pending.extend(types)
            case inspect.RawType() if (embedded := _EMBEDDED[field.name]) is not None:
                yield embedded
            case _:
                pass


def _struct(info: inspect.StructType) -> Schema:
    tag = {info.tag_field: {"const": info.tag}} if info.tag_field else {}
    members = {f.encode_name: _member(f) | _GRAMMAR.get((info.cls, f.name), {}) for f in info.fields}
    return {
        "$schema": DIALECT,
        "title": info.cls.__name__,
        "description": plain_text(info.cls.__doc__ or ""),
        "type": "object",
        "properties": tag | members,
        "required": [*tag, *(f.encode_name for f in info.fields if f.required)],
        "additionalProperties": not info.forbid_unknown_fields,
    }


def _member(field: inspect.Field) -> Schema:
    return _schema(field.type, field.name)


def _schema(type_: inspect.Type, member: str) -> Schema:
    match type_:
        case inspect.StructType(cls=part):
            return {"$ref": file_of(part)}
        case inspect.RawType():
            embedded = _EMBEDDED[member]
            return {} if embedded is None else {"$ref": file_of(embedded)}
        case inspect.EnumType(cls=enum):
            return {"type": "string", "enum": [one.value for one in enum]}
        case inspect.VarTupleType(item_type=item):
            return {"type": "array", "items": _schema(item, member)}
        case inspect.UnionType(types=types):
            return {"anyOf": [_schema(one, member) for one in types]}
        case _:
            return {"type": _PLAIN[type(type_)]}  # a type that no table knows stops the generation


def _mail() -> Schema:
    return {
        "$schema": DIALECT,
        "title": "Mail",
        "description": "One letter on a client's own outcomes queue.",
        "oneOf": [{"$ref": file_of(type_)} for type_ in get_args(Mail)],
    }


def _problem() -> Schema:
    codes = [*(error.code for error in ERRORS), *(str(o) for o in Outcome if o is not Outcome.DELIVERED)]
    text = {"type": "string"}
    return {
        "$schema": DIALECT,
        "title": "Problem",
        "description": "Problem details (RFC 9457): every error over HTTP. `code` is stable across releases; docs/errors.md lists the codes.",
        "type": "object",
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": text,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": text,
            "code": {"type": "string", "enum": codes},
            "advice": text,
            "request_id": text,
            "receipt": {"$ref": file_of(Receipt)},
        },
        "required": ["type", "title", "status", "detail", "code", "advice"],
        "additionalProperties": True,
    }
