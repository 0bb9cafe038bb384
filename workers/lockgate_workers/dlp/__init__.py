"""The DLP stage: what an agent answered, looked at before the client sees it."""
