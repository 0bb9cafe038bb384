"""The ingress room: the doors through which requests come in and answers go out, and the operator's control of who may use them.

It authenticates, records and enqueues; it never decides what a client may do (authz does) and never looks at content (inspection and dlp do).
"""
