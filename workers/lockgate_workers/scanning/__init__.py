"""The rule engine that inspection and DLP share: views of a text, rule packs, exact findings, redaction.

Everything here is a pure decision over text, except `loading`, which reads packs from disk. What a finding means for a message
(pass, flag, redact, block) is decided by the stages.
"""
