"""The first schema: every table and every trigger."""

from typing import Any

from core.index.tables import ALL
from core.index.triggers import statements


def up(migrator: Any, db: Any) -> None:
    db.create_tables(ALL, safe=False)
    for statement in statements():
        db.execute_sql(statement)
