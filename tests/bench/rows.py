"""From the kit's JSON to the rows of the table of targets: what was measured, against whom, met or missed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Found = dict[str, Any]
OURS = "yelen"


@dataclass(frozen=True, slots=True)
class Row:
    """One target. met: None when it could not be measured."""

    what: str
    wanted: str
    measured: str
    met: bool | None


def show(rows: list[Row]) -> None:
    """The table, in Markdown."""
    words = {True: "met", False: "MISSED", None: "not measured"}
    print("\n| what | target | measured | |\n| --- | --- | --- | --- |")
    for row in rows:
        print(f"| {row.what} | {row.wanted} | {row.measured} | {words[row.met]} |")


def of_store(found: Found) -> Iterator[Row]:
    for section, associations in enumerate((1, 4)):
        yield _ratio(found, section, "images", f"C-STORE CT, {associations} association(s)", 1.5)
        yield _most(
            found, section, "server CPU per image", f"server CPU per CT image, {associations} association(s)", 2
        )
    yield _most(found, 1, "server peak memory since its start", "memory after the CT ingest", 350)


def of_stock_sender(found: Found) -> Row:
    return _ratio(found, 0, "images", "C-STORE CT from stock storescu", 5)


def of_small(found: Found) -> Iterator[Row]:
    yield _ratio(found, 0, "images", "objects of 1.6 kB, 1 association", 1)
    yield _ratio(found, 1, "images", "objects of 1.6 kB, 4 associations", 1.5)


def of_find(found: Found, studies: int) -> Iterator[Row]:
    most = 5 if studies <= 100_000 else 10
    for name in ("accession number", "patient id", "one day"):
        yield _most(found, 0, name, f"C-FIND by {name}, {studies} studies, p95", most, "p95")
    yield _least(found, 0, "name prefix OUED*, all: answers", "C-FIND, many answers", 8000)


def of_worklist(found: Found) -> Iterator[Row]:
    for name, what, most in (("all steps", "all", 100), ("modality CT + one day", "CT + day", 20)):
        yield _most(found, 0, name, f"worklist of 2,000, {what}", most)
        yield _ratio(found, 0, name, f"worklist of 2,000, {what}", 1.5)


def of_retrieve(found: Found) -> Iterator[Row]:
    yield _ratio(found, 0, "C-GET images", "C-GET of 300 CT", 1)
    yield _ratio(found, 0, "C-MOVE images", "C-MOVE of 300 CT", 1)


def _ratio(found: Found, section: int, name: str, what: str, least: float) -> Row:
    """Against the better peer of the same run."""
    wanted = f"≥ {least:g}x the better peer"
    figure = _figure(found, section, name)
    if figure is None or not figure["ratios"] or _of(figure, OURS) is None:
        return Row(what, wanted, "", None)
    worst = min(figure["ratios"], key=lambda ratio: float(ratio["better"]))
    values = ", ".join(f"{n} {_of(figure, n):.4g}" for n in figure["targets"] if _of(figure, n) is not None)
    measured = f"{worst['better']:.2f}x ({values} {figure['unit']})"
    return Row(what, wanted, measured, bool(worst["better"] >= least))


def _most(found: Found, section: int, name: str, what: str, most: float, which: str = "median") -> Row:
    value, unit = _ours(found, section, name, which)
    return (
        Row(what, f"≤ {most:g} {unit}", f"{value:.3g} {unit}", value <= most)
        if value is not None
        else _none(what, most)
    )


def _least(found: Found, section: int, name: str, what: str, least: float) -> Row:
    value, unit = _ours(found, section, name, "median")
    return (
        Row(what, f"≥ {least:g} {unit}", f"{value:.4g} {unit}", value >= least)
        if value is not None
        else _none(what, least)
    )


def _none(what: str, bound: float) -> Row:
    return Row(what, f"{bound:g}", "", None)


def _ours(found: Found, section: int, name: str, which: str) -> tuple[float | None, str]:
    figure = _figure(found, section, name)
    return (None, "") if figure is None else (_of(figure, OURS, which), str(figure["unit"]))


def _figure(found: Found, section: int, name: str) -> Found | None:
    """The figure of this name; the kit adds to some names how many answers there were."""
    for figure in found["sections"][section]["figures"] if section < len(found["sections"]) else []:
        if figure["name"] == name or str(figure["name"]).startswith(f"{name} (answers"):
            return dict(figure)
    return None


def _of(figure: Found, server: str, which: str = "median") -> float | None:
    told = figure["targets"].get(server)
    return None if told is None else told.get(which, told.get("median"))
