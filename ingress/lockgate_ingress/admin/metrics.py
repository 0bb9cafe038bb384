"""The operator's numbers in Prometheus text format. Pure. Labels are names that were checked when they were registered, nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lockgate_ledger.records import Directory
from lockgate_schemas.alerts import SEVERITIES


def exposition(directory: Directory, depths: Mapping[str, int], open_alerts: Mapping[str, int]) -> str:
    """All gauges, each with its help line. ``open_alerts`` are those that nobody has acknowledged, by kind."""
    active_clients = sum(client.active for client in directory.clients.values())
    active_agents = sum(agent.active for agent in directory.agents.values())
    policy = directory.policy.version if directory.policy else 0
    lines = [
        *_gauge("lockgate_queue_messages", "Messages waiting or unacknowledged in a queue.", _by_stream(depths)),
        *_gauge("lockgate_clients", "Active clients.", [("", active_clients)]),
        *_gauge("lockgate_agents", "Active agents.", [("", active_agents)]),
        *_gauge("lockgate_policy_epoch", "The policy epoch; it rises with every change.", [("", directory.epoch)]),
        *_gauge("lockgate_policy_version", "The version of the policy set in force; 0 for none.", [("", policy)]),
        *_gauge("lockgate_alerts_open", "Alerts that nobody has acknowledged.", _by_kind(open_alerts)),
    ]
    return "\n".join(lines) + "\n"


def _by_stream(depths: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(f'{{stream="{stream}"}}', depth) for stream, depth in depths.items()]


def _by_kind(open_alerts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Each kind that there is, also with none: a number that is missing sets off nothing."""
    return [(f'{{kind="{kind}",severity="{severity}"}}', open_alerts.get(kind, 0)) for kind, severity in SEVERITIES.items()]


def _gauge(name: str, text: str, samples: Iterable[tuple[str, int]]) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge", *(f"{name}{labels} {value}" for labels, value in samples)]
