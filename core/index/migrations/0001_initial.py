"""The first schema: every table and every trigger."""

from core.index.tables import ALL
from core.index.triggers import statements


def up(migrator, db):
    db.create_tables(ALL, safe=False)
    for statement in statements():
        db.execute_sql(statement)
