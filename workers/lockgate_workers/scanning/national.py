"""Numbers that name a person or an account: check digits, dates inside of numbers, telephone numbering plans.

Most checks are those of `python-stdnum`, telephone numbers are those of `phonenumbers` (both are read when a candidate first asks for
them: most messages hold none). What the two do not know is computed here, each with its source. Every check takes a candidate and
says whether it can be what the rule claims; none raises, whatever it is given. Which words must stand beside a number is said by the rules.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from types import MappingProxyType, ModuleType
from typing import Any, Final

_LONGEST: Final = 64
"""No number of any plan is longer; a candidate that is costs nothing."""
_SEPARATORS: Final = re.compile(r"[\s.:/\-()]+")
_EPOCH_MILLISECONDS: Final = range(1_600_000_000_000, 2_100_000_000_000)
_EPOCH_SECONDS: Final = range(1_600_000_000, 2_100_000_000)

# Name of the check in a pack, and the modules of `stdnum` of which one must agree.
_LIBRARY: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "ar-cuit": ("ar.cuit",),
        "at-insurance": ("at.vnr",),
        "au-abn": ("au.abn",),
        "au-acn": ("au.acn",),
        "au-tfn": ("au.tfn",),
        "be-nn": ("be.nn", "be.bis"),
        "bg-egn": ("bg.egn", "bg.pnf"),
        "br-cnpj": ("br.cnpj",),
        "br-cpf": ("br.cpf",),
        "ca-sin": ("ca.sin",),
        "ch-ahv": ("ch.ssn",),
        "cl-rut": ("cl.rut",),
        "cn-id": ("cn.ric",),
        "co-nit": ("co.nit",),
        "cz-sk-birth": ("cz.rc",),
        "de-tax-id": ("de.idnr",),
        "dk-cpr": ("dk.cpr",),
        "do-cedula": ("do.cedula",),
        "ec-ci": ("ec.ci",),
        "ee-lt-ik": ("ee.ik",),
        "es-cif": ("es.cif",),
        "es-nie": ("es.nie",),
        "fr-nir": ("fr.nir",),
        "fr-nif": ("fr.nif",),
        "fr-siren": ("fr.siren", "fr.siret"),
        "gr-amka": ("gr.amka",),
        "hr-oib": ("hr.oib",),
        "id-nik": ("id.nik",),
        "ie-pps": ("ie.pps",),
        "il-id": ("il.idnr",),
        "imei": ("imei",),
        "in-aadhaar": ("in_.aadhaar",),
        "in-pan": ("in_.pan",),
        "is-kennitala": ("is_.kennitala",),
        "it-fiscal": ("it.codicefiscale",),
        "jp-my-number": ("jp.in_",),
        "kr-brn": ("kr.brn",),
        "kr-rrn": ("kr.rrn",),
        "mx-curp": ("mx.curp",),
        "mx-rfc": ("mx.rfc",),
        "my-nric": ("my.nric",),
        "nhs": ("gb.nhs",),
        "nl-bsn": ("nl.bsn",),
        "no-fnr": ("no.fodselsnummer",),
        "nz-ird": ("nz.ird",),
        "pe-number": ("pe.ruc", "pe.cui"),
        "pk-cnic": ("pk.cnic",),
        "pl-nip": ("pl.nip", "pl.regon"),
        "pl-pesel": ("pl.pesel",),
        "pt-nif": ("pt.nif", "pt.cc"),
        "ro-cnp": ("ro.cnp",),
        "ru-inn": ("ru.inn", "ru.ogrn"),
        "se-number": ("se.personnummer", "se.orgnr"),
        "sg-uen": ("sg.uen",),
        "th-pin": ("th.pin",),
        "tr-tckn": ("tr.tckimlik",),
        "tw-ubn": ("tw.ubn",),
        "uk-utr": ("gb.utr",),
        "us-ein": ("us.ein",),
        "us-itin": ("us.itin",),
        "us-routing": ("us.rtn",),
        "uy-rut": ("uy.rut",),
        "vat": ("eu.vat", "gb.vat", "ch.vat", "no.mva"),
        "ve-rif": ("ve.rif",),
        "za-id": ("za.idnr",),
        "bic": ("bic",),
    }
)
# A number that is the whole of a text, by its length: plans with check digits, written without groups and in groups.
_ALONE_PLAIN: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {
        9: ("us-routing", "au-acn", "us-itin"),
        10: ("us-npi", "se-number"),
        11: ("pl-pesel", "tr-tckn", "de-tax-id", "au-abn", "be-nn", "br-cpf", "no-fnr"),
        12: ("in-aadhaar", "se-number"),
        13: ("kr-born", "kr-foreigner", "th-pin", "za-id"),
        15: ("ae-id", "card-other"),
        18: ("cn-id",),
    }
)
_ALONE_GROUPED: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {
        9: ("us-routing", "au-acn", "us-itin", "ca-sin", "au-tfn"),
        10: ("nhs", "us-npi", "se-number", "au-medicare", "dk-cpr"),
        11: ("pl-pesel", "tr-tckn", "de-tax-id", "au-abn", "be-nn", "br-cpf", "no-fnr"),
        12: ("in-aadhaar", "se-number"),
        13: ("kr-rrn", "kr-registered", "th-pin", "za-id"),
        15: ("ae-id",),
    }
)


@lru_cache(maxsize=128)
def _module(name: str) -> ModuleType:
    """One module of `stdnum`. Where it cannot be imported the scan fails, and the gate blocks: unchecked numbers do not go out."""
    return importlib.import_module(f"stdnum.{name}")


def _known(names: tuple[str, ...], text: str) -> bool:
    """Whether one of the plans takes the number."""
    return len(text) <= _LONGEST and any(_valid(_module(name), text) for name in names)


def _valid(module: Any, text: str) -> bool:
    try:
        return bool(module.is_valid(text))
    except Exception:  # noqa: BLE001 - what the library stumbles over was not checked, so it counts as a number and is redacted
        return True


def bare(text: str) -> str:
    """Return the number without what people put between its groups, in capitals."""
    return _SEPARATORS.sub("", text[: 2 * _LONGEST]).upper()


def _weighted(number: str, weights: tuple[int, ...]) -> int:
    return sum(int(one) * weight for one, weight in zip(number, weights, strict=False))


def _digits_only(number: str, *lengths: int) -> bool:
    return number.isascii() and number.isdigit() and len(number) in lengths


def _luhn(number: str) -> bool:
    doubled = (int(one) * (1 + index % 2) for index, one in enumerate(reversed(number)))
    return sum(one // 10 + one % 10 for one in doubled) % 10 == 0


def npi(text: str) -> bool:
    """US provider number: ten digits from 1 or 2, Luhn over 80840 and the number (45 CFR 162.406)."""
    number = bare(text)
    return _digits_only(number, 10) and number[0] in "12" and _luhn(f"80840{number}") and len(set(number)) > 2  # noqa: PLR2004 - of ten digits


def dea(text: str) -> bool:
    """US registration of prescribers: two letters, six digits, and the last digit of (1st+3rd+5th) + 2(2nd+4th+6th)."""
    number = bare(text)
    if not re.fullmatch(r"[A-HJ-MPRSTUX][A-Z9][0-9]{7}", number):
        return False
    return _weighted(number[2:8], (1, 2, 1, 2, 1, 2)) % 10 == int(number[8])


def vin(text: str) -> bool:
    """Vehicle: ISO 3779 alphabet, and the check digit at the ninth place that North America and China ask for (49 CFR 565.15)."""
    number = bare(text)
    if not re.fullmatch(r"[A-HJ-NPR-Z0-9]{17}", number) or len(set(number)) <= 5:  # noqa: PLR2004 - a ruler, not a number
        return False
    values = (int(one) if one.isdigit() else _VIN_VALUES[one] for one in number)
    rest = sum(value * weight for value, weight in zip(values, _VIN_WEIGHTS, strict=True)) % 11
    return number[8] == "0123456789X"[rest]


_VIN_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VIN_VALUES: Final = dict(
    zip("ABCDEFGHJKLMNPRSTUVWXYZ", (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9), strict=True)
)


def card_other(text: str) -> bool:
    """A card of the airlines' plan (UATP): fifteen digits from 1, Luhn (ISO/IEC 7812)."""
    number = bare(text)
    return _digits_only(number, 15) and number[0] == "1" and _luhn(number)


