"""Two checkouts do not fight over the machine's one cluster without a word."""

from pathlib import Path

import pytest

from tests.cluster import owner
from tests.cluster.machine import Progress
from tests.cluster.owner import Claim, Owner

OURS = Owner("/here", "/here/.cluster/node")
THEIRS = Owner("/there", "/there/.cluster/node")


@pytest.mark.parametrize(
    ("recorded", "alive", "owner_is_gone", "take_over", "expected"),
    [
        pytest.param(None, set(), False, False, Claim.START, id="an untouched machine"),
        pytest.param(OURS, {OURS.state}, False, False, Claim.START, id="ours runs in part"),
        pytest.param(OURS, set(), False, False, Claim.START, id="ours crashed"),
        pytest.param(THEIRS, {THEIRS.state}, False, False, Claim.REFUSED, id="theirs runs"),
        pytest.param(THEIRS, {THEIRS.state}, False, True, Claim.CLEAR, id="theirs runs and CI asks"),
        pytest.param(THEIRS, {THEIRS.state}, True, False, Claim.CLEAR, id="theirs runs but its checkout is deleted"),
        pytest.param(THEIRS, set(), False, False, Claim.CLEAR, id="theirs crashed"),
        pytest.param(None, {THEIRS.state}, False, False, Claim.REFUSED, id="theirs runs and its record is lost"),
        pytest.param(OURS, {THEIRS.state}, False, False, Claim.REFUSED, id="ours is recorded and theirs still runs"),
    ],
)
def test_a_checkout_claims_the_cluster_only_when_nobody_needs_it(
    recorded: Owner | None, alive: set[str], owner_is_gone: bool, take_over: bool, expected: Claim
) -> None:
    assert owner.claim(OURS, recorded, alive, owner_is_gone=owner_is_gone, take_over=take_over) is expected


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    owner.record(OURS, tmp_path / "run" / "owner.json")
    assert owner.read(tmp_path / "run" / "owner.json") == OURS


@pytest.mark.parametrize("text", ["", "{", "[]", '{"checkout": "/here"}', "null"])
def test_a_broken_record_names_no_owner(tmp_path: Path, text: str) -> None:
    (tmp_path / "owner.json").write_text(text)
    assert owner.read(tmp_path / "owner.json") is None


def test_no_record_names_no_owner(tmp_path: Path) -> None:
    assert owner.read(tmp_path / "owner.json") is None


def test_the_lock_can_be_taken_again_and_leaves_no_file(tmp_path: Path) -> None:
    for _ in range(2):
        with owner.locked(Progress(), tmp_path / "lock"):
            assert (tmp_path / "lock").exists()
        assert not (tmp_path / "lock").exists()
