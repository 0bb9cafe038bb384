"""The generated documents: up to date, valid in their own formats, and true of what the gateway really sends."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from lockgate_schemas import json_schema
from lockgate_schemas.audit import change_entry, decision_entry, refusal_entry
from lockgate_schemas.envelope import Access
from lockgate_schemas.errors import ERRORS, LockgateError
from lockgate_schemas.generate import main, rendered, stale
from lockgate_schemas.mailbox import Accepted, Outcomes, Refusals, Refused
from lockgate_schemas.names import Role
from lockgate_schemas.passage import (
    Acceptance,
    Cancel,
    Convoy,
    Decision,
    FindingSummary,
    Incident,
    Release,
    Reply,
    Response,
    ResponseStatus,
    read_facts,
    read_response,
    read_statement,
)
from lockgate_schemas.principal import Actor, Principal
from lockgate_schemas.topics import RIGHTS

DOCS = Path(__file__).parents[2] / "docs"
SCHEMAS = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted((DOCS / "schemas").glob("*.schema.json"))}
REGISTRY: Registry[Any] = Registry().with_resources((name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items())
ASYNCAPI = json.loads((DOCS / "asyncapi.json").read_text(encoding="utf-8"))


def validator(name: str) -> Draft202012Validator:
    # A schema refers to its neighbours by file name, so it is looked up under its own.
    return Draft202012Validator({"$ref": f"{name}.schema.json"}, registry=REGISTRY)


# --- up to date -------------------------------------------------------------------------------------------------------


def test_the_documents_are_up_to_date() -> None:
    assert main(["--check", "--into", str(DOCS)]) == 0


def test_the_check_sees_what_is_missing_changed_or_left_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "--into", str(tmp_path)]) == 1
    assert main(["--into", str(tmp_path)]) == 0
    assert main(["--check", "--into", str(tmp_path)]) == 0
    capsys.readouterr()
    (tmp_path / "errors.md").write_text("other", encoding="utf-8")
    (tmp_path / "asyncapi.json").unlink()
    (tmp_path / "schemas" / "gone.schema.json").write_text("{}", encoding="utf-8")
    (tmp_path / "schemas" / "README.md").write_text("by hand", encoding="utf-8")
    assert stale(tmp_path, rendered()) == ["asyncapi.json", "errors.md", "schemas/gone.schema.json"]
    assert main(["--check", "--into", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("not up to date") == 3
    assert main(["--into", str(tmp_path)]) == 0
    assert stale(tmp_path, rendered()) == []
    assert (tmp_path / "schemas" / "README.md").exists()


# --- schemas ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_valid_and_says_what_it_is(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == json_schema.DIALECT
    assert schema["description"]
    assert "``" not in json.dumps(schema)
    for reference in _references(schema):
        assert reference in SCHEMAS


def instances(gateway: Any) -> dict[str, list[bytes]]:
    """Real messages by the name of their schema, as the gateway encodes them."""
    encode = msgspec.json.encode
    (passage,) = gateway.through(Role.INSPECTION, findings=(FindingSummary(rule="r", severity="low", action="flag", count=1),))
    (answered,) = gateway.through(Role.DLP)
    facts, receipt = read_facts(passage.facts), gateway.receipt()
    refusal = gateway.receipt(Role.AUTHZ)
    end = receipt.stamps[-1]
    acceptance = Acceptance(facts=passage.facts, stamp=passage.stamps[0])
    incident = Incident(
        stamp=gateway.stamp(
            gateway.statement(Role.DLP, passage, decision=Decision.QUARANTINE, request_id="", facts="", previous="")
        )
    )
    shown = gateway.stamp(gateway.statement(Role.DLP, passage, decision=Decision.SHOW))
    release = Release(facts=passage.facts, stamp=shown, text="so far")
    refused = Refused(envelope=facts.envelope, code="too-large", detail="Too large", event_id="e")
    statements = [read_statement(stamp.statement) for stamp in receipt.stamps]
    return {
        "event": [encode(gateway.event()), encode(gateway.event(data=msgspec.Raw(b"[1]"), traceparent="00-a-b-01"))],
        "access": [encode(Access(iss="acme-app", aud=gateway.name, iat=1, exp=2))],
        "facts": [bytes(passage.facts)],
        "principal": [encode(Principal("acme", "acme-app", "u", "jws", "k", Actor("a", Actor("b")))), encode(facts.principal)],
        "statement": [encode(statement) for statement in statements],
        "stamp": [encode(stamp) for stamp in receipt.stamps],
        "passage": [encode(passage), encode(answered)],
        "convoy": [encode(Convoy(passages=(passage, answered), incidents=(incident,), releases=(release,))), encode(Convoy())],
        "reply": [encode(Reply(dispatch_id=facts.dispatch_id, passage=gateway.answered(passage), draft=n)) for n in (0, 1)],
        "release": [encode(release)],
        "response": [bytes(answered.response), encode(Response(status=ResponseStatus.ERROR, body="", content_type="a/b"))],
        "cancel": [encode(Cancel(dispatch_id=facts.dispatch_id, facts=passage.facts, stamp=end))],
        "receipt": [encode(receipt), encode(refusal)],
        "acceptance": [encode(acceptance)],
        "incident": [encode(incident)],
        "audit-entry": [
            encode(decision_entry(facts, statements[-1], end)),
            encode(refusal_entry(at=1, code="envelope-refused")),
            encode(change_entry(at=1, what="grant", target="a", epoch=2)),
        ],
        "trust": [encode(gateway.trust(authz=5))],
        "mail": [
            encode(Accepted(items=(acceptance,))),
            encode(Refusals(items=(refused,))),
            encode(Outcomes(items=(receipt, refusal))),
        ],
        "problem": [encode(_problem(error)) for error in ERRORS],
    }


def _problem(error: type[LockgateError]) -> dict[str, Any]:
    return {
        "type": f"urn:lockgate:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.title,
        "code": error.code,
        "advice": error.advice,
    }


def test_what_the_gateway_sends_is_valid(gateway: Any) -> None:
    for name, messages in instances(gateway).items():
        for message in messages:
            validator(name).validate(json.loads(message))


def test_every_root_has_an_instance_here(gateway: Any) -> None:
    described = {json_schema.file_of(root).removesuffix(".schema.json") for root in json_schema.ROOTS}
    assert described - {"accepted", "refusals", "outcomes"} <= set(instances(gateway))


def test_what_the_gateway_would_refuse_is_not_valid(gateway: Any) -> None:
    for name, messages in instances(gateway).items():
        check = validator(name)
        for message in messages:
            honest = json.loads(message)
            assert check.is_valid(honest)
            for wrong in _mutated(honest, open_ended=name == "problem"):
                assert not check.is_valid(wrong), f"{name}: {sorted(wrong)}"
        assert not any(check.is_valid(other) for other in (None, [], "", 1))


def _mutated(honest: dict[str, Any], *, open_ended: bool) -> Iterator[dict[str, Any]]:
    if not open_ended:
        yield honest | {"unknown": 1}
    for member, value in honest.items():
        if member != "data":
            yield honest | {member: {"a": 1} if not isinstance(value, dict) else 1}
            yield honest | {member: [7]}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("event", {"agent": "https://evil.test"}),
        ("event", {"agent": "gw.authz"}),
        ("event", {"action": "*"}),
        ("event", {"source": "Acme"}),
        ("event", {"type": "other"}),
        ("event", {"specversion": "0.3"}),
        ("event", {"id": ""}),
        ("event", {"time": "2027-01-15T08:00:00"}),
        ("event", {"expirytime": "2027-W02-5T08:00:00Z"}),
        ("facts", {"envelope": "0" * 63}),
        ("facts", {"door": "window"}),
        ("facts", {"accepted": "now"}),
        ("statement", {"decision": "maybe"}),
        ("statement", {"previous": "x"}),
        ("statement", {"outcome": "lost"}),
        ("stamp", {"proof": "trust me"}),
        ("passage", {"facts": {}}),
        ("passage", {"stamps": [{}]}),
        ("mail", {"kind": "other"}),
        ("problem", {"code": "other"}),
        ("problem", {"status": 200}),
    ],
)
def test_grammar_that_the_types_do_not_say(gateway: Any, name: str, change: dict[str, Any]) -> None:
    honest = json.loads(instances(gateway)[name][0])
    assert validator(name).is_valid(honest)
    assert not validator(name).is_valid(honest | change)


@pytest.mark.parametrize("name", ["facts", "statement", "response", "convoy"])
def test_a_missing_member_is_missing_in_both(gateway: Any, name: str) -> None:
    from lockgate_schemas.passage import read_convoy  # noqa: PLC0415 - beside the others in the table

    reader: Any = {"facts": read_facts, "statement": read_statement, "response": read_response, "convoy": read_convoy}[name]
    honest = json.loads(instances(gateway)[name][0])
    for member in honest:
        without = {key: value for key, value in honest.items() if key != member}
        try:
            reader(json.dumps(without).encode())
        except LockgateError:
            assert not validator(name).is_valid(without)
        else:
            assert validator(name).is_valid(without)


# --- AsyncAPI ---------------------------------------------------------------------------------------------------------


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _resolve(reference: str) -> Any:
    path, _, pointer = reference.partition("#")
    node: Any = json.loads((DOCS / path).read_text(encoding="utf-8")) if path else ASYNCAPI
    for step in filter(None, pointer.split("/")):
        node = node[step]
    return node


def test_the_document_is_asyncapi_and_every_reference_leads_somewhere() -> None:
    assert ASYNCAPI["asyncapi"] == "3.1.0"
    assert {"title", "version"} <= ASYNCAPI["info"].keys()
    references = list(_references(ASYNCAPI))
    assert references
    for reference in references:
        assert _resolve(reference)


def test_channels_and_operations_keep_to_the_specification() -> None:
    addresses = [channel["address"] for channel in ASYNCAPI["channels"].values()]
    assert len(set(addresses)) == len(addresses)
    for channel in ASYNCAPI["channels"].values():
        assert set(re.findall(r"\{(\w+)\}", channel["address"])) == set(channel.get("parameters", {}))
        assert "any-name" not in channel["address"]
    for name, operation in ASYNCAPI["operations"].items():
        assert re.fullmatch(r"[a-z-]+", name)
        assert operation["action"] in {"send", "receive"}
        own = operation["channel"]["$ref"] + "/messages/"
        assert all(message["$ref"].startswith(own) for message in operation["messages"])
    for message in ASYNCAPI["components"]["messages"].values():
        Draft202012Validator.check_schema(message["payload"])
    assert ASYNCAPI["components"]["messages"]["envelope"]["contentType"] == "application/jose"


def test_the_envelopes_pattern_takes_envelopes_alone(gateway: Any) -> None:
    check = Draft202012Validator(ASYNCAPI["components"]["messages"]["envelope"]["payload"])
    assert check.is_valid(gateway.envelope())
    assert not any(check.is_valid(other) for other in ("", "a.b", "a.b.c.d", "a.b.c=", "{}"))


def _who(action: str, channel: str) -> set[str]:
    return {name.split("-")[0] for name in ASYNCAPI["operations"] if name.endswith(f"-{action}-{channel}")}


def test_it_says_who_may_do_what() -> None:
    assert _who("send", "dispatch") == {"inspection"}
    assert _who("receive", "dispatch") == {"agent"}
    assert _who("receive", "reply") == {"dlp"}
    assert _who("send", "reply") == {"agent"}
    assert _who("send", "requests") == {"client"}
    assert _who("receive", "requests") == {"ingress"}
    assert _who("send", "cancel") == {"outcome"}
    assert _who("send", "inspection") == {"authz", "inspection"}
    assert _who("receive", "authz") == {"authz"}
    assert _who("send", "quarantine") == _who("send", "health") == {str(role) for role in RIGHTS}
    assert _who("receive", "quarantine") == _who("receive", "health") == set()


# --- errors -----------------------------------------------------------------------------------------------------------


def test_the_table_has_every_error_once_and_stays_a_table() -> None:
    rows = [line for line in (DOCS / "errors.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [error.code for error in ERRORS]
    assert all(row.count("|") == 5 for row in rows)
    assert len({error.code for error in ERRORS}) == len(ERRORS)


def test_every_error_class_is_in_the_closed_table() -> None:
    def below(error: type[LockgateError]) -> Iterator[type[LockgateError]]:
        yield error
        for sub in error.__subclasses__():
            yield from below(sub)

    own = {error for error in below(LockgateError) if error.__module__ == "lockgate_schemas.errors"}
    assert own == set(ERRORS)
    for error in ERRORS:
        assert 400 <= error.status <= 599
        assert error.title
        assert error.advice
