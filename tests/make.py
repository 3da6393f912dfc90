"""Objects for tests, as the API server answers them: name what matters, the rest is usual."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from merkhet.api.base import StatusPart
from merkhet.api.meta import Api, Body, Meta
from merkhet.contract.runs import REPORT_KEY, RunReport
from merkhet.kinds.apis import (
    COMPONENT,
    CONFIGMAP,
    FEATURESET,
    JOB,
    MODELDEPLOYMENT,
    MODELTRAINING,
    MODELVERSION,
    POD,
    SERVICEACCOUNT,
)
from merkhet.kinds.kind import Kind, Live, Resource, Setup

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
NAMESPACE = "people"
DIGEST = "sha256:" + "a" * 64


def setup(**more: Any) -> Setup:
    """What an installation decides."""
    usual: dict[str, Any] = {"trainer_image": "merkhet/trainer:1", "server_image": "merkhet/server:1"}
    return Setup(**{**usual, **more})


def body(api: Api, name: str = "employment", **parts: Any) -> Body:
    """Any object; ``metadata`` is added to the usual one."""
    usual = {"name": name, "uid": f"uid-{name}", "generation": 1, "resourceVersion": "1"}
    if api.namespaced:
        usual["namespace"] = NAMESPACE
    metadata = {**usual, "creationTimestamp": "2026-11-22T11:00:00Z", **parts.pop("metadata", {})}
    return {"apiVersion": api.api_version, "kind": api.kind, "metadata": metadata, **parts}


def owned(api: Api, name: str, owner: Body, **parts: Any) -> Body:
    """An object that another one controls."""
    reference = {"kind": owner["kind"], "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
    metadata = {**parts.pop("metadata", {}), "ownerReferences": [{**reference, "controller": True}]}
    return body(api, name, metadata=metadata, **parts)


def featureset(name: str = "employment", *, spec: Body | None = None, **parts: Any) -> Body:
    """A FeatureSet of one parquet file; ``spec`` is laid over the usual one, None takes a field away."""
    usual: Body = {
        "sources": [{"name": "census", "uri": "store://raw/employment/census.parquet"}],
        "entity": ["person_id"],
        "columns": [{"name": "person_id", "personal": True}],
    }
    return body(FEATURESET, name, spec=laid_over(usual, spec), **parts)


def component(name: str = "preparation", *, spec: Body | None = None, **parts: Any) -> Body:
    """A Component of one step of scikit-learn, proven by an example."""
    usual: Body = {
        "version": "1",
        "sklearn": [{"estimator": "sklearn.impute.SimpleImputer", "parameters": {"strategy": "median"}}],
        "examples": [{"input": {"AGEP": [30, None, 40]}, "output": {"AGEP": [30, 35, 40]}}],
    }
    return body(COMPONENT, name, spec=laid_over(usual, spec), **parts)


def component_status(*versions: str, flavour: str = "sklearn", **more: Any) -> Body:
    """The status of a Component whose versions stand, newest last."""
    standing = [
        {"version": version, "digest": f"sha256:{number:064x}", "flavour": flavour, "createdAt": "2026-11-22T11:30:00Z"}
        for number, version in enumerate(versions, 1)
    ]
    return {"observedGeneration": 1, "flavour": flavour, "versions": standing[::-1], **more}


def featureset_status(*numbers: int, **more: Any) -> Body:
    """The status of a FeatureSet with these versions, newest last."""
    versions = [
        {"version": number, "digest": f"sha256:{number:064x}", "rows": 1000, "createdAt": "2026-11-22T11:30:00Z"}
        for number in sorted(numbers, reverse=True)
    ]
    columns = [
        {"name": "person_id", "type": "int64", "personal": True},
        {"name": "AGEP", "type": "float32"},
        {"name": "SCHL", "type": "int64"},
        {"name": "employed", "type": "int64"},
    ]
    return {"observedGeneration": 1, "latest": versions[0], "versions": versions, "columns": columns, **more}


def modeltraining(name: str = "employment", *, spec: Body | None = None, **parts: Any) -> Body:
    """A ModelTraining on the usual FeatureSet."""
    usual: Body = {
        "task": "Classification",
        "positive": 1,
        "data": {"featureSet": {"name": "employment"}, "target": "employed"},
        "pipeline": [{"estimator": "sklearn.ensemble.HistGradientBoostingClassifier", "parameters": {"max_iter": 50}}],
    }
    return body(MODELTRAINING, name, spec=laid_over(usual, spec), **parts)


def signature(**more: Any) -> Body:
    """The signature of a binary classifier of two numeric columns."""
    usual: Body = {
        "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 2], "columns": ["AGEP", "SCHL"]}],
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
        ],
        "task": "Classification",
        "classes": [0, 1],
        "threshold": 0.5,
        "positive": 1,
        "graph": {"label": "output_label", "probabilities": "output_probability"},
    }
    return {**usual, **more}


def training_result(number: int | None = 3, *, model: str = "employment", **more: Any) -> Body:
    """What a training Job answers."""
    registered = {
        "number": number,
        "artifact": {"digest": DIGEST, "size": 1724233, "format": "onnx", "uri": f"blobs/sha256/{DIGEST[7:]}"},
        "signature": signature(),
        "reports": {"golden": "sha256:" + "b" * 64},
    }
    usual: Body = {
        "model": model,
        "lineage": {
            "training": {"name": model, "uid": f"uid-{model}", "run": "0" * 20, "trigger": "spec/" + "0" * 20},
            "data": [{"featureSet": "employment", "version": 1, "digest": f"sha256:{1:064x}"}],
            "image": "merkhet/trainer:1",
            "packages": {"scikit-learn": "1.9.1"},
        },
        "parameters": {"max_iter": 50},
        "metrics": [{"name": "roc_auc", "value": 0.905, "low": 0.899, "high": 0.911}],
        "gates": [{"name": "roc_auc", "result": "Passed", "value": 0.905, "limit": 0.85}],
        "rows": {"train": 750, "test": 250},
        "usage": {"cpuSeconds": 31.2, "wallSeconds": 40.0, "peakMemory": 432013312},
    }
    return {**usual, **(registered if number else {}), **more}


def record(number: int = 3, *, model: str = "employment", **more: Any) -> Body:
    """The record of a ModelVersion."""
    result = training_result(number, model=model)
    usage = {"cpuSeconds": 31.2, "peakMemory": 432013312, "wallSeconds": 40.0, "cost": 0.0004}
    taken = ("artifact", "signature", "lineage", "parameters", "metrics", "gates", "reports")
    return {"model": model, "version": number, **{part: result[part] for part in taken}, "usage": usage, **more}


def modelversion(
    number: int = 3,
    *,
    model: str = "employment",
    decision: str = "Approved",
    by: str = "gwen@example.com",
    record: Body | None = None,
    **parts: Any,
) -> Body:
    """A ModelVersion ``<model>-v<number>``."""
    metadata = {"labels": {"merkhet.dev/model": model}, **parts.pop("metadata", {})}
    approval = {"decision": decision, "reason": "", "by": by if decision != "Pending" else ""}
    spec = {"record": laid_over(_record(number, model=model), record), "approval": approval}
    return body(MODELVERSION, f"{model}-v{number}", spec=spec, metadata=metadata, **parts)


def modeldeployment(name: str = "employment", *, spec: Body | None = None, **parts: Any) -> Body:
    """A ModelDeployment of the newest approved version."""
    usual: Body = {"model": {"name": "employment", "version": "LatestApproved"}}
    return body(MODELDEPLOYMENT, name, spec=laid_over(usual, spec), **parts)


def channel(owner: Body, short: str, report: Body | RunReport | None = None) -> tuple[Body, Body]:
    """What reports come back through: the ConfigMap, as a reporter patched it, and the pods' account."""
    name = owner["metadata"]["name"]
    text = RunReport.model_validate(report).dump() if report is not None else None
    content = {"data": {REPORT_KEY: text}} if text else {}
    return (
        owned(CONFIGMAP, f"{name}-{short}-report", owner, **content),
        owned(SERVICEACCOUNT, f"{name}-{short}", owner),
    )


