"""What a query sees of the world: its sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from merkhet.errors import Refused
from tests.unit.workloads.features.making import Workshop, workshop

SOURCE = {"t": "store://raw/t.parquet"}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    made = workshop(tmp_path)
    made.put("t.parquet", {"a": [1]})
    made.put("other.parquet", {"secret": ["theirs"]})
    made.put("other.csv", "secret\ntheirs\n")
    monkeypatch.setenv("MERKHET_SECRET", "theirs")
    return made


READS = {
    "a csv file": "from read_csv('{raw}/other.csv')",
    "a csv file that is sniffed": "select Prompt from sniff_csv('{raw}/other.csv')",
    "a parquet file": "from read_parquet('{raw}/other.parquet')",
    "a parquet file by its name": "from '{raw}/other.parquet'",
    "a parquet file's form": "select name from parquet_schema('{raw}/other.parquet')",
    "a parquet file's figures": "select stats_min from parquet_metadata('{raw}/other.parquet')",
    "a parquet file's words": "select key from parquet_kv_metadata('{raw}/other.parquet')",
    "a parquet file's size": "select num_rows from parquet_file_metadata('{raw}/other.parquet')",
    "a json file": "from read_json('{raw}/other.csv')",
    "lines of json": "from read_ndjson_objects('{raw}/other.csv')",
    "a text": "select content from read_text('{raw}/other.csv')",
    "bytes": "select content from read_blob('/proc/self/environ')",
    "a folder": "from glob('{raw}/*')",
    "the system": "select content from read_text('/etc/passwd')",
    "an address": "from 'https://example.com/other.parquet'",
    "an address by a function": "from read_parquet('https://example.com/other.parquet')",
    "an address of s3": "from 's3://bucket/other.parquet'",
    "another database": "from sqlite_scan('{raw}/other.db', 'x')",
    "the environment": "select getenv('MERKHET_SECRET') as a",
    "secrets": "select name from duckdb_secrets()",
    "extensions": "select extension_name from duckdb_extensions()",
    "a variable of this program": "from shop",
    "a file by a query in a text": "from query('from read_text(''/etc/passwd'')')",
    "a path made of words": "from query_table('{raw}/other.parquet')",
    "a table with a path for a name": 'from "{raw}/other.parquet"',
    "a source's neighbour": "from read_parquet('{raw}/t.parquet/../other.parquet')",
}


@pytest.mark.parametrize("query", [pytest.param(query, id=what) for what, query in READS.items()])
def test_a_query_that_reads_anything_else_is_refused(shop: Workshop, query: str) -> None:
    with pytest.raises(Refused) as caught:
        shop.make(SOURCE, query=query.format(raw=shop.places.store / "raw"))
    assert "theirs" not in str(caught.value)
    assert caught.value.reason in {"QueryFailed", "InvalidQuery"}


OTHER_STATEMENTS = {
    "attaches a database": "attach '{raw}/other.db'",
    "writes a file": "copy t to '{raw}/out.parquet'",
    "reads a file into a table": "copy t from '{raw}/other.csv'",
    "exports everything": "export database '{raw}/out'",
    "installs an extension": "install httpfs",
    "loads an extension": "load httpfs",
    "sets": "set enable_external_access = true",
    "resets": "reset allowed_paths",
    "asks by a pragma": "pragma database_list",
    "sets by a pragma": "pragma enable_profiling",
    "makes a secret": "create secret s (type s3, key_id 'x', secret 'y')",
    "makes a table": "create table x as from t",
    "makes a macro": "create macro f(x) as x",
    "deletes": "delete from t",
    "calls": "call pragma_version()",
    "has another statement behind it": "from t; copy t to '{raw}/out.parquet'",
    "has a setting before it": "set threads = 1; from t",
    "explains": "explain analyze from t",
    "uses another schema": "use memory.main",
    "prepares": "prepare p as from t",
}


@pytest.mark.parametrize("query", [pytest.param(query, id=what) for what, query in OTHER_STATEMENTS.items()])
def test_a_query_that_is_anything_but_one_select_is_refused(shop: Workshop, query: str) -> None:
    raw = shop.places.store / "raw"
    with pytest.raises(Refused):
        shop.make(SOURCE, query=query.format(raw=raw))
    assert {file.name for file in raw.iterdir()} == {"t.parquet", "other.parquet", "other.csv"}


def test_settings_that_a_query_can_see_have_no_secret(shop: Workshop) -> None:
    shop.make(SOURCE, query="select name, value from duckdb_settings() where value is not null")
    found = {row["name"]: row["value"] for row in shop.table().to_pylist()}
    assert "theirs" not in str(found)
