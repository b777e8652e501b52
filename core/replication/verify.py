"""The proof that both buildings agree, row by row and file by file; what differs is named in French."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from core.clock import Clock
from core.config import Config
from core.errors import Unreachable
from core.i18n import _, plural
from core.replication.manifest import manifest
from core.replication.transport import Rsync

NAMED = 20
ANSWER_S = 600.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """ok: nothing differs. lines: what was compared, and the first differences, in French."""

    ok: bool
    rows: int
    files: int
    lines: tuple[str, ...]


def compare(here: Iterable[str], there: Iterable[str]) -> Verdict:
    """Two manifests."""
    ours, theirs = _by_thing(here), _by_thing(there)
    differences = []
    for thing in sorted(ours.keys() | theirs.keys()):
        a, b = ours.get(thing), theirs.get(thing)
        if a != b or (a is not None and a.endswith(("absent", "altéré"))):
            differences.append(_said(thing, a, b))
    rows = sum(1 for t in ours if t.startswith("R "))
    files = sum(1 for t in ours if t.startswith("F "))
    lines = [
        plural("%d ligne comparée", "%d lignes comparées", rows) % rows,
        plural("%d fichier relu dans chaque bâtiment", "%d fichiers relus dans chaque bâtiment", files) % files,
    ]
    if not differences:
        lines.append(_("Les deux bâtiments sont identiques."))
    else:
        count = len(differences)
        lines.append(plural("%d DIFFÉRENCE", "%d DIFFÉRENCES", count) % count)
        lines += differences[:NAMED]
    return Verdict(not differences, rows, files, tuple(lines))


def verify(config: Config, clock: Clock, wait: Callable[[float], object]) -> Verdict:
    """Compare this building with its target. Raises `Unreachable` when there is none, or it does not answer.

    A folder of this machine is read directly; behind a daemon the other building is asked for its manifest.
    """
    target = config.replica.target
    if not target:
        raise Unreachable(_("Aucun second bâtiment : replica.target est vide."))
    if target.startswith("rsync://"):
        return compare(manifest(config.data), _asked(config, clock, wait))
    if not (Path(target) / "index.sqlite").exists():
        raise Unreachable(_("Second bâtiment : rien dans %s.") % target)
    return compare(manifest(config.data), manifest(Path(target)))


def _asked(config: Config, clock: Clock, wait: Callable[[float], object]) -> list[str]:
    """Ask the other building for its manifest and wait for it."""
    rsync = Rsync(config.replica.target)
    name = secrets.token_hex(8)
    out = config.data / "spool" / "replica-verify"
    request = out / "inbox" / f"manifest-{name}.request"
    request.parent.mkdir(parents=True, exist_ok=True)
    request.write_text("")
    rsync.push(out, [f"inbox/{request.name}"])
    request.unlink()
    until = clock.monotonic() + ANSWER_S
    while clock.monotonic() < until:
        if content := rsync.fetch(f"replica/manifest-{name}.txt"):
            return content.decode().splitlines()
        wait(0.5)
    raise Unreachable(_("Le second bâtiment n'a pas donné son inventaire : « yelen replica apply » y tourne-t-il ?"))


def _by_thing(lines: Iterable[str]) -> dict[str, str]:
    """`R table key` or `F path` -> the rest."""
    found = {}
    for line in lines:
        words = line.split(" ", 3 if line[0] in "RD" else 2)
        found[" ".join(words[:-1])] = words[-1]
    return found


def _said(thing: str, here: str | None, there: str | None) -> str:
    kind, _space, name = thing.partition(" ")
    what = _("fichier %s") % name if kind == "F" else _("ligne %s") % name
    if there is None:
        return _("%s : absente du second bâtiment") % what
    if here is None:
        return _("%s : seulement dans le second bâtiment") % what
    if here == there:
        return _("%s : %s dans les deux bâtiments") % (what, here.rpartition(" ")[2])
    marks = [
        _("ici") if here.endswith(("absent", "altéré")) else "",
        _("là-bas") if there.endswith(("absent", "altéré")) else "",
    ]
    where = _(" et ").join(m for m in marks if m)
    return _("%s : diffère%s") % (what, f" ({where})" if where else "")
