"""The operator's listener: a thin layer of JSON over `Control`.

It authorises (`lockgate_ingress.admin.guard`) before it looks at anything else, reads strictly, and writes what `Control` returns.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from starlette.routing import Route, Router

from lockgate_ingress.admin.bodies import (
    Acknowledgement,
    AgentAdded,
    AlertTest,
    BrokerCredential,
    ClientAdded,
    Grant,
    NewAgent,
    NewClient,
    NewContent,
    NewKey,
    NewPolicy,
    read_body,
    read_key,
)
from lockgate_ingress.admin.control import Control
from lockgate_ingress.admin.guard import LOOPBACK, check_host, check_token, checked_token
from lockgate_ingress.admin.metrics import exposition
from lockgate_ingress.bounds import Bounds
from lockgate_ingress.deadlines import Deadlines
from lockgate_ingress.http.app import ByMethod
from lockgate_ingress.http.bodies import Body, Head, Receive
from lockgate_ingress.http.problems import JSON
from lockgate_ingress.http.shell import BODY, HEAD, App, Scope, Send, Shell, answer
from lockgate_schemas.errors import LockgateError, UnsupportedMediaTypeError

_log = logging.getLogger(__name__)

_TEXT: Final = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
_CREATED: Final = 201
_CONTENT: Final = "/admin/content"


def admin_app(control: Control, *, token: str, bounds: Bounds, hosts: frozenset[str] = LOOPBACK) -> App:
    """The ASGI application. Raises `ConfigurationError` for a token that can be guessed."""
    routes = _Routes(control)
    table: dict[str, dict[str, App]] = {
        "/admin/status": {"GET": _Call(routes.status)},
        "/admin/metrics": {"GET": _Metrics(control)},
        "/admin/clients": {"GET": _Call(routes.clients), "POST": _Call(routes.add_client, NewClient)},
        "/admin/clients/{name}": {"DELETE": _Call(routes.remove_client)},
        "/admin/keys": {"POST": _Call(routes.add_key, NewKey)},
        "/admin/keys/{kid}": {"DELETE": _Call(routes.revoke_key)},
        "/admin/agents": {"GET": _Call(routes.agents), "POST": _Call(routes.add_agent, NewAgent)},
        "/admin/agents/{name}": {"DELETE": _Call(routes.remove_agent)},
        "/admin/grants": {
            "GET": _Call(routes.grants),
            "POST": _Call(routes.grant, Grant),
            "DELETE": _Call(routes.revoke, Grant),
        },
        "/admin/alerts": {"POST": _Call(routes.test_alert, AlertTest)},
        "/admin/alerts/{number:int}/acknowledgement": {"POST": _Call(routes.acknowledge_alert, Acknowledgement)},
        "/admin/policy": {"GET": _Call(routes.policy), "PUT": _Call(routes.apply_policy, NewPolicy)},
        _CONTENT: {"GET": _Call(routes.content), "PUT": _Call(routes.apply_content, NewContent)},
    }
    router = Router(
        [Route(path, ByMethod(methods), methods=list(methods)) for path, methods in table.items()], redirect_slashes=False
    )
    guarded = _Guarded(router, checked_token(token), hosts, bounds)
    return Shell(guarded, bounds, _note)


def _note(error: LockgateError) -> None:
    _log.warning("the operator's listener refused: %s", error.code)


class _Guarded:
    """Authorises, then reads the body within its bounds, then hands over."""

    def __init__(self, app: App, token: str, hosts: frozenset[str], bounds: Bounds) -> None:
        self._app = app
        self._token = token
        self._hosts = hosts
        self._bounds = bounds
        self._deadlines = Deadlines(bounds.body_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head: Head = scope[HEAD]
        try:
            check_host(head.get(b"host"), self._hosts)
            check_token(head.get(b"authorization"), self._token)
        except LockgateError as error:
            _note(error)
            raise
        body: Body = scope[BODY]
        if head.has_body:
            if head.coded or head.media_type != "application/json":
                raise UnsupportedMediaTypeError
            bounds = self._bounds
            most = bounds.admin_content_bytes if scope["path"] == _CONTENT else bounds.admin_body_bytes
            scope["lockgate.json"] = await body.read(most, self._deadlines)
        await self._app(scope, receive, send)


class _Call:
    """One method of one address: a body of a type, if it takes one, and the parameters of the path; JSON out."""

    def __init__(self, method: Callable[..., Awaitable[Any]], type_: type[Any] | None = None) -> None:
        self._method = method
        self._type = type_

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _ = receive
        arguments = [] if self._type is None else [read_body(scope.get("lockgate.json", b""), self._type)]
        result = await self._method(*arguments, **scope["path_params"])
        status = _CREATED if scope["method"] == "POST" else 200
        await answer(send, status, msgspec.json.encode(result), (JSON,))


class _Metrics:
    def __init__(self, control: Control) -> None:
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _ = scope, receive
        control = self._control
        text = exposition(await control.directory(), await control.depths(), await control.open_alerts())
        await answer(send, 200, text.encode(), (_TEXT,))


_DONE: Final[dict[str, str]] = {"status": "done"}


class _Routes:
    """Between bodies and `Control`."""

    def __init__(self, control: Control) -> None:
        self._control = control

    async def status(self) -> dict[str, Any]:
        control = self._control
        directory = await control.directory()
        return {
            "gateway": control.gateway,
            "url": control.url,
            "epoch": directory.epoch,
            "clients": sum(client.active for client in directory.clients.values()),
            "agents": sum(agent.active for agent in directory.agents.values()),
            "policy": directory.policy.version if directory.policy else None,
            "content": directory.content.version if directory.content else None,
            "queues": await control.depths(),
        }

    async def clients(self) -> dict[str, Any]:
        directory = await self._control.directory()
        now = sorted(directory.clients.values(), key=lambda client: client.name)
        keys: dict[str, list[dict[str, Any]]] = {}
        for key in directory.keys.values():
            keys.setdefault(key.client, []).append({"kid": key.kid, "ends": key.ends, "revoked": key.revoked})
        return {"clients": [{**msgspec.to_builtins(client), "keys": keys.get(client.name, [])} for client in now]}

    async def add_client(self, body: NewClient) -> ClientAdded:
        control = self._control
        added = await control.add_client(
            body.name, tenant=body.tenant, user=body.user, public_key=read_key(body.public_key), broker=body.broker
        )
        return ClientAdded(
            name=added.client.name,
            tenant=added.client.tenant,
            kid=added.kid,
            gateway=control.gateway,
            url=control.url,
            trust=control.trust,
            broker=BrokerCredential.of(added.credential),
        )

    async def remove_client(self, name: str) -> dict[str, str]:
        await self._control.remove_client(name)
        return _DONE

    async def add_key(self, body: NewKey) -> dict[str, str]:
        return {"kid": await self._control.add_key(body.client, read_key(body.public_key), ends=body.ends)}

    async def revoke_key(self, kid: str) -> dict[str, str]:
        await self._control.revoke_key(kid)
        return _DONE

    async def agents(self) -> dict[str, Any]:
        directory = await self._control.directory()
        now = sorted(directory.agents.values(), key=lambda agent: agent.name)
        return {"agents": [msgspec.to_builtins(agent) for agent in now]}

    async def add_agent(self, body: NewAgent) -> AgentAdded:
        control = self._control
        added = await control.add_agent(body.name, tenant=body.tenant, actions=body.actions)
        return AgentAdded(
            name=added.agent.name,
            gateway=control.gateway,
            trust=control.trust,
            broker=BrokerCredential.of(added.credential),
        )

    async def remove_agent(self, name: str) -> dict[str, str]:
        await self._control.remove_agent(name)
        return _DONE

    async def grants(self) -> dict[str, Any]:
        directory = await self._control.directory()
        every = [msgspec.to_builtins(binding) for held in directory.bindings.values() for binding in held]
        return {"grants": sorted(every, key=lambda one: (one["tenant"], one["user"], one["agent"], one["role"]))}

    async def grant(self, body: Grant) -> dict[str, str]:
        await self._control.grant(body.binding)
        return _DONE

    async def revoke(self, body: Grant) -> dict[str, str]:
        await self._control.revoke(body.binding)
        return _DONE

    async def test_alert(self, body: AlertTest) -> dict[str, int]:
        return {"number": await self._control.test_alert(body.destination)}

    async def acknowledge_alert(self, body: Acknowledgement, number: int) -> dict[str, str]:
        await self._control.acknowledge_alert(number, body.note)
        return _DONE

    async def policy(self) -> dict[str, Any]:
        directory = await self._control.directory()
        if directory.policy is None:
            return {"text": "", "version": 0, "digest": "", "epoch": directory.epoch}
        return {**msgspec.to_builtins(directory.policy), "epoch": directory.epoch}

    async def apply_policy(self, body: NewPolicy) -> dict[str, int]:
        return {"version": await self._control.apply_policy(body.text)}

    async def content(self) -> dict[str, Any]:
        directory = await self._control.directory()
        if directory.content is None:
            return {"text": "", "version": 0, "digest": "", "epoch": directory.epoch}
        return {**msgspec.to_builtins(directory.content), "epoch": directory.epoch}

    async def apply_content(self, body: NewContent) -> dict[str, int]:
        return {"version": await self._control.apply_content(body.text)}
