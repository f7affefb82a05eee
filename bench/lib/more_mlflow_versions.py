"""Adds versions to every model of `mlflow server`'s database, each like the one ten before it: `python … DATABASE VERSIONS`."""

import sqlite3
import sys

CREATE = "create temp table numbers as with recursive n(v) as (select 11 union all select v + 1 from n where v < ?) select v from n"


def copied(database, table):
    columns = [row[1] for row in database.execute(f"pragma table_info({table})")]
    chosen = ", ".join("n.v" if column == "version" else f"t.{column}" for column in columns)
    database.execute(
        f"insert into {table} ({', '.join(columns)}) select {chosen} from numbers n join {table} t on t.version = (n.v - 1) % 10 + 1"
    )


def main(path, versions):
    with sqlite3.connect(path) as database:
        database.execute(CREATE, (int(versions),))
        for table in ("model_versions", "model_version_tags"):
            copied(database, table)


main(*sys.argv[1:])
