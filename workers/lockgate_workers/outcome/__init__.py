"""The last gate: what a chain of stamps amounts to, written once into the ledger with its audit entries."""
