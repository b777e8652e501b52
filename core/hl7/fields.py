"""Fields that several messages share, read into plain values: identifiers, names, places, texts.

None: empty in the message, no change. "": the sender deletes the value.
"""

from __future__ import annotations

from core.hl7 import refusals
from core.hl7.sender import Sender
from core.hl7.tokenizer import DELETED, Field, Segment
from core.i18n import _
from core.model.identifiers import Identifier
from core.model.names import clean, display_name


def value(segment: Segment, field: int, component: int = 1, subcomponent: int = 1) -> str | None:
    """One value, None when it is empty, "" when it is deleted."""
    return changed(segment.at(field, component, subcomponent))


def changed(text: str) -> str | None:
    if not text:
        return None
    return "" if text == DELETED else clean(text)


def identifier(field: Field, sender: Sender) -> Identifier:
    """A CX: number ^ ^ ^ authority ^ type. Authority: its namespace, else its universal id, else the sender's own.

    Source: HL7 v2.5.1 2.A.14 (CX), 2.A.33 (HD).
    """
    authority = field.part(4, 1) or field.part(4, 2) or sender.authority
    return Identifier(field[1], authority, field[5] or "PI")


def identifiers(segment: Segment, field: int, sender: Sender) -> tuple[Identifier, ...]:
    """Every repetition that has a number."""
    found = (identifier(repetition, sender) for repetition in segment.repetitions(field))
    return tuple(one for one in found if one.value and one.value != DELETED)


def principal(segment: Segment, field: int, sender: Sender) -> Identifier:
    """The number by which this sender knows the patient: of its own authority first, then of another trusted one.

    Raises `BadMessage`: `required-field` when there is no number, `untrusted-authority` when none may be believed.
    """
    every = identifiers(segment, field, sender)
    place = f"{segment.name or 'PID'}-{field}"
    if not every:
        sentence = _("Aucun identifiant de patient dans %s") % place
        raise refusals.refused(refusals.REQUIRED, sentence, segment.name or "PID", field, segment.number)
    trusted = [one for one in every if sender.trusts(one.authority)]
    if not trusted:
        sentence = _("Autorité d'identifiant inconnue dans %s") % place
        raise refusals.refused(refusals.UNTRUSTED, sentence, segment.name, field, segment.number)
    return min(trusted, key=lambda one: _rank(one, sender))


def _rank(one: Identifier, sender: Sender) -> int:
    return sender.authorities.index(one.authority) if one.authority in sender.authorities else len(sender.authorities)


def person(name: Field) -> tuple[str | None, str | None]:
    """Family and given names of an XPN: family (its subcomponents joined) ^ given ^ middle.

    Source: HL7 v2.5.1 2.A.88 (XPN), 2.A.30 (FN). French senders repeat the first given name among the middle ones.
    """
    family = " ".join(dict.fromkeys(part for part in name.components()[0] if part)) if name else ""
    given, middle = name[2], name[3]
    if middle and middle.split()[:1] == given.split()[:1]:
        given, middle = middle, ""
    return changed(family), changed(" ".join(part for part in (given, middle) if part and part != DELETED) or given)


def legal_name(segment: Segment, field: int) -> Field:
    """The repetition of type L (legal), else the first. A name with U+FFFD lost its letters before it reached us.

    Raises `BadMessage` (`charset`) for such a name.
    """
    names = segment.repetitions(field) or [segment[field]]
    chosen = next((name for name in names if name[7] == "L"), names[0])
    if "\ufffd" in chosen.raw:
        sentence = _("Nom illisible dans %s : lettres perdues par l'expéditeur") % f"{segment.name}-{field}"
        raise refusals.refused(refusals.CHARSET, sentence, segment.name, field, segment.number)
    return chosen


def practitioner(segment: Segment, field: int) -> str | None:
    """The name of an XCN (id ^ family ^ given ^ …), its id when it has no name. Source: HL7 v2.5.1 2.A.86."""
    first = segment[field]
    if first.raw == DELETED:
        return ""
    return display_name(first.part(2), first.part(3)) or changed(first[1])


def phone(segment: Segment, field: int) -> str | None:
    """The first usable number of an XTN: component 1, else 12 (unformatted), else area code and number."""
    for repetition in segment.repetitions(field):
        number = repetition[1] or repetition[12] or (repetition[6] + repetition[7])
        if number:
            return changed(number)
    return None


def address(segment: Segment, field: int) -> str | None:
    """The parts of an XAD in one line."""
    first = segment[field]
    if first.raw == DELETED:
        return ""
    parts = [first.part(n) for n in (1, 2, 3, 5, 4, 6)]
    return clean(", ".join(part for part in parts if part and part != DELETED)) or None
