"""Every error Lockgate raises on purpose: one hierarchy, a stable code each, one table for the HTTP edge.

An error carries a code (for machines), a title (the same for every occurrence), and advice (what the reader should do
next). It never carries a credential, a payload or a refused value: messages are built from constants and from names
that were checked first.
"""

from __future__ import annotations

from typing import ClassVar, Final


class LockgateError(Exception):
    """The root: anything that Lockgate itself decided to refuse or could not do.

    ``code`` is stable across releases; ``status`` is the HTTP status of RFC 9457 problem details; ``title`` and ``advice`` are
    constants of the class; ``detail`` is one sentence about this occurrence.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "The gateway could not do this"
    advice: ClassVar[str] = "Try again later; if it persists, ask the operator to look at the log under this code."

    def __init__(self, detail: str = "") -> None:
        self.detail = detail or self.title
        super().__init__(self.detail)

    def diagnostics(self) -> str:
        """What happened and what to do, for a terminal."""
        return f"{self.detail}\n\n{self.advice}"


# --- authentication: 401, one public face for all of them, so that a probe learns nothing ---------------------------


class UnauthenticatedError(LockgateError):
    """No credentials, or credentials that do not verify."""

    code = "unauthenticated"
    status = 401
    title = "The request carries no credentials that this gateway can verify"
    advice = "Send an envelope signed with an enrolled, unrevoked key; `lockgate client add` enrols one."


class EnvelopeRefusedError(UnauthenticatedError):
    """The signed envelope breaks the JWS profile or its signature does not verify."""

    code = "envelope-refused"
    title = "The signed envelope is not acceptable"
    advice = "Sign with the algorithm Ed25519 and exactly the header members alg, kid and typ (docs/wire.md)."


class KeyRevokedError(UnauthenticatedError):
    """The key is known, and its time is over."""

    code = "key-revoked"
    title = "The signing key is revoked or past its end"
    advice = "Enrol a new key with `lockgate client add-key` and sign again."


class EnvelopeExpiredError(UnauthenticatedError):
    """Outside the window in which this envelope may be accepted."""

    code = "envelope-expired"
    title = "The envelope is outside its time window"
    advice = "Check the clock of the signing machine, and sign a fresh envelope with a lifetime within the gateway's limit."


# --- the rest of the door -------------------------------------------------------------------------------------------


class ForbiddenError(LockgateError):
    """Authenticated, but not allowed. An agent that does not exist answers the same."""

    code = "forbidden"
    status = 403
    title = "This principal may not do this"
    advice = "Ask for a grant: `lockgate grant CLIENT AGENT`."


class NotFoundError(LockgateError):
    """Absent, or another tenant's: the two are not told apart."""

    code = "not-found"
    status = 404
    title = "No such resource"
    advice = "Check the identifier; requests of other clients are never shown."


class MethodNotAllowedError(LockgateError):
    """The address exists, and does not take this method."""

    code = "method-not-allowed"
    status = 405
    title = "This method is not allowed here"
    advice = "The Allow header names the methods of this address."


class SlowRequestError(LockgateError):
    """The body did not arrive in time."""

    code = "slow-request"
    status = 408
    title = "The request did not arrive in time"
    advice = "Send the whole body at once."


class AlreadyEndedError(LockgateError):
    """There is an outcome, and the first one stands."""

    code = "already-ended"
    status = 409
    title = "The request has already ended"
    advice = "Read its outcome under the request's own address."


class ReplayConflictError(LockgateError):
    """The same issuer used the same event id for other bytes."""

    code = "replay-conflict"
    status = 409
    title = "This event id was already used for a different envelope"
    advice = "Give every new request its own id; send the identical bytes again only to repeat the same request."


class AlreadyExistsError(LockgateError):
    """Something of this name is registered."""

    code = "already-exists"
    status = 409
    title = "Something with this name is already registered"
    advice = "Choose another name, or remove the present one first."


class TooLargeError(LockgateError):
    """Over the size limit; refused before it is read to the end."""

    code = "too-large"
    status = 413
    title = "The envelope is larger than the gateway's limit"
    advice = "Send less, or put the data where the agent can fetch it itself."


class UnsupportedMediaTypeError(LockgateError):
    """Not a media type this route takes."""

    code = "unsupported-media-type"
    status = 415
    title = "This media type is not accepted here"
    advice = "Send the compact envelope as application/jose, without a content coding."


class InvalidRequestError(LockgateError):
    """Verified, but its content breaks the contract."""

    code = "invalid-request"
    status = 422
    title = "The request is not well-formed"
    advice = "Compare the payload with the request schema in docs/schemas/."


class NameRefusedError(InvalidRequestError):
    """Not a name: an address, a wildcard, a path, or an unusual character."""

    code = "name-refused"
    title = "Not a logical name"
    advice = "Use 2 to 63 lower-case letters, digits and single hyphens; agents have names, never addresses."

    def __init__(self, what: str) -> None:
        super().__init__(f"the {what} is not a logical name")


