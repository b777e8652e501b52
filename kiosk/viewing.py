"""Which image of a study is on the screen, and how: everything a page needs to show it without JavaScript.

Positions count the frames of every image of a series, from 1: a loop of 60 frames is 60 positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from core.errors import BadInput, NotFound
from core.i18n import _
from core.imaging.picture import Description
from core.imaging.window import Window, preset_label, presets
from core.model.study import InstanceLine, SeriesLine, StudyLine
from kiosk.access import image_key
from kiosk.surroundings import actor, services

ZOOMS = (1.0, 1.5, 2.0, 3.0)
THUMBNAIL = 96  # px, longest side
QUALITY = 80
MIDDLE = 0  # as a frame number: the middle one, which shows most of a loop
WIDEST = 4096  # px, longest side ever asked for


@dataclass(frozen=True, slots=True)
class Place:
    """One picture: an image and a frame of it, both counted from 1 in URLs."""

    instance: InstanceLine
    frame: int


@dataclass(frozen=True, slots=True)
class Preset:
    label: str
    window: Window


@dataclass(frozen=True, slots=True)
class View:
    """What is on the screen. base: longest side in pixels at zoom 1. path: the page whose address holds the choice."""

    path: str
    study: StudyLine
    series_list: Sequence[SeriesLine]
    thumbnails: Mapping[int, str]
    series: SeriesLine
    total: int
    number: int
    place: Place
    facts: Description
    window: Window | None
    chosen_window: Window | None
    zoom: float
    base: int
    presets: Sequence[Preset]

    @property
    def size(self) -> int:
        return round(self.base * self.zoom)

    @property
    def tall(self) -> bool:
        return self.facts.rows > self.facts.columns

    def address(self, **changes: object) -> str:
        """This page with something changed: `image=4`, `zoom=2.0`, `window=None`, `serie=7`."""
        window = changes.get("window", self.chosen_window)
        serie = changes.get("serie", self.series.id)
        asked: dict[str, object] = {"serie": serie}
        if serie == self.series.id:
            asked["image"] = changes.get("image", self.number)
        if isinstance(window, Window):
            asked |= {"c": f"{window.center:g}", "w": f"{window.width:g}"}
        if (zoom := changes.get("zoom", self.zoom)) != 1.0:
            asked["zoom"] = f"{zoom:g}"
        return f"{self.path}?{urlencode(asked)}"

    def step(self, by: int) -> str:
        """The address of a neighbour, or nothing at the ends."""
        number = self.number + by
        return self.address(image=number) if 1 <= number <= self.total else ""

    @property
    def picture(self) -> str:
        return frame_url(self.place.instance.key, self.place.frame, self.size, self.chosen_window, self.series.id)


def frame_url(key: str, frame: int, size: int, window: Window | None = None, series_id: int | None = None) -> str:
    """The address of a rendered frame. series_id: this is a person looking at the series, not a thumbnail."""
    asked: dict[str, object] = {"f": frame, "size": size, "q": QUALITY}
    if window is not None:
        asked |= {"c": f"{window.center:g}", "w": f"{window.width:g}"}
    if series_id is not None:
        asked["s"] = series_id
    return f"/img/{key}/frame?{urlencode(asked | {'k': image_key()})}"


def thumbnail(key: str, size: int = THUMBNAIL) -> str:
    return frame_url(key, MIDDLE, size)


def look(study: StudyLine, path: str, asked: Mapping[str, str], base: int) -> View | None:
    """The view that an address asks for; None while the study has no image. Raises `NotFound` for a foreign series."""
    series_list = services().studies.series(actor(), study.id)
    places = {series.id: places_of(series.id) for series in series_list}
    series_list = [series for series in series_list if places[series.id]]
    if not series_list:
        return None
    series = _chosen(series_list, asked.get("serie", ""))
    held = places[series.id]
    number = min(max(whole(asked.get("image", ""), 1), 1), len(held))
    place = held[number - 1]
    facts = services().studies.describe(actor(), place.instance.key)
    chosen = window_of(asked)
    return View(
        path=path,
        study=study,
        series_list=series_list,
        thumbnails={s.id: places[s.id][len(places[s.id]) // 2].instance.key for s in series_list},
        series=series,
        total=len(held),
        number=number,
        place=place,
        facts=facts,
        window=chosen or window_used(place, facts),
        chosen_window=chosen,
        zoom=zoom_of(asked.get("zoom", "")),
        base=base,
        presets=offered(facts),
    )


def places_of(series_id: int) -> list[Place]:
    instances = services().studies.instances(actor(), series_id)
    return [Place(instance, frame) for instance in instances for frame in range(1, max(instance.frames, 1) + 1)]


def window_used(place: Place, facts: Description) -> Window | None:
    """The window that the picture has when none is chosen: the file's own, else the one the drawing computes."""
    if facts.windows or facts.colour or not facts.displayable:
        return facts.windows[0] if facts.windows else None
    return services().studies.frame(actor(), place.instance.key, place.frame, size=THUMBNAIL).window_used


def offered(facts: Description) -> list[Preset]:
    """The windows that the file names, then the customary ones under other names."""
    named = {name.capitalize(): window for name, window in zip(facts.window_names, facts.windows, strict=False) if name}
    customary = {preset_label(name): window for name, window in presets(facts.modality, facts.body_part).items()}
    return [Preset(label, window) for label, window in (customary | named).items()]


def window_of(asked: Mapping[str, str]) -> Window | None:
    """Centre and width of an address; both or none. Raises `BadInput` when they are not numbers or the width is < 1."""
    if not asked.get("c") or not asked.get("w"):
        return None
    try:
        window = Window(_number(asked["c"]), _number(asked["w"]))
    except ValueError:
        raise BadInput(_("Fenêtre : deux nombres, centre et largeur."), "c") from None
    if not (window.usable and abs(window.center) <= 1e6 and window.width <= 1e6):
        raise BadInput(_("Fenêtre impossible : la largeur commence à 1."), "w")
    return window


def _number(text: str) -> float:
    return float(text.strip().replace(",", ".").replace("−", "-"))


def zoom_of(text: str) -> float:
    return next((zoom for zoom in ZOOMS if text and f"{zoom:g}" == text), 1.0)


def whole(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else otherwise


def _chosen(series_list: Sequence[SeriesLine], text: str) -> SeriesLine:
    if not text:
        return series_list[0]
    wanted = whole(text, -1)
    found = next((series for series in series_list if series.id == wanted), None)
    if found is None:
        raise NotFound(_("Cette série n'existe pas."))
    return found
