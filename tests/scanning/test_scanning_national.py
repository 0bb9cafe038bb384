"""National numbers and telephone numbers: each check takes a number of its plan, refuses one that is off by a digit, and never raises."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate_workers.scanning import national
from lockgate_workers.scanning.national import _LIBRARY, NATIONAL, _module
from lockgate_workers.scanning.validators import VALIDATORS


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("us-npi", "1245319599", "1245319598"),
        ("us-npi", "1003000126", "3234567893"),
        ("us-dea", "BQ9595135", "BQ9595136"),
        ("vin", "1HGBH41JXMN109186", "1HGBH41J0MN109186"),
        ("vin", "1M8GDM9AXKP042788", "11111111111111111"),
        ("au-medicare", "2123 45670 1", "2123 45671 1"),
        ("sg-nric", "S9290563B", "S9290563C"),
        ("sg-nric", "F1612345P", "F1612345Q"),
        ("hk-id", "A123456(3)", "A123456(4)"),
        ("tw-id", "A123456789", "A123456788"),
        ("es-nif", "12345678Z", "12345678A"),
        ("es-nif", "1111111-G", "1111111-H"),
        ("fi-hetu", "131052-308T", "131052-308U"),
        ("fi-hetu", "020594X903P", "320594X903P"),
        ("de-insurance", "15070649C103", "15070649C104"),
        ("de-health", "A123456780", "A123456787"),
        ("mrz", "L01X00T44", "L01X00T45"),
        ("kr-foreigner", "911124-5678906", "911124-5678901"),
        ("kr-dated", "850712-1234567", "851312-1234567"),
        ("ng-nin", "12345678902", "12345678903"),
        ("ae-id", "784-1980-1234567-8", "784-1980-1234567-9"),
        ("in-aadhaar", "3998 7654 3211", "3998 7654 3212"),
        ("pl-pesel", "65021695684", "65021695685"),
        ("tr-tckn", "10000000146", "10000000147"),
        ("nhs", "401-023-2137", "401-023-2138"),
        ("ca-sin", "130-692-544", "130-692-545"),
        ("us-routing", "071101307", "071101308"),
        ("br-cpf", "390.533.447-05", "390.533.447-06"),
        ("za-id", "0002294321191", "0002294321192"),
        ("card-other", "122000000000003", "122000000000004"),
        ("phone", "+33 6 19 26 28 54", "+999 123 456 789"),
        ("phone", "0033619262854", "00000000000000"),
        ("phone", "+1 415 638 0132", "+1 415 555 0132"),
        ("phone", "+14156380132", "+1 234 567 8901"),
        ("phone-american", "(415) 638-0132", "155-638-0132"),
        ("phone-american", "415-638-0132", "415-555-0132"),
        ("phone-common", "(415) 555-0132", "(415) 638-0132"),
        ("phone-common", "(415) 555-0132", "(800) 555-0132"),
        ("phone", "+12345638900", "+12345678900"),
        ("phone-common", "+1 212 555 0147 ext. 9", "555-555-5555"),
        ("phone-shaped", "030 5551234", "555-638-0132"),
        ("phone-shaped", "987-654-3201", "987-654-3210"),
        ("phone-american", "1-619-520-0994 x12", "999-999-9999"),
        ("phone-shaped", "05321234567", "2026-03-04"),
        ("phone-shaped", "030 901820", "0123456789"),
        ("phone-trunk", "06 19 26 28 54", "01 02 03 04 05"),
        ("number-alone", "312345678909", "312345678900"),
        ("number-alone", "401-023-2137", "1760118731"),
        ("number-alone", "9601211234567", "1760990885961"),
        ("document-alone", "C000500021", "C000500022"),
    ],
)
def test_check(name: str, good: str, bad: str) -> None:
    assert NATIONAL[name](good)
    assert not NATIONAL[name](bad)


def test_every_plan_of_the_library_is_there() -> None:
    missing = [f"{name}: {module}" for name, modules in _LIBRARY.items() for module in modules if _module(module) is None]
    assert missing == []


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.text(max_size=40)
    | st.from_regex(r"[0-9A-Z .\-/()+]{1,30}", fullmatch=True)
    | st.from_regex(r"[\u0660-\u0669\u00b2]{9,13}")
)
def test_no_check_raises(text: str) -> None:
    for check in NATIONAL.values():
        assert check(text) in {True, False}


def test_long_runs_are_refused_without_work() -> None:
    for name, check in NATIONAL.items():
        assert not check("7" * 100_000), name


def test_libraries_are_read_when_a_candidate_asks_for_them() -> None:
    code = (
        "import sys\n"
        "from lockgate_workers.scanning.validators import VALIDATORS\n"
        "early = {'stdnum', 'phonenumbers'} & set(sys.modules)\n"
        "VALIDATORS['nhs']('401-023-2137'), VALIDATORS['phone']('+33619262854')\n"
        "print(sorted(early), sorted({'stdnum', 'phonenumbers'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] ['phonenumbers', 'stdnum']"


def test_a_number_that_the_library_stumbles_over_is_not_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stumbling:
        @staticmethod
        def is_valid(_text: str) -> bool:
            raise IndexError

    monkeypatch.setattr(national, "_module", lambda _name: Stumbling)
    assert NATIONAL["pl-pesel"]("44051401359")


def test_a_library_that_is_not_there_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(national, "_module", missing)
    with pytest.raises(ImportError):
        NATIONAL["pl-pesel"]("44051401359")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("ir-id", "0013542419", "0013542418"),
        ("ir-id", "007-324100-8", "1111111111"),
        ("kz-iin", "850712310242", "850712310243"),
        ("kz-iin", "850712310242", "851312310242"),
        ("yu-jmbg", "0101006500006", "0101006500007"),
        ("yu-jmbg", "1207985710241", "3207985710241"),
        ("uy-ci", "3.481.729-3", "3.481.729-4"),
    ],
)
def test_numbers_that_the_library_does_not_know(name: str, good: str, bad: str) -> None:
    assert VALIDATORS[name](good)
    assert not VALIDATORS[name](bad)
