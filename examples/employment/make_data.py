"""Make the census files of this example from the wheel they are published in.

The American Community Survey of the US Census Bureau is in the public domain. The wheel ``nannyml`` 0.13.1 carries its
records for Massachusetts, 2015 to 2018, together with another model's predictions, which are left out here.

    pip download --no-deps nannyml==0.13.1
    python examples/employment/make_data.py nannyml-0.13.1-py3-none-any.whl
"""

from __future__ import annotations

import io
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

FOLDER = "nannyml/datasets/data"
FEATURES = (
    "AGEP", "SCHL", "MAR", "RELP", "DIS", "ESP", "CIT", "MIG", "MIL", "ANC", "NATIVITY", "DEAR", "DEYE", "DREM", "SEX",
    "RAC1P",
)  # fmt: skip
# Children under 16 are never asked about work: with them every model looks better than it is.
ADULT = 16


def main(wheel: str) -> None:
    """Write one file a year beside this script."""
    with zipfile.ZipFile(wheel) as archive:
        reference, analysis, truth = (
            pq.read_table(io.BytesIO(archive.read(f"{FOLDER}/employment_MA_{part}.pq")))
            for part in ("reference", "analysis", "analysis_target")
        )
    codes = ", ".join(f"cast({name} as utinyint) as {name}" for name in FEATURES)
    people = f"select id as person_id, year, {codes}, cast(employed as utinyint) as employed"
    query = f"""
        {people} from reference where AGEP >= {ADULT}
        union all by name
        {people} from (select * from analysis join truth using (id)) where AGEP >= {ADULT}
    """
    database = duckdb.connect()
    for name, table in (("reference", reference), ("analysis", analysis), ("truth", truth)):
        database.register(name, table)
    everybody = database.sql(f"select * from ({query}) order by person_id").to_arrow_table()
    for year in sorted(set(everybody["year"].to_pylist())):
        write(everybody.filter(pa.compute.equal(everybody["year"], year)), year)


def write(people: pa.Table, year: int) -> None:
    """One year's people, with the day the survey year closed as the time of each record."""
    closed = pa.array([datetime(year, 12, 31, tzinfo=UTC)] * people.num_rows, pa.timestamp("us", tz="UTC"))
    people = people.drop_columns(["year"]).add_column(1, "surveyed_at", closed)
    target = Path(__file__).parent / "data" / f"census-{year}.parquet"
    pq.write_table(people, target, compression="zstd", compression_level=19, use_dictionary=True)
    print(f"{target.name}: {people.num_rows} people, {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1])
