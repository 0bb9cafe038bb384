"""The reviewing agent: a diff in, findings with file, line, rule and sentence out.

What a diff is, is decided in `diff`; what is worth a remark, in `rules`. The code under review is only ever parsed, never run.
"""

from __future__ import annotations

import asyncio

import msgspec

from lockgate.agent import Agent
from lockgate.examples.code_review.diff import NotADiffError, parse_diff
from lockgate.examples.code_review.rules import Finding, review_file
from lockgate.request import ActionFailed, Request
from lockgate.settings import AgentSettings


class Review(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to review: a unified diff as ``git diff`` prints it, and how many findings to return at most. The diff alone will do too."""

    diff: str
    most: int = 200


class Report(msgspec.Struct, frozen=True):
    """The findings in the order of the diff. ``dropped`` is how many more there were."""

    files: int
    added_lines: int
    findings: list[Finding]
    dropped: int
    verdict: str


def review(order: Review) -> Report:
    """Review one diff. Pure, and slow enough for a large one that it belongs in a thread."""
    files = parse_diff(order.diff)
    findings = [finding for file in files for finding in review_file(file)]
    kept = findings[: max(0, order.most)]
    errors = sum(finding.severity == "error" for finding in findings)
    verdict = "request changes" if errors else "comment" if findings else "approve"
    added = sum(len(hunk.added) for file in files for hunk in file.hunks)
    return Report(len(files), added, kept, len(findings) - len(kept), verdict)


def build(settings: AgentSettings | None = None) -> Agent:
    """The agent ``code-review``."""
    agent = Agent("code-review", settings=settings)

    @agent.action("review")
    async def review_action(request: Request[Review | str]) -> Report:
        order = Review(request.data) if isinstance(request.data, str) else request.data
        try:
            return await asyncio.to_thread(review, order)
        except NotADiffError as error:
            raise ActionFailed(str(error)) from None

    return agent
