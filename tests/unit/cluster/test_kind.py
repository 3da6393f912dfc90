"""The cluster where Docker runs has a name of the checkout's own, and no older kind than the pinned one makes it."""

from pathlib import Path

import pytest

from tests.cluster.kind import Kind, cluster_name, is_new_enough


def test_two_checkouts_have_two_clusters() -> None:
    assert cluster_name(Path("/here")) != cluster_name(Path("/there"))


def test_a_checkout_keeps_its_cluster() -> None:
    assert cluster_name(Path("/here")) == cluster_name(Path("/here"))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param("0.33.0\n", True, id="the same"),
        pytest.param("0.33.1", True, id="a newer patch"),
        pytest.param("0.40.0-alpha+0123456789abcd", True, id="a newer one that is not released"),
        pytest.param("1.0.0", True, id="a newer major version"),
        pytest.param("0.32.9", False, id="an older one"),
        pytest.param("0.9.0", False, id="one that only sorts later as text"),
        pytest.param("", False, id="one that does not say"),
    ],
)
def test_an_older_kind_than_the_pinned_one_is_not_used(found: str, expected: bool) -> None:
    assert is_new_enough(found, "0.33.0") is expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(None, id="no kubeconfig"),
        pytest.param("contexts: [{name: merkhet}]\n", id="the kubeconfig of the cluster without Docker"),
    ],
)
def test_a_cluster_that_kind_did_not_finish_is_not_healthy(tmp_path: Path, text: str | None) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    if text is not None:
        kubeconfig.write_text(text)
    assert not Kind(tmp_path, kubeconfig).was_finished()
