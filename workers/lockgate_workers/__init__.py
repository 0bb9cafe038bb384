"""The gates: each stage is a pure decision in a thin shell, and one runner drives them all.

``authz`` decides who may, ``inspection`` what may go in, ``dlp`` what may come out, ``outcome`` records how it ended. A stage does not know
which broker it is on, how its batch was delivered, or how its statement is signed: that is the runner's.
"""
