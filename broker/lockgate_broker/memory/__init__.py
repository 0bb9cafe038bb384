"""The in-memory twin of the port: same permissions, redelivery and limits, for unit tests and seeded simulation only."""
