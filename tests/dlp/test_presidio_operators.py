"""What stands in the place of a finding, as the content policy says; and that it may go out."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from presidio_anonymizer.operators import Decrypt

from lockgate_schemas.content import Operator
from lockgate_schemas.errors import ConfigurationError
from lockgate_workers.dlp.decide import RULE_RESIDUE, DlpOutcome, decide
from lockgate_workers.dlp.presidio.operators import PLAIN, Operators, operated, prepared
from lockgate_workers.scanning.findings import Action, Finding, Severity
from lockgate_workers.scanning.redact import redact

TEXT = "Write to anna.berg@lockgate-mail.org, pay with 4111 1111 1111 1111."
KEYS = {"sixteen": b"0123456789abcdef", "short": b"0123"}
MAIL, CARD = "anna.berg@lockgate-mail.org", "4111 1111 1111 1111"
ACTIONS = st.sampled_from(list(Action))


def operators(scanner, *policy: Operator) -> Operators:
    return prepared(policy, KEYS, scanner.rules)


def out(scanner, *policy: Operator, text: str = TEXT) -> str:
    return operated(text, scanner.scan(text).findings, operators(scanner, *policy))


def test_the_marker_stands_where_the_policy_says_nothing(scanner) -> None:
    expected = "Write to [REDACTED:email], pay with [REDACTED:card-number]."
    assert out(scanner) == operated(TEXT, scanner.scan(TEXT).findings) == expected


def test_redact_leaves_nothing_and_replace_a_text(scanner) -> None:
    policy = (
        Operator(finds="email", operator="redact"),
        Operator(finds="card-number", operator="replace", replacement="(a card)"),
    )
    assert out(scanner, *policy) == "Write to , pay with (a card)."


def test_mask_shows_the_last_characters(scanner) -> None:
    assert out(scanner, Operator(finds="card-number", operator="mask", keep=4)).endswith("pay with " + "*" * 15 + "1111.")
    assert out(scanner, Operator(finds="card-number", operator="mask", replacement="#")).endswith("pay with " + "#" * 19 + ".")


def test_a_mask_that_would_show_more_than_half_shows_nothing(scanner) -> None:
    assert out(scanner, Operator(finds="card-number", operator="mask", keep=9)).endswith("*" * 10 + "1111 1111"[-9:] + ".")
    assert out(scanner, Operator(finds="card-number", operator="mask", keep=10)).endswith("*" * 19 + ".")


def test_a_hash_is_the_same_under_one_key_and_another_each_time_without(scanner) -> None:
    keyed, bare = Operator(finds="email", operator="hash", key="sixteen"), Operator(finds="email", operator="hash")
    digest = hashlib.sha256(MAIL.encode() + KEYS["sixteen"]).hexdigest()
    assert out(scanner, keyed).startswith(f"Write to [HASHED:{digest}], pay")
    assert out(scanner, bare) != out(scanner, bare)
    assert MAIL not in out(scanner, bare)


def test_the_holder_of_the_key_reads_what_was_encrypted(scanner) -> None:
    encrypted = out(scanner, Operator(finds="email", operator="encrypt", key="sixteen"))
    inner = encrypted.removeprefix("Write to [ENCRYPTED:").partition("]")[0]
    assert Decrypt().operate(inner, {"key": KEYS["sixteen"]}) == MAIL
    assert MAIL.encode() not in base64.urlsafe_b64decode(inner)


def test_a_rule_goes_before_its_entity_and_an_entity_holds_for_all_who_find_it(scanner) -> None:
    policy = Operator(finds="EMAIL_ADDRESS", operator="replace", replacement="(mail)")
    made = operators(scanner, policy)
    for rule in ("presidio-email-address", "name-email-address"):
        finding = Finding(rule, 9, 9 + len(MAIL), Severity.LOW, Action.REDACT, "")
        assert operated(TEXT, [finding], made).startswith("Write to (mail), pay")
    entity = next(rule for rule in scanner.rules if rule.id == "card-number").entity
    both = (
        Operator(finds="card-number", operator="redact"),
        Operator(finds=entity or "LOCKGATE_PII", operator="replace", replacement="x"),
    )
    assert out(scanner, *both).endswith("pay with .")


def test_overlapping_findings_that_differ_leave_the_strongest_rules_marker(scanner) -> None:
    made = operators(scanner, Operator(finds="card-number", operator="mask", keep=4))
    card = Finding("card-number", 0, 8, Severity.HIGH, Action.REDACT, "")
    other = Finding("email", 4, 12, Severity.LOW, Action.REDACT, "")
    flag = Finding("email", 4, 12, Severity.LOW, Action.FLAG, "")
    assert operated("abcdefghijklmnop", [card, other], made) == "[REDACTED:card-number]mnop"
    assert operated("abcdefghijklmnop", [card, card, flag], made) == "****efghijklmnop"


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9), st.sampled_from("abc"), ACTIONS, st.sampled_from(list(Severity))))
)
def test_without_operators_it_is_redact(spans) -> None:
    text = "0123456789" * 4
    findings = [Finding(rule, start, start + size, severity, action, "") for start, size, rule, action, severity in spans]
    assert operated(text, findings) == redact(text, findings)


@pytest.mark.parametrize(
    ("operator", "why"),
    [
        (Operator(finds="email", operator="encrypt"), "needs a key"),
        (Operator(finds="email", operator="encrypt", key="short"), "16, 24 or 32 bytes"),
        (Operator(finds="email", operator="encrypt", key="absent"), "no key file absent"),
        (Operator(finds="email", operator="hash", key="short"), "at least 16 bytes"),
        (Operator(finds="email", operator="replace"), "needs a replacement"),
        (Operator(finds="email", operator="redact", replacement="x"), "takes no replacement"),
        (Operator(finds="email", operator="hash", keep=4), "keeps nothing"),
        (Operator(finds="email", operator="mask", replacement="xx"), "one character"),
        (Operator(finds="email", operator="mask", key="sixteen"), "takes no key"),
    ],
)
def test_a_setting_that_an_operator_does_not_have_is_refused(scanner, operator, why) -> None:
    with pytest.raises(ConfigurationError, match=why) as refused:
        operators(scanner, operator)
    assert KEYS["short"].decode() not in str(refused.value)


def test_two_operators_for_one_name_are_refused(scanner) -> None:
    with pytest.raises(ConfigurationError, match="two operators for email"):
        operators(scanner, Operator(finds="email", operator="redact"), Operator(finds="email", operator="hash"))


def test_a_text_with_a_lone_surrogate_is_hashed_and_encrypted(scanner) -> None:
    made = operators(
        scanner, Operator(finds="email", operator="hash"), Operator(finds="iban", operator="encrypt", key="sixteen")
    )
    for rule in ("email", "iban"):
        assert "\ud800" not in operated("ab\ud800cd", [Finding(rule, 0, 5, Severity.LOW, Action.REDACT, "")], made)


@pytest.mark.parametrize("kind", ["mask", "hash", "encrypt"])
def test_no_outcome_is_itself_found(scanner, kind) -> None:
    """As the gate looks at it: every rule's own examples, operated on, scanned once more. What the marker leaves behind is not its matter."""
    key = "" if kind == "mask" else "sixteen"
    keep = 4 if kind == "mask" else 0
    made = operators(scanner, *(Operator(finds=rule.id, operator=kind, key=key, keep=keep) for rule in scanner.rules))
    texts = [text for rule in scanner.rules for text in rule.examples.match]
    done = 0
    for text in texts:
        findings = [one for one in scanner.scan(text).findings if not one.action.passes]
        if not findings or left(scanner, redact(text, findings)):
            continue
        done += 1
        # A ciphertext is drawn at random, and one in many begins like some token by chance. The gate would hold it back; a second one would not.
        assert not left(scanner, operated(text, findings, made)) or not left(scanner, operated(text, findings, made)), findings[
            0
        ].rule
    assert done > 100


def left(scanner, text: str) -> set[str]:
    return {one.rule for one in scanner.scan(text).findings if not one.action.passes}


def test_the_gate_lets_out_what_was_operated_on(scanner) -> None:
    made = operators(
        scanner,
        Operator(finds="email", operator="hash", key="sixteen"),
        Operator(finds="card-number", operator="mask", keep=4),
    )
    outcome = decide(f'{{"note": "{TEXT}"}}', "application/json", scanner, replacement=made.replaced)
    assert outcome.decision is DlpOutcome.REDACT
    assert "[HASHED:" in outcome.body
    assert outcome.body.endswith('pay with ***************1111."}')


def test_the_gate_blocks_an_outcome_that_is_found_again(scanner) -> None:
    """A replacement is a text like any other."""
    made = operators(scanner, Operator(finds="email", operator="replace", replacement="bert.ek@lockgate-mail.org"))
    outcome = decide(TEXT, "text/plain", scanner, replacement=made.replaced)
    assert (outcome.decision, outcome.rule, outcome.body) == (DlpOutcome.BLOCK, RULE_RESIDUE, "")
    assert PLAIN.of("email") is None
