"""An API server with our CRDs, our roles and our policies, and the people who use it."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.crds.people import OPERATOR, ROLES, Person
from tests.cluster import binaries
from tests.cluster.apiserver import ADMIN, ApiServer
from tests.cluster.machine import Progress, wait_for

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "merkhet"
TEMPLATES = ("approval-policy", "people-roles", "operator-rbac", "serviceaccount")


@pytest.fixture(scope="module")
def programs() -> Path:
    return binaries.ensure(("etcd", "kube-apiserver", "kubectl", "helm"), Progress())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    groups = ("system:serviceaccounts", "system:authenticated")
    users = {name: groups if name == OPERATOR else ("system:authenticated",) for name in ROLES}
    with ApiServer(tmp_path_factory.mktemp("apiserver"), users=users) as running:
        yield running


@pytest.fixture(scope="module")
def people(server: ApiServer, programs: Path) -> dict[str, Person]:
    names = (ADMIN, *ROLES)
    return {name: Person(name, programs / "kubectl", server.kubeconfig(name)) for name in names}


@pytest.fixture(scope="module")
def admin(people: dict[str, Person]) -> Person:
    """Who may do everything, with the CRDs applied as anybody would."""
    root = people[ADMIN]
    root.does("apply", "-f", str(ROOT / "crds"))
    root.does("wait", "--for=condition=Established", "--timeout=60s", "-f", str(ROOT / "crds"))
    return root


@pytest.fixture(scope="module")
def values() -> dict[str, str]:
    """What the chart is installed with; a module may say otherwise."""
    return {}


@pytest.fixture(scope="module")
def governed(admin: Person, programs: Path, values: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Person:
    """The administrator of a cluster in which the roles and the approval policy of the chart stand."""
    which = [word for name in TEMPLATES for word in ("-s", f"templates/{name}.yaml")]
    given = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    command = [str(programs / "helm"), "template", "merkhet", str(CHART), "-n", "merkhet-system", *which, *given]
    installed = tmp_path_factory.mktemp("chart") / "installed.yaml"
    installed.write_text(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    admin.does("create", "namespace", "merkhet-system")
    admin.does("apply", "-f", str(installed))
    return admin


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    """A number for each test."""
    return itertools.count(1)


@pytest.fixture
def namespace(admin: Person, numbers: Iterator[int]) -> str:
    """A namespace of the test's own; nothing deletes it, as no controller runs."""
    name = f"test-{next(numbers)}"
    admin.does("create", "namespace", name)
    return name


@pytest.fixture
def tenants(governed: Person, people: dict[str, Person], namespace: str) -> dict[str, Person]:
    """The people with their roles in the namespace."""
    for name, role in ((name, role) for name, roles in ROLES.items() for role in roles):
        words = (f"{name}-{role}", f"--clusterrole={role}", f"--user={name}")
        governed.does("-n", namespace, "create", "rolebinding", *words)
    # The authorizer learns of bindings, in their order, a moment after they are written.
    last = people[list(ROLES)[-1]]
    wait_for("the roles to count", lambda: last.tries("-n", namespace, "get", "mv").returncode == 0, seconds=60)
    return people