def report_of(key: str, phase: str = "Succeeded", **more: Any) -> Body:
    """What a pod reports of a run."""
    times = {"started": "2026-11-22T11:40:00Z", "finished": "" if phase == "Running" else "2026-11-22T11:41:00Z"}
    usage = {"cpuSeconds": 31.2, "wallSeconds": 40.0, "peakMemory": 432013312}
    return {"key": key, "phase": phase, "usage": usage, **times, **more}


def job(owner: Body, name: str, *, key: str, status: Body | None = None, **parts: Any) -> Body:
    """The Job of a run; ``annotations`` say trigger, spec and means."""
    metadata = {"labels": {"merkhet.dev/run": key}, "annotations": parts.pop("annotations", {})}
    return owned(JOB, name, owner, metadata=metadata, status=status or {}, **parts)


def condition(type_: str, reason: str = "", message: str = "", since: str = "2026-11-22T11:41:00Z") -> Body:
    """A condition that holds, as Kubernetes writes it on Jobs and pods."""
    return {"type": type_, "status": "True", "reason": reason, "message": message, "lastTransitionTime": since}


def pod(name: str, *, labels: Mapping[str, str], status: Body | None = None, **parts: Any) -> Body:
    """A pod; ``status`` as the kubelet writes it."""
    return body(POD, name, metadata={"labels": dict(labels)}, status=status or {}, **parts)


