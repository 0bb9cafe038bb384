"""The terms of one answer: what the content policy says about it beyond the rules, for the caller who asked. Pure data and its choice.

It decides which shapes speak of this caller, and that a structured answer which has shapes, none of them for this caller, is closed to
it. What links, shapes, operators and names mean for a body is left to `lockgate_workers.dlp.decide` and what it asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lockgate_ledger.records import Directory
from lockgate_schemas.content import EMPTY, ContentPolicy, Names, Operator, Shape, Streaming
from lockgate_schemas.passage import Facts


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked which agent for what, as the gates before established it. ``roles`` are those held towards the agent for this action."""

    tenant: str = ""
    user: str = ""
    client: str = ""
    agent: str = ""
    action: str = ""
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DlpTerms:
    """What holds for one answer.

    ``links`` are the hosts that an answer may lead to (None: see `links`), ``operators`` what stands in the place of findings (the first whose ``finds`` fits),
    ``names`` whether and how a language model looks at it. ``shapes`` are those that speak of this caller, all equally specific: an
    answer may hold what any of them allows. ``closed`` says that shapes speak of this agent and action but none of this caller:
    nothing structured may go out to them. ``streams`` says that the answer may be shown while it is being written.
    """

    asked: Asked = Asked()
    links: tuple[str, ...] | None = None
    shapes: tuple[Shape, ...] = ()
    closed: bool = False
    operators: tuple[Operator, ...] = ()
    names: Names = EMPTY.names
    streams: bool = False


def asked(facts: Facts, directory: Directory) -> Asked:
    """Who asked what, with the roles that the directory gives them for it."""
    who = facts.principal
    bindings = directory.bindings.get((who.tenant, who.user, facts.agent), ())
    roles = frozenset(binding.role for binding in bindings if not binding.actions or facts.action in binding.actions)
    return Asked(who.tenant, who.user, who.client, facts.agent, facts.action, roles)


NO_TERMS: Final = DlpTerms()


def terms_for(policy: ContentPolicy, asked: Asked) -> DlpTerms:
    """What ``policy`` says for this caller, agent and action."""
    if policy is EMPTY:
        return DlpTerms(asked)
    about = [shape for shape in policy.shapes if shape.agent == asked.agent and shape.action in {"", asked.action}]
    fitting = _most_specific(shape for shape in about if _speaks_of(shape, asked))
    return DlpTerms(
        asked,
        links=policy.links,
        shapes=fitting,
        closed=bool(about) and not fitting,
        operators=policy.operators,
        names=policy.names,
        streams=any(_streams(one, asked) for one in policy.streams),
    )


def _streams(one: Streaming, asked: Asked) -> bool:
    return one.agent == asked.agent and one.action in {"", asked.action} and one.tenant in {"", asked.tenant}


def _speaks_of(shape: Shape, asked: Asked) -> bool:
    return shape.tenant in {"", asked.tenant} and (not shape.roles or not asked.roles.isdisjoint(shape.roles))


def _most_specific(shapes: Iterable[Shape]) -> tuple[Shape, ...]:
    """Those of the highest rank: one for this action goes before one for all, then one for the tenant, then one for named roles."""
    ranked = [((bool(shape.action), bool(shape.tenant), bool(shape.roles)), shape) for shape in shapes]
    highest = max((rank for rank, _ in ranked), default=None)
    return tuple(shape for rank, shape in ranked if rank == highest)
