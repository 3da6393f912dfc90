"""Features made from other FeatureSets: as tables of the query, and joined as they were known."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from merkhet.contract.features import FeaturesManifest, FeaturesResult, FeaturesTask
from merkhet.errors import Corrupt, Missing, Refused
from merkhet.store import paths
from merkhet.workloads.features.main import make_version
from merkhet.workloads.features.versions import manifest_at
from tests.unit.workloads.features.making import Workshop, workshop

NOON = datetime(2024, 5, 1, 12)  # noqa: DTZ001 - the store knows no zones
HOUR = timedelta(hours=1)
VISITS = {"person": [1, 1, 2], "city": ["a", "b", "a"], "at": [NOON, NOON + HOUR, NOON]}
WEATHER: dict[str, list[Any]] = {
    "city": ["a", "a", "b"],
    "at": [NOON - HOUR, NOON, NOON + HOUR],
    "told": [NOON - HOUR, NOON + HOUR, NOON + HOUR],
    "rain": [0.5, 2.0, 7.0],
}


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """A store with two FeatureSets' files."""
    made = workshop(tmp_path)
    made.put("visits.parquet", VISITS)
    made.put("weather.parquet", WEATHER)
    return made


def make(shop: Workshop, name: str, *sources: dict[str, Any], **more: Any) -> FeaturesResult:
    """A version of a FeatureSet."""
    asked = shop.task({}, feature_set=name, **more).model_dump()
    task = FeaturesTask.model_validate({**asked, "sources": list(sources)})
    return make_version(task, shop.store, shop.said.append, places=shop.places, now=shop.now)


def file(name: str) -> dict[str, Any]:
    return {"name": name, "uri": f"store://raw/{name}.parquet"}


def version(name: str, result: FeaturesResult) -> dict[str, Any]:
    return {"name": name, "version": result.number, "digest": result.digest}


def features(name: str, result: FeaturesResult, table: str | None = None) -> dict[str, Any]:
    """A source that is a version of a FeatureSet."""
    return {"name": table or name, "features": version(name, result)}


def weather(shop: Workshop, **more: Any) -> FeaturesResult:
    usual: dict[str, Any] = {"entity": ["city"], "timestamp": "at", "arrival": "told"}
    return make(shop, "weather", file("weather"), **{**usual, **more})


def joined(shop: Workshop, known: FeaturesResult, *, by: list[str] | None = None, **more: Any) -> list[dict[str, Any]]:
    """The rows of visits with what was known of the weather."""
    join = {"features": version("weather", known), "by": by or ["city"], **more.pop("join", {})}
    make(shop, "visits", file("visits"), **{"entity": ["person"], "timestamp": "at", "joins": [join], **more})
    return rows(shop, "visits")


def manifest(shop: Workshop, name: str) -> FeaturesManifest:
    return manifest_at(shop.store, name)


def rows(shop: Workshop, name: str) -> list[dict[str, Any]]:
    tables = [pq.read_table(shop.store.fetch(blob.digest)) for blob in manifest(shop, name).blobs]
    return list(pa.concat_tables(tables).to_pylist())


def test_a_version_is_a_table_of_the_query_beside_files(shop: Workshop) -> None:
    known = weather(shop)
    query = "select person, max(rain) as rain from visits join wet using (city) group by person"
    result = make(shop, "wet-people", file("visits"), features("weather", known, "wet"), query=query)
    assert rows(shop, "wet-people") == [{"person": 1, "rain": 7.0}, {"person": 2, "rain": 2.0}]
    assert [one.model_dump(exclude_none=True) for one in manifest(shop, "wet-people").inputs] == [
        version("weather", known)
    ]
    assert result.number == 1


def test_a_version_alone_needs_no_query_and_is_not_copied(shop: Workshop) -> None:
    known = weather(shop)
    make(shop, "again", features("weather", known), entity=["city"], timestamp="at", arrival="told")
    assert manifest(shop, "again").blobs == manifest(shop, "weather").blobs
    assert manifest(shop, "again").arrival == "told"


def test_an_older_version_stays_what_it_was(shop: Workshop) -> None:
    old = weather(shop)
    shop.put("weather.parquet", {name: values[:1] for name, values in WEATHER.items()})
    weather(shop)
    make(shop, "again", features("weather", old))
    assert len(rows(shop, "again")) == 3


def test_newer_versions_that_change_no_row_make_no_version(shop: Workshop) -> None:
    query = "select city, max(rain) as rain from weather where rain < 5 group by city"
    first = make(shop, "dry", features("weather", weather(shop)), query=query)
    shop.put("weather.parquet", {**WEATHER, "rain": [0.5, 2.0, 8.0]})
    second = make(shop, "dry", features("weather", weather(shop)), query=query)
    assert (second.unchanged, second.digest) == (True, first.digest)
    assert manifest(shop, "dry").inputs[0].version == 1


def test_rows_are_joined_with_what_was_known_then(shop: Workshop) -> None:
    assert joined(shop, weather(shop)) == [
        {"person": 1, "city": "a", "at": NOON, "rain": 0.5},
        {"person": 1, "city": "b", "at": NOON + HOUR, "rain": 7.0},
        {"person": 2, "city": "a", "at": NOON, "rain": 0.5},
    ]
    assert [one.name for one in manifest(shop, "visits").inputs] == ["weather"]


