"""The chart refuses values that cannot be meant, and all it offers can be set."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml

from merkhet.settings import from_environment
from tests.chart.conftest import CHART, Helm, Objects


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("image.operator=x:1", id="a name that does not exist"),
        pytest.param("images.operator=merkhet", id="an image without a tag"),
        pytest.param("images.pullPolicy=Sometimes", id="an unknown policy"),
        pytest.param("replicas=0", id="no operator"),
        pytest.param("replicas=two", id="a word for a number"),
        pytest.param("operator.logLevel=loud", id="an unknown level"),
        pytest.param("store.size=much", id="no size"),
        pytest.param("store.accessMode=ReadOnlyMany", id="a store nobody could fill"),
        pytest.param("prices.cpuHour=-1", id="a price below nothing"),
        pytest.param("scope.namespaces=people", id="a word for a list"),
        pytest.param("approvals.enabled=maybe", id="a word for a switch"),
    ],
)
def test_nonsense_is_refused(helm: Helm, value: str) -> None:
    done = helm("template", "merkhet", str(CHART), "--set", value)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr


def test_the_schema_names_exactly_the_values_there_are() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    schema["properties"].pop("global")
    assert named(schema) == leaves(values, schema)


def named(schema: dict[str, Any], path: str = "") -> set[str]:
    """The values that a schema names."""
    if "properties" not in schema:
        return {path}
    return {leaf for name, inner in schema["properties"].items() for leaf in named(inner, f"{path}.{name}")}


def leaves(values: Any, schema: dict[str, Any], path: str = "") -> set[str]:
    """The values there are, as deep as the schema goes."""
    if "properties" not in schema:
        return {path}
    inner = schema["properties"]
    return {leaf for name in values for leaf in leaves(values[name], inner.get(name, {}), f"{path}.{name}")}


def test_every_value_is_explained() -> None:
    """A comment stands above each value that does not say all by its name."""
    lines = (CHART / "values.yaml").read_text(encoding="utf-8").splitlines()
    top = [number for number, line in enumerate(lines) if line and line[0] not in " #"]
    speaking = {"operator:", "serviceAccount:", "podDisruptionBudget:", "networkPolicy:", "crds:", "scope:"}
    silent = [lines[n] for n in top if lines[n] not in speaking and not lines[n - 1].startswith("#")]
    assert set(silent) <= {"prometheusRule:"}


def test_the_operator_understands_what_the_chart_tells_it(objects: Objects) -> None:
    values = (
        *("scope.namespaces={people,sales}", "images.trainer=t:1", "images.server=s:1", "images.pullSecrets={a,b}"),
        *("store.className=fast", "store.size=5Gi", "store.accessMode=ReadWriteMany", "prices.cpuHour=0.04"),
        *("prices.gibHour=0.005", "prices.currency=USD", "clusterDomain=c.local", "operator.logLevel=debug"),
        *("operator.workers=3", "operator.rate=7", "operator.resyncSeconds=60"),
    )
    (deployment,) = [body for body in objects(*values) if body["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    fields = {"MERKHET_NAMESPACE": "merkhet-system", "MERKHET_IDENTITY": "merkhet-0", "MERKHET_SHARE_KEY": "a key"}
    settings = from_environment({item["name"]: item.get("value") or fields[item["name"]] for item in container["env"]})
    assert (settings.namespace, settings.identity, settings.port) == ("merkhet-system", "merkhet-0", 8081)
    assert (settings.namespaces, settings.log_level) == (("people", "sales"), "debug")
    assert (settings.workers, settings.rate, settings.resync) == (3, 7, 60)
    setup = settings.setup
    assert (setup.trainer_image, setup.server_image, setup.pull_policy) == ("t:1", "s:1", "IfNotPresent")
    assert setup.pull_secrets == ("a", "b")
    assert (setup.store_class, setup.store_size, setup.store_access) == ("fast", "5Gi", "ReadWriteMany")
    assert (setup.cpu_hour_price, setup.gib_hour_price, setup.currency) == (0.04, 0.005, "USD")
    assert (setup.approval_policy, setup.cluster_domain) == ("merkhet-approval", "c.local")
    assert setup.share_key == "a key"
    assert setup.account == "system:serviceaccount:merkhet-system:merkhet"


def test_the_key_that_features_are_shared_by_is_made_unless_there_is_one(objects: Objects) -> None:
    (made,) = [body for body in objects() if body["kind"] == "Secret"]
    assert len(base64.b64decode(made["data"]["key"])) == 48
    assert made["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert key_of(objects()) == {"name": made["metadata"]["name"], "key": "key", "optional": True}
    own = objects("sharing.secretName=our-key")
    assert [body for body in own if body["kind"] == "Secret"] == []
    assert key_of(own)["name"] == "our-key"


def key_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Where the operator has its key from."""
    (deployment,) = [body for body in objects if body["kind"] == "Deployment"]
    env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    (found,) = [item["valueFrom"]["secretKeyRef"] for item in env if item["name"] == "MERKHET_SHARE_KEY"]
    return dict(found)
