"""Images reach a cluster that is not ours by way of a registry, or the person is told to name one."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cluster.given import Given
from tests.cluster.machine import ClusterProblem

NAMES = ("merkhet/operator:1", "merkhet/server:2")


@dataclass
class Pushes:
    """A builder that writes down what it is told to push."""

    made: list[tuple[str, str]] = field(default_factory=list)

    def push(self, name: str, target: str) -> None:
        self.made.append((name, target))


@pytest.fixture
def pushes() -> Pushes:
    return Pushes()


@pytest.mark.parametrize("registry", ["registry.example/team", "registry.example/team/"])
def test_every_image_is_pushed_under_its_name_in_the_registry(pushes: Pushes, registry: str) -> None:
    published = Given(Path("theirs")).publish(NAMES, registry, pushes)
    assert published == {name: f"registry.example/team/{name}" for name in NAMES}
    assert pushes.made == list(published.items())


def test_what_has_its_name_in_the_registry_is_not_pushed_again(pushes: Pushes) -> None:
    given = Given(Path("theirs"))
    published = given.publish(NAMES, "registry.example", pushes)
    assert given.publish(published.values(), "registry.example", pushes) == {}
    assert len(pushes.made) == len(NAMES)


def test_without_a_registry_one_is_asked_for(pushes: Pushes) -> None:
    with pytest.raises(ClusterProblem, match=r"theirs.*REGISTRY="):
        Given(Path("theirs")).publish(NAMES, "", pushes)
    assert pushes.made == []
