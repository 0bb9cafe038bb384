"""Which shapes speak of a caller, and which roles a caller has: the most specific hold, and who is not spoken of gets nothing structured."""

from __future__ import annotations

import pytest

from lockgate_ledger.records import Binding, Directory
from lockgate_schemas.content import EMPTY, ContentPolicy, Operator, Shape
from lockgate_schemas.passage import Door, Facts
from lockgate_schemas.principal import Principal
from lockgate_workers.dlp.terms import Asked, asked, terms_for

ASKED = Asked("acme", "alice", "shop", "billing", "invoices", frozenset({"clerk"}))
ANY = Shape(agent="billing", fields=("a",))
ACTION = Shape(agent="billing", action="invoices", fields=("b",))
TENANT = Shape(agent="billing", tenant="acme", fields=("c",))
CLERK = Shape(agent="billing", roles=("clerk", "auditor"), fields=("d",))
AUDITOR = Shape(agent="billing", roles=("auditor",), fields=("e",))
ELSEWHERE = (
    Shape(agent="other"),
    Shape(agent="billing", action="refunds"),
    Shape(agent="billing", tenant="globex"),
    AUDITOR,
)


@pytest.mark.parametrize(
    ("shapes", "held"),
    [
        ((), ()),
        ((ANY,), (ANY,)),
        ((ANY, CLERK), (CLERK,)),
        ((CLERK, TENANT, ANY), (TENANT,)),
        ((TENANT, ACTION, CLERK), (ACTION,)),
        ((ANY, *ELSEWHERE), (ANY,)),
    ],
)
def test_of_the_shapes_that_fit_the_most_specific_hold(shapes: tuple[Shape, ...], held: tuple[Shape, ...]) -> None:
    terms = terms_for(ContentPolicy(shapes=shapes), ASKED)
    assert (terms.shapes, terms.closed) == (held, False)


def test_a_caller_with_two_roles_has_the_shapes_of_both() -> None:
    both = Asked("acme", "alice", "shop", "billing", "invoices", frozenset({"clerk", "auditor"}))
    assert terms_for(ContentPolicy(shapes=(CLERK, AUDITOR)), both).shapes == (CLERK, AUDITOR)


@pytest.mark.parametrize("shape", [AUDITOR, Shape(agent="billing", tenant="globex")])
def test_where_shapes_speak_of_others_only_nothing_structured_may_go_out(shape: Shape) -> None:
    terms = terms_for(ContentPolicy(shapes=(shape,)), ASKED)
    assert (terms.shapes, terms.closed) == ((), True)


@pytest.mark.parametrize("shape", [Shape(agent="other"), Shape(agent="billing", action="refunds")])
def test_shapes_of_other_agents_and_actions_close_nothing(shape: Shape) -> None:
    assert not terms_for(ContentPolicy(shapes=(shape,)), ASKED).closed


def test_the_rest_of_the_policy_goes_along_and_without_one_nothing_holds() -> None:
    policy = ContentPolicy(links=("a.example",), operators=(Operator(finds="email", operator="redact"),))
    terms = terms_for(policy, ASKED)
    assert (terms.asked, terms.links, terms.operators) == (ASKED, policy.links, policy.operators)
    bare = terms_for(EMPTY, ASKED)
    assert (bare.asked, bare.links, bare.shapes, bare.closed) == (ASKED, None, (), False)


def directory(*bindings: Binding) -> Directory:
    return Directory(
        epoch=1, clients={}, keys={}, agents={}, bindings={("acme", "alice", "billing"): tuple(bindings)}, policy=None
    )


def test_roles_are_those_that_grants_give_for_this_action() -> None:
    principal = Principal(tenant="acme", client="shop", user="alice", method="signed-envelope")
    facts = Facts("r", "d", "g", "billing", "invoices", principal, "e", "i", 1, 2, Door.HTTP)
    granted = directory(
        Binding("acme", "alice", "billing", "caller"),
        Binding("acme", "alice", "billing", "clerk", ("invoices", "refunds")),
        Binding("acme", "alice", "billing", "auditor", ("refunds",)),
    )
    assert asked(facts, granted) == Asked("acme", "alice", "shop", "billing", "invoices", frozenset({"caller", "clerk"}))
    assert asked(facts, Directory(1, {}, {}, {}, {}, None)).roles == frozenset()
