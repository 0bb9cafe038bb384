"""The SDK of Lockgate: write an agent, or call one.

An agent is a set of async functions; a client submits signed requests and keeps receipts::

    from lockgate import Agent, Request

    agent = Agent("reporting")

    @agent.action("summarise")
    async def summarise(request: Request[str]) -> str:
        return request.data[:80]

    if __name__ == "__main__":
        agent.main()

Importing this package loads nothing but this file: each name is fetched from its own module when it is first used, so that a tool
which only reads a receipt pays neither for HTTP nor for a broker.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lockgate.agent import Agent
    from lockgate.broker_client import BrokerClient
    from lockgate.client import Client
    from lockgate.credentials import AgentCredentials, ClientCredentials
    from lockgate.orders import Order, Submitted
    from lockgate.receipts import load_receipt, save_receipt, verify_receipt
    from lockgate.request import ActionFailed, Reply, Request
    from lockgate.results import Progress, Result, Submission
    from lockgate.settings import AgentSettings, ClientSettings
    from lockgate.streaming import Streamed

__all__ = [
    "ActionFailed",
    "Agent",
    "AgentCredentials",
    "AgentSettings",
    "BrokerClient",
    "Client",
    "ClientCredentials",
    "ClientSettings",
    "Order",
    "Progress",
    "Reply",
    "Request",
    "Result",
    "Streamed",
    "Submission",
    "Submitted",
    "load_receipt",
    "save_receipt",
    "verify_receipt",
]

_HOMES: Final = {
    "ActionFailed": "request",
    "Agent": "agent",
    "AgentCredentials": "credentials",
    "AgentSettings": "settings",
    "BrokerClient": "broker_client",
    "Client": "client",
    "ClientCredentials": "credentials",
    "ClientSettings": "settings",
    "Order": "orders",
    "Progress": "results",
    "Reply": "request",
    "Request": "request",
    "Result": "results",
    "Streamed": "streaming",
    "Submission": "results",
    "Submitted": "orders",
    "load_receipt": "receipts",
    "save_receipt": "receipts",
    "verify_receipt": "receipts",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
