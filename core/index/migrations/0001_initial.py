"""The first schema: every table and index, as they were on the day of the first release."""

from pathlib import Path
from typing import Any


def up(migrator: Any, db: Any) -> None:
    for statement in Path(__file__).with_suffix(".sql").read_text("utf-8").split(";\n"):
        if statement.strip():
            db.execute_sql(statement)
