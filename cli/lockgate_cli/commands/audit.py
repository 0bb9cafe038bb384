"""``lockgate audit``: recompute the log, search it, and write proofs that verify without it."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.text import Text

from lockgate_cli.exits import guarded
from lockgate_cli.home import Home
from lockgate_cli.options import HomeOption, JsonOption, home_at
from lockgate_cli.process import open_ledger
from lockgate_cli.render import console, decision_text, moment, print_json, table
from lockgate_ledger.records import LoggedEntry, Verification
from lockgate_schemas.errors import ConfigurationError, NotFoundError, ProofRefusedError
from lockgate_schemas.merkle import leaf_hash
from lockgate_schemas.proofs import Checkpoint, InclusionProof
from lockgate_schemas.signing import VerifierKey

audit = typer.Typer(no_args_is_help=True, help="Verify, search and prove the audit log.")


async def _verify(home: Home, witnessed: list[str]) -> Verification:
    async with AsyncExitStack() as stack:
        ledger = await open_ledger(home, stack, appends=False)
        return await ledger.verify(witnessed)


async def _checkpoint(home: Home) -> str:
    async with AsyncExitStack() as stack:
        ledger = await open_ledger(home, stack, appends=False)
        return await ledger.checkpoint()


@audit.command("checkpoint")
@guarded
def checkpoint(
    out: Annotated[Path | None, typer.Option("--out", help="Write it to this file instead.", show_default=False)] = None,
    home: HomeOption = None,
) -> None:
    """Print the newest signed checkpoint: keep it on another machine, and nobody can rewrite the log before it unnoticed."""
    note = asyncio.run(_checkpoint(home_at(home)))
    if out is None:
        sys.stdout.write(note)
    else:
        out.write_text(note, encoding="utf-8")


@audit.command("verify")
@guarded
def verify(
    witness: Annotated[
        list[Path] | None, typer.Option("--witness", help="A checkpoint kept elsewhere; may be repeated.")
    ] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Recompute the whole log against every signed checkpoint; name the first entry that does not fit."""
    try:
        witnessed = [path.read_text(encoding="utf-8") for path in witness or []]
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError("a kept checkpoint cannot be read") from None
    with console.status("recomputing the log"):
        found = asyncio.run(_verify(home_at(home), witnessed))
    if as_json:
        print_json({"intact": found.intact, "entries": found.entries, "checkpoints": found.checkpoints, "root": found.root.hex(),
                    "first_bad": found.first_bad, "reason": found.reason})  # fmt: skip
    if not found.intact:
        where = f"entry {found.first_bad}: " if found.first_bad is not None else ""
        raise ProofRefusedError(f"the audit log is not intact: {where}{found.reason}")
    if not as_json:
        console.print(
            f"[green]✓[/] {found.entries} entries, {found.checkpoints} signed checkpoints, nothing missing, nothing changed"
        )


async def _prove(home: Home, request_id: str) -> list[tuple[LoggedEntry, str]]:
    async with AsyncExitStack() as stack:
        ledger = await open_ledger(home, stack, appends=False)
        return await ledger.prove(request_id)


@audit.command("prove")
@guarded
def prove(
    request_id: Annotated[str, typer.Argument(help="The request's id.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to write to.")] = Path(),
    home: HomeOption = None,
) -> None:
    """Write, for each entry about a request, the entry itself and its proof. `audit check` verifies both with the public key alone."""
    place = home_at(home)
    found = asyncio.run(_prove(place, request_id))
    if not found:
        raise NotFoundError("the audit log has no entry about this request")
    out.mkdir(parents=True, exist_ok=True)
    for logged, proof in found:
        stem = out / f"{request_id}-{logged.sequence}"
        stem.with_suffix(".json").write_bytes(logged.raw)
        stem.with_suffix(".tlog-proof").write_text(proof, encoding="utf-8")
    key = next(k.key for k in place.trust.keys if k.role == "audit")
    console.print(f"[green]✓[/] {len(found)} entries with their proofs are in {out}")
    console.print(
        f"[dim]verify one anywhere:[/] lockgate audit check {stem.with_suffix('.json')} --key '{escape(key)}'", soft_wrap=True
    )


@audit.command("check")
@guarded
def check(
    entry: Annotated[Path, typer.Argument(help="The entry's file; its proof lies beside it as .tlog-proof.", exists=True)],
    key: Annotated[str, typer.Option("--key", help="The audit log's public key, from trust.json.")],
) -> None:
    """Verify an entry and its proof offline: no gateway, no ledger, only the public key."""
    verifier = VerifierKey.parse(key)
    proof = InclusionProof.parse(entry.with_suffix(".tlog-proof").read_text(encoding="utf-8"))
    head, _ = Checkpoint.opened(proof.checkpoint, [verifier])
    if head.origin != verifier.name:
        raise ProofRefusedError("the checkpoint is another log's")
    proof.check(leaf_hash(entry.read_bytes()), head)
    console.print(f"[green]✓[/] this is entry {proof.index} of the {head.size} that {verifier.name} has signed for")


async def _search(home: Home, limit: int, members: dict[str, str]) -> list[LoggedEntry]:
    async with AsyncExitStack() as stack:
        ledger = await open_ledger(home, stack, appends=False)
        return await ledger.search(limit=limit, since=0, until=0, **members)


@audit.command("search")
@guarded
def search(
    kind: Annotated[str, typer.Option(help="decision, outcome, draft, refusal, incident, change or alert.")] = "",
    stage: Annotated[str, typer.Option(help="Which gate.")] = "",
    decision: Annotated[str, typer.Option(help="allow, deny, flag, block, redact, …")] = "",
    rule: Annotated[str, typer.Option(help="Which rule decided.")] = "",
    user: Annotated[str, typer.Option()] = "",
    client: Annotated[str, typer.Option()] = "",
    agent: Annotated[str, typer.Option()] = "",
    request_id: Annotated[str, typer.Option("--request")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Find entries, newest first. Every given member has to be equal."""
    given = {"kind": kind, "stage": stage, "decision": decision, "rule": rule, "user": user, "client": client, "agent": agent,
             "request_id": request_id}  # fmt: skip
    found = asyncio.run(_search(home_at(home), limit, {k: v for k, v in given.items() if v}))
    if as_json:
        print_json([{"sequence": f.sequence, **msgspec.json.decode(f.raw)} for f in found])
        return
    rows: list[list[str | Text]] = [
        [
            str(f.sequence),
            moment(f.entry.at).partition(" ")[2],
            f.entry.stage,
            decision_text(f.entry.decision),
            Text.assemble(f.entry.rule or f.entry.code, ("".join(f"\n{s.rule} x{s.count}" for s in f.entry.findings), "dim")),
            f"{f.entry.tenant}/{f.entry.user}" if f.entry.user else f.entry.client,
            f"{f.entry.agent}:{f.entry.action}" if f.entry.action else f.entry.agent,
        ]
        for f in found
    ]
    table("audit log", ["#", "at", "gate", "decision", "rule", "who", "agent:action"], rows)
