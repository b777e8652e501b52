"""The one table between the error tree and JSON-RPC error objects, read in both directions.

The sentence travels as `message`, the class by name in `data.kind`, facts (`field`, `status`, `event`, `reason`) beside
it: a terminal shows the sentence and never a traceback.
"""

from __future__ import annotations

from core import errors
from core.errors import BadConfig, BadInput, BadMessage, IllegalTransition, PeerError, YelenError
from core.i18n import _
from core.rpc.wire import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, Problem

CODES: dict[type[YelenError], int] = {
    errors.NotFound: -32001,
    errors.NotAllowed: -32002,
    errors.BadInput: -32003,
    errors.Conflict: -32004,
    errors.IllegalTransition: -32005,
    errors.PeerError: -32006,
    errors.BadMessage: PARSE_ERROR,
    errors.Unreachable: -32007,
    errors.OutOfResources: -32008,
    errors.BadConfig: -32009,
    errors.YelenError: -32000,
}
_NAMED = {kind.__name__: kind for kind in CODES}
_FACTS = ("field", "status", "event", "reason")
_REASONS = {"request": INVALID_REQUEST, "method": METHOD_NOT_FOUND, "params": INVALID_PARAMS}


def problem_of(error: YelenError) -> Problem:
    """What the client is told of a refusal."""
    kind = next(known for known in type(error).__mro__ if known in CODES)
    code = _REASONS.get(error.reason, PARSE_ERROR) if isinstance(error, BadMessage) else CODES[kind]
    facts = {name: getattr(error, name) for name in _FACTS if getattr(error, name, "")}
    return Problem(code, str(error), {"kind": kind.__name__, **facts})


def internal(reference: str) -> Problem:
    """A fault of ours: the log holds the traceback under the same reference."""
    sentence = _("Erreur du serveur (référence %s). Rien n'a été enregistré.") % reference
    return Problem(INTERNAL_ERROR, sentence, {"kind": "PeerError", "reference": reference})


def error_of(problem: Problem) -> YelenError:
    """The error that the server raised, rebuilt on this side."""
    facts = problem.data
    kind = _NAMED.get(facts.get("kind", ""), YelenError)
    if kind is BadInput:
        return BadInput(problem.message, facts.get("field", ""))
    if kind is IllegalTransition:
        return IllegalTransition(problem.message, facts.get("status", ""), facts.get("event", ""))
    if kind is BadMessage:
        return BadMessage(problem.message, facts.get("reason", ""))
    if kind is BadConfig:
        return PeerError(problem.message)
    return kind(problem.message)
