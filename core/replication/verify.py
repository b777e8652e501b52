"""The proof that both buildings agree, row by row and file by file; what differs is named in French.

The second building is read first, then this one as it is at that moment: what people write later does not prolong the
proof. A row that the journal then still had to ship is on its way, not a difference.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from core.clock import Clock
from core.config import Config
from core.errors import BadMessage, Conflict, Unreachable
from core.i18n import _, plural
from core.index.journal import LANES
from core.replication.inventory import Opening, Thing, inventory, read, read_only
from core.replication.spelling import TABLES
from core.replication.transport import Rsync

NAMED = 20
COLLECTED = 10_000
NO_END = 2**62
SILENT_S = 180.0  # the other building is making its inventory only while its state is rewritten
LOOK_S = 0.5

Place = tuple[str, object]


@dataclass(frozen=True, slots=True)
class Verdict:
    """ok: nothing differs but what is on its way. lines: what was compared, and the first differences, in French."""

    ok: bool
    rows: int
    files: int
    under_way: int
    lines: tuple[str, ...]


@dataclass(slots=True)
class _Comparison:
    rows: int = 0
    files: int = 0
    under_way: int = 0
    found: list[tuple[Thing | None, Thing | None]] = field(default_factory=list)


def prove(here: Path, there: Iterable[Opening | Thing]) -> Verdict:
    """Compare this data folder with the inventory of the other building."""
    theirs = iter(there)
    opening = next(theirs)
    assert isinstance(opening, Opening)
    ours = inventory(here, opening.last)
    moment = next(ours)
    assert isinstance(moment, Opening)
    coming = _coming(here, opening.applied, moment.newest)
    seen = _Comparison()
    for a, b in _side_by_side(_things(ours), _things(theirs)):
        _count(seen, a)
        if a is None or b is None or a.fact != b.fact or a.fault or b.fault:
            if _place(a, b) in coming:
                seen.under_way += 1
            elif len(seen.found) < COLLECTED:
                seen.found.append((a, b))
    _excuse_new_files(here, seen, moment.newest)
    return _verdict(seen)


def _excuse_new_files(here: Path, seen: _Comparison, since: int) -> None:
    """Files are read after their rows: one whose row names another file by now is on its way too."""
    if any((a or b).kind == "file" for a, b in seen.found):  # type: ignore[union-attr]
        changed = _coming(here, dict.fromkeys(LANES, since), None)
        late = [pair for pair in seen.found if pair[0] and pair[0].kind == "file" and _place(*pair) in changed]
        seen.under_way += len(late)
        seen.found = [pair for pair in seen.found if pair not in late]


def verify(config: Config, clock: Clock, wait: Callable[[float], object]) -> Verdict:
    """Compare this building with its target. Raises `Unreachable` when there is none, or it does not answer.

    A folder of this machine is read directly; behind a daemon the other building is asked for its inventory.
    """
    target = config.replica.target
    if not target:
        raise Unreachable(_("Aucun second bâtiment : replica.target est vide."))
    if not target.startswith("rsync://"):
        if not (Path(target) / "index.sqlite").exists():
            raise Unreachable(_("Second bâtiment : pas de copie dans %s.") % target)
        return prove(config.data, inventory(Path(target)))
    with tempfile.TemporaryDirectory() as folder:
        found = _ask(config, clock, wait, Path(folder))
        try:
            return prove(config.data, read(found))
        except msgspec.MsgspecError as fault:
            raise BadMessage(_("Second bâtiment : inventaire illisible."), "bad-inventory") from fault


def _ask(config: Config, clock: Clock, wait: Callable[[float], object], folder: Path) -> Path:
    """Ask the other building for its inventory, and wait for as long as that building shows that it is alive."""
    rsync = Rsync(config.replica.target)
    name = secrets.token_hex(8)
    request = folder / "inbox" / f"inventory-{name}.request"
    request.parent.mkdir()
    request.touch()
    heard, heard_at = rsync.state().at, clock.monotonic()
    rsync.push(folder, [f"inbox/{request.name}"])
    while True:
        if found := rsync.fetch(f"replica/inventory-{name}.ndjson", folder):
            return found
        if (said := rsync.state().at) != heard:
            heard, heard_at = said, clock.monotonic()
        elif clock.monotonic() - heard_at > SILENT_S:
            raise Unreachable(
                _("Le second bâtiment ne fait pas son inventaire : « yelen replica apply » y est arrêté.")
            )
        wait(LOOK_S)


def _coming(here: Path, applied: dict[str, int], until: int | None) -> set[Place]:
    """The rows that the journal has to ship after what a side has, up to a row (None: the last), by table and key."""
    keys = " ".join(f"WHEN '{s.name}' THEN '$.{s.key}'" for s in TABLES.values())
    query = f"SELECT tbl, json_extract(row, CASE tbl {keys} END) FROM journal WHERE lane = ? AND seq > ? AND seq <= ?"
    found: set[Place] = set()
    with closing(read_only(here)) as index:
        for lane in LANES:
            done = applied.get(lane, 0)
            found |= set(index.execute(query, (lane, done, NO_END if until is None else until)).fetchall())
            pruned = index.execute("SELECT seq FROM replica_state WHERE lane = ?", (f"pruned {lane}",)).fetchone()
            if pruned is not None and pruned[0] > done:
                raise Conflict(
                    _("La copie est trop en retard, ou l'on écrit trop pendant la comparaison : recommencer plus tard.")
                )
    return found


def _things(lines: Iterator[Opening | Thing]) -> Iterator[Thing]:
    for line in lines:
        assert isinstance(line, Thing)
        yield line


def _side_by_side(ours: Iterator[Thing], theirs: Iterator[Thing]) -> Iterator[tuple[Thing | None, Thing | None]]:
    """Both inventories in step: pairs of the same place, None where one side has nothing."""
    a, b = next(ours, None), next(theirs, None)
    while a is not None or b is not None:
        if b is None or (a is not None and a.place < b.place):
            yield a, None
            a = next(ours, None)
        elif a is None or b.place < a.place:
            yield None, b
            b = next(theirs, None)
        else:
            yield a, b
            a, b = next(ours, None), next(theirs, None)


def _place(a: Thing | None, b: Thing | None) -> Place:
    thing = a or b
    assert thing is not None
    return thing.table, thing.key


def _count(seen: _Comparison, ours: Thing | None) -> None:
    if ours is not None and ours.kind == "row":
        seen.rows += 1
    elif ours is not None:
        seen.files += 1


def _verdict(seen: _Comparison) -> Verdict:
    lines = [
        plural("%d ligne comparée", "%d lignes comparées", seen.rows) % seen.rows,
        plural("%d fichier relu dans chaque bâtiment", "%d fichiers relus dans chaque bâtiment", seen.files)
        % seen.files,
    ]
    if seen.under_way:
        lines.append(
            plural("%d pas encore arrivé, pas comparé", "%d pas encore arrivés, pas comparés", seen.under_way)
            % seen.under_way
        )
    count = len(seen.found)
    if count:
        lines.append(plural("%d DIFFÉRENCE", "%d DIFFÉRENCES", count) % count)
        lines += [_said(a, b) for a, b in seen.found[:NAMED]]
    elif seen.under_way:
        lines.append(_("Rien ne diffère parmi ce qui est arrivé."))
    else:
        lines.append(_("Les deux bâtiments sont identiques."))
    return Verdict(not count, seen.rows, seen.files, seen.under_way, tuple(lines))


def _said(here: Thing | None, there: Thing | None) -> str:
    thing = here or there
    assert thing is not None
    what = _("fichier %s") % thing.name if thing.kind == "file" else _("ligne %s %s") % (thing.table, thing.key)
    if there is None:
        return _("%s : absente du second bâtiment") % what
    if here is None:
        return _("%s : seulement dans le second bâtiment") % what
    faults = [
        (_("absent ici"), _("ici"))[here.fault == "altered"] if here.fault else "",
        (_("absent là-bas"), _("là-bas"))[there.fault == "altered"] if there.fault else "",
    ]
    told = ", ".join(fault for fault in faults if fault)
    return _("%s : diffère%s") % (what, f" ({told})" if told else "")
