"""Handlers and their signatures: what is typed, what is refused when the agent is loaded, what a caller is told about data that does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from lockgate import ActionFailed, Agent, Request
from lockgate.actions import Action
from lockgate.testing import ask
from lockgate_schemas.errors import ConfigurationError, NameRefusedError


class Order(msgspec.Struct, forbid_unknown_fields=True):
    item: str
    number: int = 1


@dataclass
class Plain:
    x: float


def typed(data_type: Any) -> tuple[Agent, list[Any]]:
    agent, seen = Agent("typed"), list[Any]()

    async def act(request: Any) -> str:
        seen.append(request.data)
        return "done"

    act.__annotations__["request"] = Request[data_type]
    agent.action("act")(act)
    return agent, seen


@pytest.mark.parametrize(
    ("data_type", "data", "decoded"),
    [
        (Order, {"item": "rope"}, Order("rope", 1)),
        (Plain, {"x": 1}, Plain(1.0)),
        (list[int], [1, 2], [1, 2]),
        (None, None, None),
        (Any, {"any": ["thing"]}, {"any": ["thing"]}),
    ],
)
async def test_data_arrives_as_its_type(data_type: Any, data: Any, decoded: Any) -> None:
    agent, seen = typed(data_type)
    assert (await ask(agent, "act", data)).ok
    assert seen == [decoded]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"item": 3}, "Expected `str`, got `int` - at `$.item`"),
        ({}, "Object missing required field `item`"),
        ({"item": "a", "price": 1}, "unknown field `price`"),
        (None, "Expected `object`, got `null`"),
    ],
)
async def test_data_that_does_not_fit_is_a_sentence_and_no_handler(data: Any, reason: str) -> None:
    agent, seen = typed(Order)
    answer = await ask(agent, "act", data)
    assert not answer.ok
    assert answer.body.startswith("the data does not fit the action 'act': ")
    assert reason in answer.body
    assert seen == []


async def test_a_request_without_a_type_carries_any_json() -> None:
    agent = Agent("untyped")

    @agent.action("act")
    async def act(request: Request) -> Any:  # type: ignore[type-arg]
        return request.data

    assert (await ask(agent, "act", [1, {"a": None}])).json() == [1, {"a": None}]


def test_a_type_inside_a_function_is_found_when_the_handler_uses_it() -> None:
    class Local(msgspec.Struct):
        x: int

    async def act(request: Request[Local]) -> Any:
        return Local(request.data.x)

    assert Action.of("act", act).read(msgspec.Raw(b'{"x":1}')) == Local(1)


async def no_type(request) -> str:  # type: ignore[no-untyped-def]
    return str(request.data)


def test_an_annotation_is_not_required() -> None:
    assert Action.of("act", no_type).read(msgspec.Raw(b"[1]")) == [1]


def not_async(_request: Request[Any]) -> str:
    return ""


async def no_parameter() -> str:
    return ""


async def two_parameters(_request: Request[Any], _more: int) -> str:
    return ""


async def only_keywords(*, _request: Request[Any]) -> str:
    return ""


async def wrong_annotation(_request: dict[str, Any]) -> str:
    return ""


async def unknown_type(_request: Request[Nowhere]) -> str:  # type: ignore[name-defined]  # noqa: F821
    return ""


async def undecodable(_request: Request[list[int] | set[int]]) -> str:
    return ""


@pytest.mark.parametrize(
    "handler", [not_async, no_parameter, two_parameters, only_keywords, wrong_annotation, unknown_type, undecodable]
)
def test_a_handler_that_could_not_work_is_refused_when_it_is_registered(handler: Any) -> None:
    with pytest.raises(ConfigurationError, match="the handler of 'act'"):
        Agent("careful").action("act")(handler)


def test_an_action_has_a_logical_name() -> None:
    with pytest.raises(NameRefusedError):
        Agent("careful").action("Do It")(no_type)


def test_bytes_that_are_no_json_are_a_sentence_too() -> None:
    with pytest.raises(ActionFailed):
        Action.of("act", no_type).read(msgspec.Raw(b"\xff"))