class IdentityRefusedError(InvalidRequestError):
    """An identity was asserted where only verified credentials count."""

    code = "identity-refused"
    title = "Identity may not be asserted in a body or a header"
    advice = "Remove it: the principal comes from the verified key alone."


class RateLimitedError(LockgateError):
    """Too much at once."""

    code = "rate-limited"
    status = 429
    title = "Too many requests"
    advice = "Wait for the time in Retry-After, then go on more slowly."


class HeadersTooLargeError(LockgateError):
    """More header bytes, or more headers, than any honest client sends."""

    code = "headers-too-large"
    status = 431
    title = "The header section is too large"
    advice = "Send fewer headers; this gateway needs only Content-Type, Prefer and Authorization."


class UnavailableError(LockgateError):
    """Something that has to be asked first does not answer; nothing was accepted."""

    code = "unavailable"
    status = 503
    title = "The gateway cannot check or store this now"
    advice = "Send the identical envelope again later: if it was recorded after all, its acceptance comes back."


class UnconfirmedError(UnavailableError):
    """Perhaps accepted: it was recorded, or may have been, and the confirmation did not come in time."""

    code = "unconfirmed"
    title = "The gateway could not confirm this in time"
    advice = (
        "Send the identical envelope again: if it was recorded the answer is its acceptance, and it runs once in either case."
    )


class DeadlineError(LockgateError):
    """The outcome did not come in time."""

    code = "deadline"
    status = 504
    title = "No outcome within the time allowed"
    advice = "Ask for the outcome later under the request's own address."


class AnswerWithdrawnError(LockgateError):
    """Some of an answer was shown while it was being written, and the whole of it does not go out, or not like that."""

    code = "answer-withdrawn"
    status = 409
    title = "What was shown of this answer does not hold"
    advice = "Take back what was shown; how the request ended stands in its receipt."


# --- inside the gateway ---------------------------------------------------------------------------------------------


class ChainRefusedError(LockgateError):
    """A passage whose stamps do not verify over these very bytes. It goes to quarantine."""

    code = "chain-refused"
    title = "The stamps do not verify"
    advice = "Look at the quarantine entry in the audit log: somebody bypassed a gate, or a key is missing from the trust file."


class ProofRefusedError(ChainRefusedError):
    """A note, checkpoint or inclusion proof that does not verify."""

    code = "proof-refused"
    title = "The proof does not verify"
    advice = "Check that the public key is the right one; if it is, the data was altered."


class MalformedError(LockgateError):
    """Bytes inside the gateway that do not parse as the type they claim."""

    code = "malformed"
    status = 422
    title = "Not a well-formed message"
    advice = "Compare with the schemas in docs/schemas/."


class ConfigurationError(LockgateError):
    """Something is missing or contradictory in the configuration; starting would mean guessing."""

    code = "configuration"
    title = "The configuration is not usable"
    advice = "Correct the setting that the detail names."


class BrokerError(UnavailableError):
    """The broker refused, or did not confirm in time."""

    code = "broker"
    title = "The broker did not confirm"


class PublishFailedError(BrokerError):
    """Some messages of a publish were not confirmed; ``unconfirmed`` holds their positions in the sequence."""

    code = "publish-failed"
    title = "The broker did not confirm every message"

    def __init__(self, unconfirmed: tuple[int, ...], reason: str) -> None:
        self.unconfirmed = unconfirmed
        super().__init__(f"{len(unconfirmed)} messages were not confirmed: {reason}")


class BrokerRefusedError(BrokerError):
    """The broker denied a permission, a limit or a size: asking again will not help."""

    code = "broker-refused"
    title = "The broker refused"
    advice = "The credentials do not reach this topic, or its limit is reached."


class TopologyError(ConfigurationError):
    """A stream or consumer exists, and differs from what the gateway would create."""

    code = "topology"
    title = "The broker holds something that differs from this gateway's topology"
    advice = "Somebody else made or changed it: look at it, then remove it or give the gateway a broker of its own."


class LedgerError(UnavailableError):
    """The ledger could not be read or written."""

    code = "ledger"
    title = "The ledger is not available"


ERRORS: Final[tuple[type[LockgateError], ...]] = (
    LockgateError,
    UnauthenticatedError,
    EnvelopeRefusedError,
    KeyRevokedError,
    EnvelopeExpiredError,
    ForbiddenError,
    NotFoundError,
    MethodNotAllowedError,
    SlowRequestError,
    AlreadyEndedError,
    ReplayConflictError,
    AlreadyExistsError,
    TooLargeError,
    UnsupportedMediaTypeError,
    InvalidRequestError,
    NameRefusedError,
    IdentityRefusedError,
    RateLimitedError,
    HeadersTooLargeError,
    UnavailableError,
    UnconfirmedError,
    DeadlineError,
    AnswerWithdrawnError,
    ChainRefusedError,
    ProofRefusedError,
    MalformedError,
    ConfigurationError,
    BrokerError,
    PublishFailedError,
    BrokerRefusedError,
    TopologyError,
    LedgerError,
)
"""The closed table of codes; `docs/errors.md` is generated from it."""
