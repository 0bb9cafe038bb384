"""The ledger: the arbiter of what was accepted and how it ended, and the audit log that says why."""
