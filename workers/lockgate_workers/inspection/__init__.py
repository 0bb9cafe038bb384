"""The inspection stage: what a request asks an agent to do, looked at before the agent sees it."""
