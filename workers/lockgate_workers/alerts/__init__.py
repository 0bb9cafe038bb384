"""Telling people about alerts: webhooks, Slack and e-mail, sent by the outcome role from the ledger's outbox."""
