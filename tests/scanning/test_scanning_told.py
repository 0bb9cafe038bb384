"""Secrets that people tell: what counts as chosen, tables with a column of passwords, words of a wallet, and the rules that ask for them."""

from __future__ import annotations

import pytest

from lockgate_workers.scanning.chosen import chosen, seed_words, table_of_secrets
from lockgate_workers.scanning.engine import Scanner

PASSWORDS = ("Tz9!kQ2#vLp", "winter-Falcon83")
SENTENCES = (
    "the password is {}",
    "The password for the admin account is {}.",
    "Passwort lautet {}",
    "Das Kennwort für anna lautet {}.",
    "Le mot de passe est {}",
    "La contraseña es {}",
    "A senha é {}",
    "Пароль от сервера: {}",
    "密码是 {}",
    "パスワードは {} です",
    "비밀번호는 {} 입니다",
    "log in with {} as your password",
    "I reset the password to {}",
)
LAID_OUT = (
    "| user | password |\n|---|---|\n| admin | {} |\n",
    "username;password;role\nadmin;{};owner\n",
    "name      password        role\nadmin     {}     owner\n",
    "<tr><td>Password</td><td>{}</td></tr>",
    "- **Password**: `{}`\n",
    "Password:\n    {}\n",
)
COMMANDS = (
    "PGPASSWORD={} psql -h db -U app",
    "docker run -e POSTGRES_PASSWORD={} postgres",
    "rabbitmqctl add_user anna {}",
    "echo 'anna:{}' | chpasswd",
    "requirepass {}",
    'ds.setPassword("{}");',
    "<key>password</key>\n<string>{}</string>",
)


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("form", [*SENTENCES, *LAID_OUT, *COMMANDS])
def test_a_password_is_found_as_a_whole_in_whatever_form_it_is_told(dlp_scanner: Scanner, form: str, password: str) -> None:
    text = form.format(password)
    start = text.index(password)
    found = dlp_scanner.scan(text).findings
    assert any(one.start <= start and start + len(password) <= one.end for one in found)


@pytest.mark.parametrize("form", SENTENCES)
@pytest.mark.parametrize("word", ["required", "Base64-encoded", "user-password", "<password>", "${DB_PASSWORD}"])
def test_a_word_about_a_password_is_none(dlp_scanner: Scanner, form: str, word: str) -> None:
    assert dlp_scanner.scan(form.format(word)).findings == ()


@pytest.mark.parametrize(
    ("text", "is_chosen"),
    [
        ("Tz9!kQ2#", True),
        ("winter-Falcon83", True),
        ("Hq7vTz93", True),
        ("Short1!", False),
        ("falcon83", False),
        ("Wintertime", False),
        ("20260304-1", False),
    ],
)
def test_chosen(text: str, *, is_chosen: bool) -> None:
    assert chosen(text) is is_chosen


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("user,password\nadmin,winter-Falcon83", True),
        ("user\tpassword\nadmin\twinter-Falcon83", True),
        ("user,password\nwinter-Falcon83,none", False),
        ("password\nwinter-Falcon83", False),
        ("user,password", False),
        ("user,password_rule\nadmin,winter-Falcon83", False),
    ],
)
def test_the_column_under_the_head_is_what_counts(text: str, *, found: bool) -> None:
    assert table_of_secrets(text) is found


def test_words_of_a_wallet_are_no_sentence() -> None:
    words = "gravity machine north sort system female filter attitude volume fold club stay"
    assert seed_words(words)
    assert not seed_words(words.replace("sort", "the"))
    assert not seed_words(" ".join(["club"] * 12))
