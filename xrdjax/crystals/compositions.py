"""What a CIF's symbols, labels and formula say of elements."""

import dataclasses
import functools
import re

from xrdjax.crystals.elements import SYMBOLS, atomic_number
from xrdjax.errors import InputError

_H, _O = 1, 8
_WATER = ("WAT", "H2O", "HOH")  # labels of its oxygen
_NO_ATOM = ("VA", "VAC", "VOID", "DU", "DUM", "CENT")  # vacancies, dummies, centres

_AMOUNT = r"(\d*\.?\d+)(?:\(\d+\))?"
_SPECIES = r"(OH\d?|H2O|[A-Z][a-z]?(?![a-z])|\u25a1)(?:\d*[+-]\d*)?"
_SEPARATOR = r"\s*[+,/]\s*"
# "0.8Nb + 0.2Zr", as in the Pauling File, and "Nb0.8Zr0.2"
_AMOUNT_FIRST = re.compile(rf"{_AMOUNT}\s*{_SPECIES}")
_AMOUNTS_FIRST = re.compile(
    rf"{_AMOUNT_FIRST.pattern}(?:{_SEPARATOR}{_AMOUNT_FIRST.pattern})*"
)
_AMOUNT_LAST = re.compile(r"([A-Z][a-z]?)(\d*\.\d+)(?:\(\d+\))?")
_AMOUNTS_LAST = re.compile(rf"(?:{_AMOUNT_LAST.pattern}[\s,+/]*){{2,}}")


@dataclasses.dataclass(frozen=True)
class SiteSpecies:
    """Elements of a site.

    Attributes:
        shares: atomic number and amount of each.
        doubt: why another reading is possible, or "".
    """

    shares: tuple[tuple[int, float], ...]
    doubt: str = ""


def _number(symbol: str) -> int | None:
    """Atomic number of a symbol; None if no element has it."""
    try:
        return atomic_number(symbol)
    except InputError:
        return None


@functools.lru_cache(maxsize=4096)
def formula_elements(formula: str) -> frozenset[int]:
    """Elements that a formula names, however it is written."""
    found = (_number(symbol) for symbol in re.findall(r"[A-Z][a-z]?", formula))
    return frozenset(number for number in found if number is not None)


@functools.lru_cache(maxsize=4096)
def formula_counts(formula: str) -> dict[int, float] | None:
    """Atoms of each element in a formula such as "C2 H6 O" or "(Mg.5 Fe.5)2 Si O4".

    Returns:
        None if there is no formula, or one that cannot be understood in full.
    """
    groups: list[dict[int, float]] = [{}]
    for match in re.finditer(
        r"([A-Z][a-z]?)\s*(\d*\.?\d+)?(?:\(\d+\))?|(\()|\)(\d*\.?\d+)?|(\S)", formula
    ):
        symbol, count, opening, factor, other = match.groups()
        if opening:
            groups.append({})
            continue
        if symbol:
            number = _number(symbol)
            inner = {number: 1.0} if number else {}
            count = count or "1"
        else:
            inner = groups.pop() if len(groups) > 1 else {}
            count = factor or "1"
        if other or not inner:
            return None
        for number, atoms in inner.items():
            groups[-1][number] = groups[-1].get(number, 0.0) + atoms * float(count)
    counts = {number: atoms for number, atoms in groups[0].items() if atoms > 0}
    return counts if len(groups) == 1 and counts else None


def _mixture(text: str) -> tuple[tuple[int, float], ...] | None:
    """Elements and amounts of a mixed symbol; None if the text is none."""
    text = text.strip("()[] ")
    if _AMOUNTS_FIRST.fullmatch(text):
        terms = [(name, amount) for amount, name in _AMOUNT_FIRST.findall(text)]
    elif _AMOUNTS_LAST.fullmatch(text):
        terms = _AMOUNT_LAST.findall(text)
    else:
        return None
    shares: dict[int, float] = {}
    for name, amount in terms:
        if name == "\u25a1":  # a vacancy
            continue
        number = _O if name.startswith("OH") or name == "H2O" else _number(name)
        if number is None:
            return None
        shares[number] = shares.get(number, 0.0) + float(amount)
    return tuple(shares.items())


def _second_element(rest: str, formula: str) -> int | None:
    """Another element that the letters after the first symbol name.

    Letters such as the T of "SiT1" and the W of "OW" name sites; H is attached.
    """
    if not rest[:1].isupper():
        return None
    known = formula_elements(formula)
    for length in (2, 1):
        if len(rest) < length:
            continue
        number = _number(rest[:length])
        if number in (None, _H):
            continue
        if number in known if known else length == 2:
            return number
    return None


