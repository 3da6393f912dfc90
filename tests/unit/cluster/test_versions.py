"""Versions stand in one place, and what is cached under a key is of exactly those sources."""

import pytest

from tests.cluster import versions
from tests.cluster.machine import ClusterProblem

GO_MOD = """module example.org/tools

require (
\texample.org/one v1.2.3
\texample.org/one/more v0.1.0-rc.1
)

require example.org/two/v4 v4.5.6
replace example.org/three => example.org/three v0.36.3
"""


@pytest.mark.parametrize(
    ("module", "version"),
    [("example.org/one", "1.2.3"), ("example.org/one/more", "0.1.0-rc.1"), ("example.org/two/v4", "4.5.6")],
)
def test_a_version_is_the_one_that_go_mod_requires(module: str, version: str) -> None:
    assert versions.of_module(module, GO_MOD) == version


@pytest.mark.parametrize("module", ["example.org/three", "example.org/on", "xample.org/one"])
def test_a_module_that_is_not_required_is_named(module: str) -> None:
    with pytest.raises(ClusterProblem, match=module):
        versions.of_module(module, GO_MOD)


def test_the_projects_own_kubernetes_has_three_numbers() -> None:
    assert len(versions.of_module("k8s.io/kubernetes").split(".")) == 3


def test_a_key_depends_on_each_part_and_on_where_it_ends() -> None:
    keys = [
        versions.key(parts) for parts in ([b"ab", b"c"], [b"a", b"bc"], [b"abc"], [b"ab", b"c", b""], [b"c", b"ab"])
    ]
    assert len(set(keys)) == len(keys)


def test_a_key_is_the_same_for_the_same_parts() -> None:
    assert versions.key([b"a", b"b"]) == versions.key(iter([b"a", b"b"]))


def test_binaries_are_kept_under_the_version_of_kubernetes() -> None:
    assert versions.of_binaries().startswith(f"{versions.of_module('k8s.io/kubernetes')}-")
