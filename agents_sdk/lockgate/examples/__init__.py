"""Three agents that do real work, to try a gateway with and to copy from.

Each is a program: ``python -m lockgate.examples.code_review --credentials FILE``, likewise ``reporting`` and ``ops``. The last two answer with made-up personal data
and made-up secrets on purpose, so that there is something for the gateway's dlp gate to take out; everything they show is generated when they start.
"""
