"""Where things stand in a store, and what may not stand there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from merkhet.errors import InvalidSpec
from merkhet.store import paths

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param(paths.blob(f"sha256:{HEX}"), f"blobs/sha256/{HEX}", id="a blob"),
        pytest.param(paths.run_claim("a" * 20), f"runs/{'a' * 20}/claim.json", id="the claim of a run"),
        pytest.param(paths.run_record("a" * 20), f"runs/{'a' * 20}/record.json", id="the record of a run"),
        pytest.param(paths.trial("a" * 20, "b" * 20, 0), f"trials/{'a' * 20}/{'b' * 20}-0.json", id="a trial"),
        pytest.param(paths.feature_manifest("adults", 3), "featuresets/adults/3.manifest.json", id="a manifest"),
        pytest.param(paths.claimed_number(paths.models("income"), 12), "models/income/12.json", id="a number"),
        pytest.param(paths.root("people.adults"), "roots/people.adults", id="a root"),
        pytest.param(paths.raw("store://raw/a b/*.parquet"), "raw/a b/*.parquet", id="a user's files by address"),
        pytest.param(paths.raw("raw/é.csv"), "raw/é.csv", id="a user's file by path"),
    ],
)
def test_everything_has_its_place(path: str, expected: str) -> None:
    assert path == expected


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "raw/../../etc",
        "raw//x",
        "raw/",
        "..",
        "raw/.parts/x",
        "raw\\x",
        "raw/a\nb",
        "raw/" + "x" * 300,
        "raw/" + "x/" * 600 + "x",
    ],
)
def test_no_path_leaves_the_store_or_hides(path: str) -> None:
    with pytest.raises(InvalidSpec, match="path"):
        paths.check(path)


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: paths.blob("sha256:../../x"), id="a digest that is a path"),
        pytest.param(lambda: paths.blob(HEX), id="a digest without its algorithm"),
        pytest.param(lambda: paths.blob(f"sha256:{HEX.upper()}"), id="a digest in capitals"),
        pytest.param(lambda: paths.models("../x"), id="a model that is a path"),
        pytest.param(lambda: paths.feature_sets("Adults"), id="a FeatureSet in capitals"),
        pytest.param(lambda: paths.claimed_number("models/x", 0), id="version nought"),
        pytest.param(lambda: paths.run_claim("a" * 19), id="a short run key"),
        pytest.param(lambda: paths.trial("a" * 20, "b" * 20, -1), id="a trial before the first"),
        pytest.param(lambda: paths.raw("store://blobs/sha256/x"), id="a blob as a user's file"),
        pytest.param(lambda: paths.raw("raw"), id="the folder itself"),
        pytest.param(lambda: paths.of_uri("s3://bucket/x"), id="another scheme"),
    ],
)
def test_a_name_that_cannot_be_is_refused(build: Callable[[], str]) -> None:
    with pytest.raises(InvalidSpec):
        build()