def _named_elements(text: str, formula: str) -> SiteSpecies | None:
    """Elements that letters at the start of a label name; None if there are none."""
    letters = re.split(r"[^A-Za-z]", text, maxsplit=1)[0]
    if letters.upper() in _NO_ATOM:
        return None
    if text.upper().startswith(_WATER):
        return SiteSpecies(((_O, 1.0),))
    symbols = dict.fromkeys((letters[:2], letters[:1]))
    candidates = [(s, n) for s in symbols if (n := _number(s)) is not None]
    known = formula_elements(formula)
    candidates.sort(key=lambda candidate: candidate[1] not in known)
    if not candidates:
        return None
    symbol, number = candidates[0]
    second = _second_element(letters[len(symbol) :], formula)
    after = re.match(r"[,/+&]\s*([A-Z][a-z]?)", text[len(letters) :])
    if after and second is None:
        second = _number(after[1])
    if second in (None, number) or number == _H:
        return SiteSpecies(((number, 1.0),))
    doubt = f"the label names both {SYMBOLS[number]} and {SYMBOLS[second]}"
    return SiteSpecies(((number, 1.0),), doubt)


def _is_absent(label: str, number: int, formula: str) -> bool:
    """Whether a label's letter stands for a site, as the formula lacks its element."""
    known = formula_elements(formula)
    # T is a tetrahedral site far more often than tritium
    if re.match(r"T(?![a-z])", label, flags=re.IGNORECASE) and number == _H:
        return not re.search(r"T(?![a-z])", formula)
    return bool(known) and number not in known


def _from_label(label: str, formula: str) -> SiteSpecies | None:
    mixture = _mixture(label)
    if mixture and len(mixture) > 1:
        elements = " and ".join(SYMBOLS[number] for number, _ in mixture)
        return SiteSpecies(mixture, f"the label names both {elements}")
    species = _named_elements(label, formula)
    if species is None or not _is_absent(label, species.shares[0][0], formula):
        return species
    if re.match(r"W(?![a-z])", label) and {_H, _O} <= formula_elements(formula):
        return SiteSpecies(((_O, 1.0),), "the label W may stand for water")
    number = species.shares[0][0]
    names = f"names {SYMBOLS[number]}, which the formula {formula!r} lacks"
    if number == _H and label[:1] in "Tt":
        names = "names a tetrahedral site rather than tritium"
    raise InputError(
        f"site {label}: the label {names}: give the element as _atom_site_type_symbol"
    )


@functools.lru_cache(maxsize=4096)
def species_of_site(type_symbol: str, label: str, formula: str) -> SiteSpecies:
    """Elements of a site, from its type symbol, else from its label.

    Type symbols may be mixed ("0.8Nb + 0.2Zr"). Labels start with a symbol ("O1",
    "SiT2", "FE1"); if both the first two letters and the first one are symbols
    ("HO1"), the one in the formula is meant. A label that names an element which the
    formula lacks names a site.

    Args:
        type_symbol: or "".
        label: or "".
        formula: of the crystal, or "".

    Raises:
        InputError: neither contains an element.
    """
    number = _number(type_symbol) if type_symbol else None
    if number is not None:
        return SiteSpecies(((number, 1.0),))
    mixture = _mixture(type_symbol)
    if mixture:
        return SiteSpecies(mixture)
    species = None
    if not re.search(r"\d\s*[A-Z].*[+,/]", type_symbol):  # a mixture not understood
        # such as "O-H" or "Cu1.5+": read like a label
        species = _named_elements(type_symbol, formula) if type_symbol else None
        species = species or (_from_label(label, formula) if label else None)
    if species is None:
        raise InputError(
            f"site {label or '(no label)'}: unknown element {type_symbol or label!r}, "
            f"expected a symbol from H to {SYMBOLS[-1]}"
        )
    return species


def filled_shares(
    species: SiteSpecies, occupancy: float
) -> tuple[tuple[int, float], ...]:
    """Elements of a site and their occupancies.

    The amounts of a mixed symbol that add up to the site's occupancy include it.
    """
    total = sum(amount for _, amount in species.shares)
    factor = 1.0 if abs(total - occupancy) < 0.02 and total < 1 else occupancy
    return tuple((number, amount * factor) for number, amount in species.shares)
