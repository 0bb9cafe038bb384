"""How a workload gets from its credential file to a `Broker`.

The one place that knows which adapter a server address means. The embedded server and the provisioner are not imported here:
this module belongs to the light base install.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate_broker.credentials import load_credential, save_credential
from lockgate_broker.limits import DEFAULT_TIMING, Timing
from lockgate_broker.nats.connection import connect as connect_nats
from lockgate_schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from lockgate_broker.port import Broker, Credential

__all__ = ["connect", "load_credential", "save_credential"]


async def connect(credential: Credential, *, name: str, timing: Timing = DEFAULT_TIMING) -> Broker:
    """Open one connection as the owner of ``credential``; ``name`` is what the broker's operator sees.

    Raises `BrokerRefusedError` if the credential opens nothing, `BrokerError` if no server answers within ``timing.connect``.
    """
    schemes = {server.partition("://")[0] for server in credential.servers}
    if schemes and schemes <= {"nats", "tls"}:
        return await connect_nats(credential, name=name, timing=timing)
    raise ConfigurationError("the broker credential names no server this installation can reach")