def test_a_join_is_of_the_query_and_before_the_contract(shop: Workshop) -> None:
    found = joined(
        shop,
        weather(shop),
        query='select person, city, max("at") as "at" from visits group by all',
        columns=[{"name": "rain", "type": "float32"}],
        join={"max_age_seconds": 1800.0},
    )
    assert [row["rain"] for row in found] == [None, 7.0, None]
    assert [column.type for column in manifest(shop, "visits").columns][-1] == "float32"


def test_what_is_personal_there_is_personal_here(shop: Workshop) -> None:
    known = weather(shop, columns=[{"name": "city", "personal": True}, {"name": "rain", "personal": True}])
    joined(shop, known)
    make(shop, "table", features("weather", known), query="select city, rain as amount from weather")
    personal = {
        name: [one.name for one in manifest(shop, name).columns if one.personal] for name in ("visits", "table")
    }
    assert personal == {"visits": ["city", "rain"], "table": ["city"]}


def test_a_message_shows_no_value_beside_columns_that_are_personal_there(shop: Workshop) -> None:
    known = weather(shop, columns=[{"name": "city", "personal": True}])
    with pytest.raises(Refused) as refused:
        make(shop, "table", features("weather", known), query="select city::int as n from weather")
    assert "'a'" not in str(refused.value)


def _without(shop: Workshop, digest: str) -> None:
    shop.store.delete(paths.blob(digest))


def _spoilt(shop: Workshop, digest: str) -> None:
    shop.store.replace(paths.blob(digest), b"else")


@pytest.mark.parametrize(
    ("spoil", "kind"), [(_without, Missing), (_spoilt, Corrupt)], ids=["not there", "not what it was"]
)
@pytest.mark.parametrize("part", ["the manifest", "rows"])
@pytest.mark.parametrize("join", [False, True], ids=["as a source", "as a join"])
def test_bytes_that_are_lost_are_named(
    shop: Workshop, spoil: Any, kind: type[Exception], part: str, join: bool
) -> None:
    known = weather(shop)
    spoil(shop, known.digest if part == "the manifest" else manifest(shop, "weather").blobs[0].digest)
    sources = [file("visits")] if join else [features("weather", known)]
    joins = [{"features": version("weather", known), "by": ["city"]}] if join else []
    with pytest.raises(kind, match=rf"^{part} of version 1 of FeatureSet people/weather: "):
        make(shop, "visits", *sources, timestamp="at", joins=joins)


def test_a_manifest_that_is_none_is_corrupt(shop: Workshop) -> None:
    digest = shop.store.add(b"{}")
    source = {"name": "weather", "features": {"name": "weather", "version": 4, "digest": digest}}
    with pytest.raises(Corrupt, match="the manifest of version 4 of FeatureSet people/weather cannot be read"):
        make(shop, "again", source)


def test_numbers_that_are_none_are_seen_whatever_the_file_says(shop: Workshop) -> None:
    shop.put("weather.parquet", {"city": ["a", "b"], "rain": [1.0, float("nan")]})
    make(shop, "clean", file("weather"), query="select city from weather where not isnan(rain)")
    assert rows(shop, "clean") == [{"city": "a"}]


REPEATED: dict[str, tuple[dict[str, Any], str]] = {
    "a pair": (
        {"query": 'select person, "at" from visits union all select 1, "at" from visits where person = 2'},
        "1 row",
    ),
    "every row": ({"query": "from visits union all from visits"}, "3 rows"),
}


@pytest.mark.parametrize(("more", "said"), REPEATED.values(), ids=REPEATED)
def test_rows_that_repeat_entity_and_timestamp_are_refused(shop: Workshop, more: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=f"^{said} repeat.*such as person 1, at 2024-05-01 12:00:00") as refused:
        make(shop, "visits", file("visits"), entity=["person"], timestamp="at", **more)
    assert refused.value.reason == "DuplicateRows"
    personal = [{"name": "person", "personal": True}]
    with pytest.raises(Refused) as refused:
        make(shop, "visits", file("visits"), entity=["person"], timestamp="at", columns=personal, **more)
    assert "such as" not in str(refused.value)


ALLOWED: dict[str, dict[str, Any]] = {
    "no entity": {"timestamp": "at"},
    "no timestamp": {"entity": ["person"]},
    "an entity that is missing": {"timestamp": "at", "entity": ["nobody"]},
    "one row each": {"timestamp": "at", "entity": ["person"]},
}


@pytest.mark.parametrize("more", ALLOWED.values(), ids=ALLOWED)
def test_rows_that_are_not_known_to_repeat_are_taken(shop: Workshop, more: dict[str, Any]) -> None:
    twice = "from visits union all from visits" if "one" not in str(more) and len(more) == 1 else "from visits"
    query = f"select *, null::int as nobody from ({twice})"
    assert make(shop, "visits", file("visits"), query=query, **more).number == 1


def test_rows_that_repeat_across_batches_are_found(shop: Workshop) -> None:
    query = "select i // 2 as person, timestamp '2024-01-01' as at, i as value from range(60000) t(i)"
    with pytest.raises(Refused, match=r"^30,000 rows repeat"):
        make(shop, "visits", file("visits"), query=query, entity=["person"], timestamp="at")


def test_an_arrival_that_is_no_time_is_refused(shop: Workshop) -> None:
    with pytest.raises(Refused, match="column city, the `arrival`, is string; wanted timestamp or date"):
        weather(shop, arrival="city")
    with pytest.raises(Refused, match="column then, named in `arrival`, is not in the result"):
        weather(shop, arrival="then")
