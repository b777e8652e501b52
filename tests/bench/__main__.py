"""`python -m tests.bench`: the DICOM rows of the targets, ours and the peers' in turn on this machine, as one table.

Only ratios within one run compare: the same server varies by a factor of two from hour to hour. Needs the bench kit
(`$YELEN_BENCH`) and the peers that `install/test` installs. The work folder takes 1 to 4 GB.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import kit, rows
from tests.bench.box import SINK_PORT, box, target
from tests.bench.rows import Row
from tests.install.boxes import Box


def store(work: Path, ours: Box, peers: list[str], rounds: int, studies: int) -> Iterator[Row]:
    """C-STORE: computed tomography, a stock modality with Nagle's algorithm on, very small objects."""
    both = _targets(ours, peers)
    many = ("--associations", "1,4", "--rounds", str(rounds))
    yield from rows.of_store(kit.measure(work, "ingest", *both, *many))
    stock = kit.measure(work, "ingest", *both, "--sender", "storescu", "--limit", "60", "--rounds", str(rounds))
    yield rows.of_stock_sender(stock)
    small = kit.measure(work, "ingest", *both, "--set", "small", "--limit", "500", *many)
    yield from rows.of_small(small)


def find(work: Path, ours: Box, peers: list[str], rounds: int, studies: int) -> Iterator[Row]:
    """C-FIND over `studies` studies; those that a server lacks are sent first."""
    found = kit.measure(work, "find", *_targets(ours, peers), "--studies", str(studies), "--rounds", str(rounds))
    yield from rows.of_find(found, studies)


def worklist(work: Path, ours: Box, peers: list[str], rounds: int, studies: int) -> Iterator[Row]:
    """The worklist of 2,000 steps, ordered over HL7, against the two that read files."""
    where = ("--worklist", str(work / "data" / "worklist-2000"))
    with kit.peer(work, "orthanc-tuned", *where) as orthanc, kit.peer(work, "wlmscpfs", *where) as files:
        orders = ("--items", "2000", "--hl7", f"yelen=127.0.0.1:{ours.port('hl7')}")
        found = kit.measure(work, "mwl", *_targets(ours, [orthanc, files]), *orders, "--rounds", str(rounds))
    yield from rows.of_worklist(found)


def retrieve(work: Path, ours: Box, peers: list[str], rounds: int, studies: int) -> Iterator[Row]:
    """C-GET, and C-MOVE to a sink without Nagle's algorithm, of 300 images."""
    sink = ("--sink-port", str(SINK_PORT))
    yield from rows.of_retrieve(kit.measure(work, "retrieve", *_targets(ours, peers), *sink, "--rounds", str(rounds)))


BENCHES: dict[str, Callable[[Path, Box, list[str], int, int], Iterator[Row]]] = {
    "worklist": worklist,
    "store": store,
    "retrieve": retrieve,
    "find": find,
}


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    options.add_argument("--only", default=",".join(BENCHES), help="of " + ", ".join(BENCHES))
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--studies", type=int, default=2000, help="in the index of `find` (100000: an hour)")
    options.add_argument("--work", type=Path, help="work folder, kept (default: a temporary one)")
    chosen = options.parse_args()
    with _work(chosen.work) as work:
        kit.make_data(work)
        table: list[Row] = []
        with box(work / "yelen") as ours:
            for name in chosen.only.split(","):
                with contextlib.ExitStack() as stack:
                    peers = [] if name == "worklist" else [stack.enter_context(kit.peer(work, "orthanc-tuned"))]
                    table += BENCHES[name](work, ours, peers, chosen.rounds, chosen.studies)
        rows.show(table)


@contextlib.contextmanager
def _work(wanted: Path | None) -> Iterator[Path]:
    """An absolute folder whose box of an earlier run is gone."""
    if wanted is None:
        with tempfile.TemporaryDirectory(prefix="yelen-bench-") as temporary:
            yield Path(temporary)
        return
    wanted.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(wanted / "yelen", ignore_errors=True)
    yield wanted.absolute()


def _targets(ours: Box, peers: list[str]) -> list[str]:
    return [word for one in (target(ours), *peers) for word in ("--target", one)]


if __name__ == "__main__":
    main()
