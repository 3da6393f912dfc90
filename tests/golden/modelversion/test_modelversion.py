"""What is said of a ModelVersion."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from merkhet.api.meta import Body
from merkhet.kinds.modelversion import KIND
from tests.make import modeldeployment, modelversion
from tests.unit.kinds.modeldeployment.scene import policy

SERVED = modeldeployment(status={"model": "employment", "version": 3})


@pytest.mark.parametrize(
    ("name", "version", "world"),
    [
        ("approved-and-served", modelversion(3), (*policy(), SERVED)),
        ("awaiting-approval", modelversion(3, decision="Pending"), policy()),
        ("rejected", modelversion(3, decision="Rejected"), policy()),
        ("policy-missing", modelversion(3), ()),
        ("misnamed", modelversion(3, metadata={"name": "best"}), policy()),
    ],
    ids=["approved and served", "awaiting approval", "rejected", "without a policy", "under another name"],
)
def test_a_version_that_is(golden: Callable[..., None], name: str, version: Body, world: tuple[Body, ...]) -> None:
    golden(KIND, name, version, *world)
