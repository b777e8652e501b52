"""An index that holds a great many studies, written in bulk: rows without files, as years of work would leave them."""

from __future__ import annotations

import itertools
import json
import random
import sqlite3
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from core.clock import SystemClock
from core.index.opening import open_index
from core.model.names import fold, phonetic_key, search_key

FAMILIES = """OUÉDRAOGO SAWADOGO KABORÉ TRAORÉ ZONGO DIALLO OUATTARA COMPAORÉ KONATÉ ILBOUDO NIKIEMA TAPSOBA SANOU
    ZOUNGRANA KIENDRÉBÉOGO BARRY YAMÉOGO SANKARA COULIBALY HIEN SOMÉ PALENFO BELEM NACOULMA KAFANDO GUIGMA TIENDREBEOGO
    BAMBARA KOUDA NANA""".split()  # noqa: SIM905 - a list of names reads better
GIVEN = """Aïssata Awa Idrissa Issa Mariam Fatimata Salif Rasmata Paul Marie Adama Boukary Noël Inoussa Alima Karim
    Safiatou Moussa Ousmane Zalissa Hamidou Rokia Étienne Clarisse""".split()  # noqa: SIM905
KINDS = (("CT", "TDM CRANE"), ("US", "ECHO ABDO"), ("DX", "RX THORAX"), ("MR", "IRM CRANE"))
LAST_DAY = date(2026, 11, 24)
STAMP = "2026-11-24T08:30:00.000000Z"
CHUNK = 20_000


def fill(data: Path, studies: int) -> None:
    """An index with `studies` studies of one image, a third as many patients, spread over three years."""
    data.mkdir(parents=True, exist_ok=True)
    open_index(data, SystemClock()).close()
    index = sqlite3.connect(data / "index.sqlite")
    index.execute("PRAGMA synchronous = 0")
    for (name,) in index.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        index.execute(f'DROP TRIGGER "{name}"')  # made again at the next start: a bulk load is no news to a copy
    choose = random.Random(1)
    patients = [_patient(choose, number) for number in range(1, studies // 3 + 2)]
    _insert(index, "patient", iter(patients))
    _insert(
        index,
        "patient_identifier",
        ({"patient_id": p["id"], "value": p["number"], "authority": "CHUP", "kind": "PI"} for p in patients),
    )
    rows = (_study(choose, number, studies, choose.choice(patients)) for number in range(1, studies + 1))
    first, second, third = itertools.tee(rows, 3)
    _together(index, studies, first, second, third)
    index.close()


def _together(index: sqlite3.Connection, studies: int, *rows: Iterator[dict[str, Any]]) -> None:
    first, second, third = rows
    for start in range(0, studies, CHUNK):
        _insert(index, "study", itertools.islice(first, CHUNK))
        _insert(index, "series", (_series(s) for s in itertools.islice(second, CHUNK)))
        _insert(index, "instance", (_instance(s) for s in itertools.islice(third, CHUNK)))
        if start % 100_000 == 0:
            print(f"  {start:,} studies", flush=True)


def _insert(index: sqlite3.Connection, table: str, rows: Iterator[dict[str, Any]]) -> None:
    """Columns that a row does not name are empty text or nothing, as the column allows."""
    columns = index.execute(f'PRAGMA table_info("{table}")').fetchall()
    blank = {c[1]: ("" if c[2] == "TEXT" else 0) if c[3] else None for c in columns if c[1] != "id"}
    first = next(rows)
    names = [*(["id"] if "id" in first else []), *blank]
    sql = f'INSERT INTO "{table}" ({", ".join(f"{n!r}" for n in names)}) VALUES ({", ".join("?" * len(names))})'
    whole = ({**blank, **row} for row in itertools.chain([first], rows))
    index.executemany(sql.replace("'", '"'), ([row[n] for n in names] for row in whole))
    index.commit()


def day_of(study: int, studies: int) -> date:
    return LAST_DAY - timedelta(days=3 * 365 * (studies - study) // studies)


def accession(study: int, studies: int) -> str:
    return f"{day_of(study, studies):%y}-{study:07}"


def _patient(choose: random.Random, number: int) -> dict[str, Any]:
    family, given = choose.choice(FAMILIES), f"{choose.choice(GIVEN)} {choose.choice(GIVEN)}"
    return {
        "id": number,
        "number": f"CDG{number:07}",
        "family_name": family,
        "given_names": given,
        "name_key": fold(f"{family} {given}"),
        "sound_key": phonetic_key(f"{family} {given}"),
        "sex": choose.choice("FM"),
        "birth_precision": "?",
        "created_at": STAMP,
    }


def _study(choose: random.Random, number: int, studies: int, patient: dict[str, Any]) -> dict[str, Any]:
    modality, description = choose.choice(KINDS)
    physician = f"{choose.choice(FAMILIES)}^{choose.choice(GIVEN)}"
    day = day_of(number, studies)
    return {
        "id": number,
        "study_instance_uid": f"1.2.826.0.1.{number}",
        "sent_id": patient["number"],
        "patient_id": patient["id"],
        "match": "unscheduled",
        "folder": "f",
        "accession_number": accession(number, studies),
        "study_id": str(number),
        "study_date": f"{day:%Y%m%d}",
        "study_time": f"{choose.randrange(7, 19):02}{choose.randrange(60):02}00",
        "description": description,
        "referring_physician": physician,
        "referring_key": search_key(physician),
        "modalities": json.dumps([modality]),
        "number": patient["number"],
        "name_key": patient["name_key"],
        "name": f"{patient['family_name']}^{patient['given_names']}",
        "birth_date": "20220512",
        "sex": patient["sex"],
        "device": "CT1",
        "received_at": STAMP,
        "series": 1,
        "instances": 1,
        "bytes": 500_000,
        "modality": modality,
    }


def _series(study: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": study["id"],
        "study_id": study["id"],
        "series_instance_uid": f"{study['study_instance_uid']}.1",
        "modality": study["modality"],
        "number": 1,
        "description": "AXIAL",
        "instances": 1,
    }


def _instance(study: dict[str, Any]) -> dict[str, Any]:
    uid = f"{study['study_instance_uid']}.1.1"
    return {
        "key": uid,
        "series_id": study["id"],
        "sop_instance_uid": uid,
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "transfer_syntax": "1.2.840.10008.1.2.1",
        "number": 1,
        "path": uid,
        "size": 500_000,
        "lane": "bulk",
        "received_at": STAMP,
    }