def run_pod(job: Body, *, name: str = "", status: Body | None = None, **parts: Any) -> Body:
    """A pod of a Job, with the state of its work as the kubelet writes it."""
    owner = job["metadata"]["ownerReferences"][0]
    labels = {
        "app.kubernetes.io/managed-by": "merkhet",
        "merkhet.dev/kind": owner["kind"].lower(),
        "merkhet.dev/name": owner["name"],
        "merkhet.dev/run": job["metadata"]["labels"]["merkhet.dev/run"],
        "batch.kubernetes.io/job-name": job["metadata"]["name"],
    }
    spec = {"containers": [{"name": "work", "resources": {"limits": {"cpu": "2", "memory": "3Gi"}}}]}
    metadata = {"labels": labels, **parts.pop("metadata", {})}
    usual = {"spec": spec, "status": status or {}}
    return owned(POD, name or f"{job['metadata']['name']}-x", job, metadata=metadata, **{**usual, **parts})


def work(state: Body, **more: Any) -> Body:
    """The status of a pod whose work is in this state."""
    return {"containerStatuses": [{"name": "work", "image": "merkhet/trainer:1", "state": state}], **more}


def laid_over(usual: Body, more: Body | None) -> Body:
    """The usual object with other fields; what is None is taken away."""
    return {word: copy.deepcopy(value) for word, value in {**usual, **(more or {})}.items() if value is not None}


def resource(kind: Kind, whole: Body) -> Resource[Any, Any]:
    """An object of one of our kinds as the engine parses it."""
    status: StatusPart = kind.status.read(whole.get("status"))
    return Resource(Meta.of(whole), kind.spec.model_validate(whole.get("spec", {})), status)


def live(*bodies: Body, **more: Any) -> Live:
    """Children as the API server answered them."""
    return Live({(child["kind"], child["metadata"]["name"]): child for child in bodies}, **more)


@dataclass
class FakeWorld:
    """What a kind may read, from a list of objects; ``asked`` remembers what it read."""

    bodies: tuple[Body, ...] = ()
    setup: Setup = field(default_factory=setup)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def get(self, api: Api, namespace: str, name: str) -> Body | None:
        self.asked.append((api.kind, name))
        found = (body for body in self._of(api) if body["metadata"]["name"] == name)
        return next((body for body in found if body["metadata"].get("namespace", "") in ("", namespace)), None)

    def select(self, api: Api, namespace: str, labels: Mapping[str, str]) -> list[Body]:
        self.asked.append((api.kind, str(dict(labels))))
        found = (body for body in self._of(api) if body["metadata"].get("namespace") == namespace)
        return _by_name(body for body in found if labels.items() <= (body["metadata"].get("labels") or {}).items())

    def owned(self, api: Api, uid: str) -> list[Body]:
        self.asked.append((api.kind, uid))
        references = ((body, body["metadata"].get("ownerReferences") or []) for body in self._of(api))
        return _by_name(body for body, owners in references if any(owner["uid"] == uid for owner in owners))

    async def read(self, api: Api, namespace: str | None, name: str) -> Body | None:
        return self.get(api, namespace or "", name)

    def _of(self, api: Api) -> list[Body]:
        return [body for body in self.bodies if body["kind"] == api.kind]


def world(*bodies: Body, **settings: Any) -> FakeWorld:
    """A world of these objects; keywords are the installation's settings."""
    return FakeWorld(bodies, setup=setup(**settings))


def _by_name(bodies: Any) -> list[Body]:
    return sorted(bodies, key=lambda body: str(body["metadata"]["name"]))


_record = record
