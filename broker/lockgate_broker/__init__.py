"""The broker room: one small port, and adapters behind it with the same file names.

Stages see only `lockgate_broker.port`. What is particular to a broker (permissions, streams, acknowledgement) lives in
its own folder: ``nats/`` for JetStream, ``memory/`` for unit tests and simulation.
"""