def au_medicare(text: str) -> bool:
    """Australian Medicare card: first digit 2 to 6, the ninth digit is the sum of the first eight, weighted 1 3 7 9."""
    number = bare(text)
    return (
        _digits_only(number, 10, 11) and number[0] in "23456" and _weighted(number[:8], (1, 3, 7, 9) * 2) % 10 == int(number[8])
    )


def sg_nric(text: str) -> bool:
    """Singapore identity and foreign numbers: weights 2 7 6 5 4 3 2, an offset by century, and a letter."""
    number = bare(text)
    if not re.fullmatch(r"[STFGM][0-9]{7}[A-Z]", number):
        return False
    total = _weighted(number[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(number[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "M": "XWUTRQPNJLK"}.get(number[0], "XWUTRQPNMLK")
    return letters[total % 11] == number[8]


def hk_id(text: str) -> bool:
    """Hong Kong identity card: one or two letters, six digits, a check character modulo 11."""
    number = bare(text)
    if not re.fullmatch(r"[A-Z]{1,2}[0-9]{6}[0-9A]", number):
        return False
    letters = [ord(one) - 55 for one in number[:-7]]
    head = [36, *letters] if len(letters) == 1 else letters
    values = [*head, *(int(one) for one in number[-7:-1]), 10 if number[-1] == "A" else int(number[-1])]
    return sum(value * weight for value, weight in zip(values, range(9, 0, -1), strict=True)) % 11 == 0


def tw_id(text: str) -> bool:
    """Taiwanese identity number: a letter that stands for two digits, sex, seven digits and a check digit."""
    number = bare(text)
    if not re.fullmatch(r"[A-Z][1289][0-9]{8}", number):
        return False
    first = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(number[0]) + 10
    return (first // 10 + first % 10 * 9 + _weighted(number[1:9], (8, 7, 6, 5, 4, 3, 2, 1)) + int(number[9])) % 10 == 0


def es_nif(text: str) -> bool:
    """Spanish identity number: the letter is the number modulo 23. Numbers of seven digits are still written without their zero."""
    number = bare(text)
    if not re.fullmatch(r"[0-9]{7,8}[A-Z]", number):
        return False
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number[:-1]) % 23] == number[-1]


def fi_hetu(text: str) -> bool:
    """Finnish personal identity code, with the century signs of 2023: the last character is the nine digits modulo 31."""
    number = text.strip().upper()
    if not re.fullmatch(r"(?:0[1-9]|[12][0-9]|3[01])(?:0[1-9]|1[0-2])[0-9]{2}[-+A-FU-Y][0-9]{3}[0-9A-Y]", number):
        return False
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(number[:6] + number[7:10]) % 31] == number[10]


def de_insurance(text: str) -> bool:
    """German pension insurance number (VKVV § 4): area, birth date, letter, serial, and a cross sum modulo 10."""
    number = bare(text)
    if not re.fullmatch(r"[0-9]{2}(?:[0-2][0-9]|3[01]|[5-9][0-9])(?:0[1-9]|1[0-2])[0-9]{2}[A-Z][0-9]{3}", number):
        return False
    figures = f"{number[:8]}{ord(number[8]) - 64:02}{number[9:11]}"
    products = (int(one) * weight for one, weight in zip(figures, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True))
    return sum(one // 10 + one % 10 for one in products) % 10 == int(number[11])


def de_health(text: str) -> bool:
    """German health insurance number: the letter as two digits and eight more, weighted 1 2, cross sums modulo 10."""
    number = bare(text)
    if not re.fullmatch(r"[A-Z][0-9]{9}", number):
        return False
    figures = f"{ord(number[0]) - 64:02}{number[1:9]}"
    products = (int(one) * (1 + index % 2) for index, one in enumerate(figures))
    return sum(one // 10 + one % 10 for one in products) % 10 == int(number[9])


def mrz(text: str) -> bool:
    """A document number of nine characters that ends in its check digit: weights 7 3 1, letters from 10 on (ICAO 9303-3)."""
    number = bare(text)
    if not re.fullmatch(r"[A-Z0-9]{8}[0-9]", number):
        return False
    return _weighted_characters(number[:8]) % 10 == int(number[8])


def _weighted_characters(number: str) -> int:
    return sum(int(one, 36) * (7, 3, 1)[index % 3] for index, one in enumerate(number))


def kr_foreigner(text: str) -> bool:
    """Korean registration of foreigners: as the resident number, the check digit is two higher."""
    number = bare(text)
    if not _digits_only(number, 13) or number[6] not in "5678" or not _month_and_day(number[2:6]):
        return False
    return (13 - _weighted(number[:12], (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10 == int(number[12])


def kr_dated(text: str, sexes: str = "12345678") -> bool:
    """A Korean number by its birth date and sex alone: numbers given since October 2020 have no check digit."""
    number = bare(text)
    return _digits_only(number, 13) and number[6] in sexes and _month_and_day(number[2:6])


def _month_and_day(text: str) -> bool:
    return 1 <= int(text[:2]) <= 12 and 1 <= int(text[2:]) <= 31  # noqa: PLR2004 - months and days


def ng_nin(text: str) -> bool:
    """Nigerian identity number: eleven digits, Verhoeff."""
    return _digits_only(bare(text), 11) and _valid(_module("verhoeff"), bare(text))


def ae_id(text: str) -> bool:
    """Emirates identity card: 784, year of birth, seven digits, Luhn."""
    number = bare(text)
    return _digits_only(number, 15) and number.startswith("784") and _luhn(number)


def document_alone(text: str) -> bool:
    """Letters and digits that are a whole text, with the check digit of a document."""
    return de_health(text) or mrz(text) or es_nif(text)


def alone(text: str) -> bool:
    """A number that is a whole text, with the check digit of a plan in use. Times are no numbers of people."""
    number = bare(text)
    if not number.isascii() or not number.isdigit() or len(set(number)) <= 2:  # noqa: PLR2004 - a ruler, not a number
        return False
    if int(number) in _EPOCH_MILLISECONDS or int(number) in _EPOCH_SECONDS:
        return False
    if number == text.strip():
        return any(NATIONAL[name](number) for name in _ALONE_PLAIN.get(len(number), ()))
    return any(NATIONAL[name](number) for name in _ALONE_GROUPED.get(len(number), ()))


def phone(text: str) -> bool:
    """A number with country code that its numbering plan has, or could have if it is written in groups; no row of code points (``0069 0307``)."""
    stripped = text.lstrip(" (")
    international = f"+{stripped[2:]}" if stripped.startswith("00") else stripped
    number = "".join(one for one in international if one in "0123456789")
    told = number[1 : _AMERICAN + 1] if international.startswith("+1") else number
    points = all(len(one) == _POINT and one.startswith("0") for one in _SEPARATORS.split(text))
    return (
        not points
        and not _nobodys(told)
        and _dialled(international, grouped=stripped.startswith("+") and not stripped[1:].isdigit())
    )


def phone_american(text: str) -> bool:
    """Ten digits that North America's plan has."""
    number = "".join(one for one in text if one in "0123456789").removeprefix("1")[:10]
    return not _nobodys(number) and _dialled(f"+1{number}", grouped=False)


def phone_common(text: str) -> bool:
    """A number of North America with 555 for its exchange, in an area that there is, and not one that is free of charge."""
    number = "".join(one for one in text if one in "0123456789").removeprefix("1")[:_AMERICAN]
    free = number.startswith(_FREE)
    return number[3:6] == _FICTION and not free and not _is_patterned(number) and _dialled(f"+1{number}", grouped=False)


def phone_trunk(text: str) -> bool:
    """A number in groups with the zero of its country: no counting (01 02 03), no ruler, as long as national numbers are."""
    number = "".join(one for one in text if one in "0123456789")
    groups = [one for one in _SEPARATORS.split(text) if one]
    counting = len(groups) > 2 and len({len(one) for one in groups}) == 1 and sum(one.startswith("0") for one in groups) > 2  # noqa: PLR2004
    return 9 <= len(number) <= 12 and len(set(number)) > 3 and not counting  # noqa: PLR2004 - lengths and a ruler


def phone_shaped(text: str) -> bool:
    """As many digits as a network needs and E.164 allows, not a pattern of two, no date: for numbers that are named as telephone numbers."""
    number = "".join(one for one in text if one in "0123456789")
    telling = 7 <= len(number) <= 15 and not _nobodys(number.removeprefix("1"))  # noqa: PLR2004 - E.164
    return telling and _DATE.search(text) is None and _NO_PHONE.fullmatch(text) is None


_NO_PHONE: Final = re.compile(r"(?:19|20)[0-9]{2} ?[-/] ?(?:19|20)[0-9]{2}|[0-9]{5}-[0-9]{4}")
"""Years from and to; an American postal code with its four digits."""
_COUNTING: Final = "01234567890123456789"
_COUNTED: Final = 9
"""Digits that count, before the last ones: ``2345678900``."""
_FICTION: Final = "555"
_FREE: Final = ("800", "833", "844", "855", "866", "877", "888")
_AMERICAN: Final = 10
_POINT: Final = 4
_FEW: Final = 2
_DATE: Final = re.compile(
    r"(?:^|\D)(?:(?:19|20)[0-9]{2}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.](?:19|20)[0-9]{2})(?:\D|$)"
)


def _is_patterned(number: str) -> bool:
    """One or two digits again and again, or digits that count up or down."""
    counted = number[:_COUNTED]
    return len(set(number)) <= _FEW or counted in _COUNTING or counted[::-1] in _COUNTING


def _nobodys(number: str) -> bool:
    """A pattern; or ten digits of North America with 555 for their area or exchange, which is kept for directories and fiction."""
    american = len(number) == _AMERICAN and number[0] not in "01"
    return _is_patterned(number) or (american and _FICTION in {number[:3], number[3:6]})


def _dialled(text: str, *, grouped: bool) -> bool:
    phonenumbers = _phonenumbers()
    try:
        number = phonenumbers.parse(text[:_LONGEST])
        return bool(phonenumbers.is_valid_number(number) or (grouped and phonenumbers.is_possible_number(number)))
    except phonenumbers.NumberParseException:
        return False
    except Exception:  # noqa: BLE001 - what the library stumbles over was not checked, so it counts as a number and is redacted
        return True


@lru_cache(maxsize=1)
def _phonenumbers() -> Any:
    return importlib.import_module("phonenumbers")


NATIONAL: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType(
    {
        **{name: partial(_known, modules) for name, modules in _LIBRARY.items()},
        "us-npi": npi,
        "us-dea": dea,
        "vin": vin,
        "au-medicare": au_medicare,
        "sg-nric": sg_nric,
        "hk-id": hk_id,
        "tw-id": tw_id,
        "es-nif": es_nif,
        "fi-hetu": fi_hetu,
        "de-insurance": de_insurance,
        "de-health": de_health,
        "mrz": mrz,
        "kr-foreigner": kr_foreigner,
        "kr-dated": kr_dated,
        "kr-born": partial(kr_dated, sexes="1234"),
        "kr-registered": partial(kr_dated, sexes="5678"),
        "ng-nin": ng_nin,
        "ae-id": ae_id,
        "card-other": card_other,
        "number-alone": alone,
        "document-alone": document_alone,
        "phone": phone,
        "phone-american": phone_american,
        "phone-common": phone_common,
        "phone-shaped": phone_shaped,
        "phone-trunk": phone_trunk,
    }
)
"""Checks by the names under which rule packs ask for them."""
