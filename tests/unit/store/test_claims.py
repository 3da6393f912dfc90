"""Runs and numbers are claimed once, whoever dies at whatever moment."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from merkhet.contract.runs import RunReport
from merkhet.errors import Corrupt
from merkhet.store import claims, paths
from merkhet.store.volume import Volume
from tests.unit.store.processes import first_line, running

KEY = "0123456789abcdef0123"
OTHER = "f" * 20
MODELS = paths.models("income")


@pytest.fixture
def store(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


def report(message: str) -> RunReport:
    return RunReport(key=KEY, phase="Succeeded", message=message)


def test_a_run_is_claimed_once(store: Volume) -> None:
    assert claims.claim_run(store, KEY, {"uid": "1"})
    assert not claims.claim_run(store, KEY, {"uid": "2"})
    assert json.loads(store.read(paths.run_claim(KEY))) == {"uid": "1"}


def test_the_first_record_of_a_run_stays(store: Volume) -> None:
    assert claims.recorded(store, KEY) is None
    assert claims.record(store, report("first")).message == "first"
    assert claims.record(store, report("second")).message == "first"
    recorded = claims.recorded(store, KEY)
    assert recorded is not None
    assert recorded.message == "first"


def test_a_record_that_cannot_be_read_is_corrupt_and_named(store: Volume) -> None:
    store.create(paths.run_record(KEY), b"{}")
    with pytest.raises(Corrupt, match=paths.run_record(KEY)):
        claims.recorded(store, KEY)


def test_numbers_count_from_one_and_a_run_keeps_its_own(store: Volume) -> None:
    assert claims.number_of(store, MODELS, KEY) is None
    assert claims.claim_number(store, MODELS, KEY) == 1
    assert claims.claim_number(store, MODELS, OTHER) == 2
    assert claims.claim_number(store, MODELS, KEY) == 1
    assert claims.number_of(store, MODELS, OTHER) == 2


def test_a_number_above_a_gap_is_never_given_again(store: Volume) -> None:
    store.create(paths.claimed_number(MODELS, 7), b'{"run": "x"}')
    assert claims.claim_number(store, MODELS, KEY) == 8


def test_manifests_and_temporary_files_are_no_numbers(store: Volume) -> None:
    folder = paths.feature_sets("adults")
    store.create(paths.feature_manifest("adults", 41), b"{}")
    (store.root / folder / ".tmp-99.json").write_bytes(b"")
    assert claims.claim_number(store, folder, KEY) == 1


def test_a_claim_that_cannot_be_read_stops_the_run_rather_than_giving_two_numbers(store: Volume) -> None:
    store.create(paths.claimed_number(MODELS, 1), b"[]")
    with pytest.raises(Corrupt, match=r"models/income/1\.json"):
        claims.claim_number(store, MODELS, KEY)


CLAIMANT = """
import sys
from pathlib import Path
from merkhet.store import claims, paths
from merkhet.store.volume import Volume
store, seed = Volume(Path(sys.argv[1])), int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for n in range(int(sys.argv[3])):
    print(claims.claim_number(store, paths.models("income"), f"{seed:04x}{n:016x}"), flush=True)
"""


def test_concurrent_runs_get_distinct_numbers_without_gaps(store: Volume) -> None:
    with running(CLAIMANT, store.root, "1", "30") as a, running(CLAIMANT, store.root, "2", "30") as b:
        for process in (a, b):
            assert first_line(process) == "ready"
        for process in (a, b):
            process.stdin.write("\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        numbers = [int(first_line(process)) for _ in range(30) for process in (a, b)]
    assert sorted(numbers) == list(range(1, 61))


def test_two_processes_of_the_same_run_get_the_same_number(store: Volume) -> None:
    with running(CLAIMANT, store.root, "1", "30") as a, running(CLAIMANT, store.root, "1", "30") as b:
        for process in (a, b):
            assert first_line(process) == "ready"
        for process in (a, b):
            process.stdin.write("\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        numbers = [(int(first_line(a)), int(first_line(b))) for _ in range(30)]
    assert numbers == [(n, n) for n in range(1, 31)]


def test_a_claimant_killed_at_any_moment_finds_its_number_again_and_shares_it_with_nobody(store: Volume) -> None:
    clock = random.Random(5)
    said: dict[str, int] = {}
    for seed in range(12):
        with running(CLAIMANT, store.root, str(seed), "1000000") as process:
            assert first_line(process) == "ready"
            process.stdin.write("\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            time.sleep(clock.uniform(0.0, 0.04))  # the moment of death, not something waited for
            process.kill()
            lines = process.communicate()[0].splitlines()
            said |= {f"{seed:04x}{n:016x}": int(line) for n, line in enumerate(lines) if line}
    folder = paths.models("income")
    for run, number in said.items():
        assert claims.claim_number(store, folder, run) == number
    claimed = [json.loads(store.read(path))["run"] for path in store.list(folder)]
    assert len(claimed) == len(set(claimed)), "a run has two numbers"
