"""``lockgate rules redact``: a filter that lets text through while it is being written, and no piece of what must not get out."""

from __future__ import annotations

import subprocess

from cli_shell import LOCKGATE, Shell

KEY = "AKIA" + "Q3XJ7WVT5M2N4RKB"
LINE = "The build went through and nothing else has changed since yesterday.\n"
COMMAND = [*LOCKGATE, "rules", "redact"]
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA7bq9hJ2vV1nJx8kQ\n" * 4


def test_text_comes_out_before_the_input_has_ended(shell: Shell) -> None:
    with subprocess.Popen(COMMAND, env=shell.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write((f"the key is {KEY}\n" + LINE * 100).encode())
        process.stdin.flush()
        assert process.stdout.readline() == b"the key is [REDACTED:aws-access-key]\n"
        process.stdin.write("é".encode()[:1])
        process.stdin.flush()
        process.stdin.write("é".encode()[1:])
        process.stdin.close()
        rest = process.stdout.read().decode()
    assert rest == LINE * 100 + "é"
    assert process.returncode == 0


def test_a_block_is_an_exit_code_and_nothing_of_what_was_blocked(shell: Shell) -> None:
    said = shell("rules", "redact", text=f"here it is\n{PEM}", code=1)
    assert "private-key" in said
    assert "MII" not in said


def test_what_is_no_text_is_refused(shell: Shell) -> None:
    done = subprocess.run(COMMAND, env=shell.environment, input=b"\xff\xfe", capture_output=True, check=False, timeout=120)
    assert done.returncode == 2
    assert b"UTF-8" in done.stderr
