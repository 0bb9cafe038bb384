"""The reporting agent: named reports, and one bounded SELECT of the caller's own.

``list`` names the reports, ``report`` runs one, ``query`` runs SQL. It holds back nothing of its data: what of it may leave is the
gateway's to decide, which is what this example is for.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

import msgspec

from lockgate.agent import Agent
from lockgate.examples.reporting.database import MOST_ROWS, Database, QueryRefusedError, Table
from lockgate.request import ActionFailed, Request
from lockgate.settings import AgentSettings

Rows = Annotated[int, msgspec.Meta(ge=1, le=MOST_ROWS)]
"""How many rows to return at most."""


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A report by its name."""

    name: str
    most: Rows = 50


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One SELECT over ``customers`` and ``orders``."""

    sql: str
    most: Rows = 50


REPORTS: Final[dict[str, tuple[str, str]]] = {
    "customers": (
        "Every customer with contact and payment details.",
        "SELECT id, name, email, ssn, card, plan FROM customers ORDER BY id",
    ),
    "revenue-by-month": (
        "Paid orders by month.",
        "SELECT substr(day, 1, 7) AS month, count(*) AS orders, sum(cents) AS cents FROM orders WHERE paid GROUP BY 1 ORDER BY 1",
    ),
    "top-customers": (
        "Who has paid most.",
        """SELECT c.name, c.email, sum(o.cents) AS cents FROM customers c JOIN orders o ON o.customer = c.id
        WHERE o.paid GROUP BY c.id ORDER BY 3 DESC""",
    ),
    "unpaid": (
        "Orders that are not paid, with whom to write to.",
        """SELECT o.id, o.day, o.cents, c.name, c.email FROM orders o JOIN customers c ON c.id = o.customer
        WHERE NOT o.paid ORDER BY o.day""",
    ),
    "plans": (
        "How many customers each plan has.",
        "SELECT plan, count(*) AS customers FROM customers GROUP BY plan ORDER BY 1",
    ),
}


def build(settings: AgentSettings | None = None, database: Database | None = None) -> Agent:
    """The agent ``reporting``, over the sample database or another of its kind."""
    agent = Agent("reporting", settings=settings)
    data = database or Database()

    async def read(sql: str, most: int) -> Table:
        try:
            return await asyncio.to_thread(data.read, sql, (), most)
        except QueryRefusedError as error:
            raise ActionFailed(str(error)) from None

    @agent.action("list")
    async def list_reports(request: Request[None]) -> dict[str, str]:
        del request
        return {name: sentence for name, (sentence, _) in REPORTS.items()}

    @agent.action("report")
    async def report(request: Request[Named]) -> Table:
        found = REPORTS.get(request.data.name)
        if found is None:
            raise ActionFailed(f"there is no such report; there are {', '.join(REPORTS)}")
        return await read(found[1], request.data.most)

    @agent.action("query")
    async def query(request: Request[Query]) -> Table:
        return await read(request.data.sql, request.data.most)

    return agent
