"""The claim and the pod of a namespace's store."""

from __future__ import annotations

from merkhet.kinds.apis import CLAIM, CONFIGMAP
from merkhet.kinds.namespacestore import KIND
from tests import make
from tests.golden.conftest import Golden

STORE = make.body(CONFIGMAP, "merkhet-store")


def test_a_store_for_one_node(golden: Golden) -> None:
    golden(KIND, "store", STORE, full=True)


def test_a_store_that_is_bound(golden: Golden) -> None:
    bound = make.body(CLAIM, "merkhet-store", status={"phase": "Bound"})
    golden(KIND, "store_bound", STORE, bound, settings={"store_access": "ReadWriteMany", "store_class": "nfs"})


def test_a_store_that_gives_to_another_namespace(golden: Golden) -> None:
    shared = make.featureset("adults", spec={"share": {"namespaces": ["sales"]}}, status=make.featureset_status(1))
    others = (shared, make.modeltraining(), make.modelversion(3))
    golden(KIND, "store_sharing", STORE, *others, full=True, settings={"share_key": "the installation's key"})
