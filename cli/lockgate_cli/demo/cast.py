"""Who takes part: three clients and three agents, registered as an operator would register them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from lockgate.credentials import AgentCredentials, ClientCredentials
from lockgate_cli.commands.parties import register_agent, register_client
from lockgate_cli.home import Home
from lockgate_cli.operator import Operator

TENANT: Final = "acme"
AGENTS: Final = {
    "code-review": ["review"],
    "reporting": ["list", "report", "query"],
    "ops": ["list", "read", "search"],
}
CLIENTS: Final = ("alice", "bob", "carol")
GRANTS: Final = (("alice", "code-review"), ("alice", "reporting"), ("alice", "ops"), ("carol", "ops"))
"""Bob is registered and may do nothing: being known is not being allowed."""


@dataclass(frozen=True, slots=True)
class Cast:
    """The registered parties and the operator who registered them."""

    home: Home
    operator: Operator
    clients: dict[str, ClientCredentials]
    agents: dict[str, AgentCredentials]

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the operator; in a thread, because the operator's door is served by this very process."""
        return await asyncio.to_thread(self.operator.call, method, path, body)

    async def grant(self, client: str, agent: str) -> None:
        """Give a grant."""
        await self.call("POST", "/admin/grants", _binding(client, agent))

    async def revoke(self, client: str, agent: str) -> None:
        """Take a grant away."""
        await self.call("DELETE", "/admin/grants", _binding(client, agent))


def _binding(client: str, agent: str) -> dict[str, Any]:
    return {"tenant": TENANT, "user": client, "agent": agent, "role": "caller", "actions": []}


async def assemble(home: Home) -> Cast:
    """Register everybody and write their credential files."""
    operator = Operator(home)
    cast = Cast(home, operator, {}, {})
    for folder in ("clients", "agents"):
        (home.folder / folder).mkdir(mode=0o700, exist_ok=True)
    for name, actions in AGENTS.items():
        found = await asyncio.to_thread(register_agent, home, name, tenant=TENANT, actions=actions, operator=operator)
        found.save(home.agent_file(name))
        cast.agents[name] = found
    for name in CLIENTS:
        known = await asyncio.to_thread(register_client, home, name, tenant=TENANT, user=name, broker=False, operator=operator)
        known.save(home.client_file(name))
        cast.clients[name] = known
    for client, agent in GRANTS:
        await cast.grant(client, agent)
    return cast
