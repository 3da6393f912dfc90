"""A small kind with a child of every sort, to try the engine on: nothing of it is the product's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from merkhet.api.base import Part, StatusPart
from merkhet.api.conditions import Condition, progressing, ready, stalled
from merkhet.api.meta import Api, Body
from merkhet.errors import InvalidSpec
from merkhet.kinds.apis import CLAIM, CONFIGMAP, DEPLOYMENT, JOB, POLICY, SERVICE
from merkhet.kinds.kind import Child, Kind, Live, Plan, Report, Resource, World

GADGET = Api("bench.test", "v1", "Gadget", "gadgets")


class GadgetSpec(Part):
    """What a gadget is asked to be."""

    text: str = "hello"
    listens: tuple[int, ...] = (80,)
    replicas: int = 1
    run: str = "1"
    keeps: bool = False
    needs: str | None = None
    fails: str | None = None
    extra: dict[str, str] = Field(default_factory=dict)


class GadgetStatus(StatusPart):
    """What became of it."""

    phase: str = ""
    replicas: int | None = None
    observed_generation: int = -1
    conditions: tuple[Condition, ...] = ()


GadgetResource = Resource[GadgetSpec, GadgetStatus]


@dataclass(frozen=True, slots=True)
class Seen:
    """What it looked at."""

    needed: Body | None = None
    policy: Body | None = None


async def observe(resource: GadgetResource, world: World) -> Seen:
    """Read what it needs."""
    spec, namespace = resource.spec, resource.meta.namespace
    if spec.fails == "unexpectedly":
        raise RuntimeError("a fault in the kind itself")
    if spec.fails == "at its spec":
        raise InvalidSpec("Gadget says that it fails; let it not")
    if spec.needs is None:
        return Seen()
    if spec.needs == "policy":
        return Seen(policy=await world.read(POLICY, None, "guard"))
    needed = world.get(GADGET, namespace, spec.needs)
    # Between what is read first and the end of a pass, something else may be waited for.
    return Seen(needed, policy=await world.read(POLICY, None, "guard") if spec.text == "asks" else None)


def plan(resource: GadgetResource, seen: Seen, _now: datetime) -> Plan:
    """One child of every sort."""
    if resource.spec.needs not in {None, "policy"} and seen.needed is None:
        return Plan()
    claim = (Child(CLAIM, _claim(resource), owned=False, rule="create"),) if resource.spec.keeps else ()
    again = timedelta(hours=1) if resource.spec.fails == "to settle" else None
    return Plan(
        (
            Child(CONFIGMAP, _configmap(resource)),
            Child(SERVICE, _service(resource), exact=(("spec", "selector"), ("spec", "ports"))),
            Child(JOB, _job(resource), rule="create"),
            Child(DEPLOYMENT, _deployment(resource), rule="scale"),
            Child(CONFIGMAP, _shared(), rule="create", owned=False, shared=True),
            *claim,
        ),
        look_again=again,
    )


def report(resource: GadgetResource, seen: Seen, live: Live, _now: datetime) -> Report:
    """Say how it is."""
    if live.problems:
        problem = live.problems[0]
        return Report(GadgetStatus(phase="Failed"), stalled(problem.reason, problem.message))
    deployment = live.get(DEPLOYMENT, resource.meta.name)
    if deployment is None:
        wanted = resource.spec.needs or "children"
        return Report(GadgetStatus(phase="Waiting"), progressing("Waiting", f"{wanted} is not there yet"))
    return Report(GadgetStatus(phase="Ready", replicas=deployment["spec"]["replicas"]), ready("Made"))


def kind(**changes: Any) -> Kind:
    """The kind itself."""
    values: dict[str, Any] = {
        "api": GADGET,
        "short": "gd",
        "purpose": "to try the engine",
        "spec": GadgetSpec,
        "status": GadgetStatus,
        "observe": observe,
        "plan": plan,
        "report": report,
        "children": (CONFIGMAP, SERVICE, JOB, DEPLOYMENT, CLAIM),
        "reads": (POLICY,),
    }
    return Kind(**(values | changes))


def gadget(name: str = "one", namespace: str = "shop", **spec: Any) -> Body:
    """A gadget as people apply it."""
    return {
        "apiVersion": GADGET.api_version,
        "kind": GADGET.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def _configmap(resource: GadgetResource) -> Body:
    return {"metadata": {"name": resource.meta.name}, "data": {"text": resource.spec.text, **resource.spec.extra}}


def _service(resource: GadgetResource) -> Body:
    ports = [{"name": f"p{port}", "port": port, "targetPort": 8080} for port in resource.spec.listens]
    spec = {"selector": {"gadget": resource.meta.name}, "ports": ports}
    return {"metadata": {"name": resource.meta.name}, "spec": spec}


def _pod(name: str) -> Body:
    security = {"allowPrivilegeEscalation": False}
    container = {"name": "work", "image": "none", "securityContext": security}
    return {"metadata": {"labels": {"gadget": name}}, "spec": {"containers": [container], "restartPolicy": "Never"}}


def _job(resource: GadgetResource) -> Body:
    name = f"{resource.meta.name}-{resource.spec.run}"
    return {"metadata": {"name": name}, "spec": {"template": _pod(resource.meta.name), "suspend": True}}


def _deployment(resource: GadgetResource) -> Body:
    name = resource.meta.name
    pod = _pod(name)
    pod["spec"]["restartPolicy"] = "Always"
    spec = {"replicas": resource.spec.replicas, "selector": {"matchLabels": {"gadget": name}}, "template": pod}
    return {"metadata": {"name": name}, "spec": spec}


def _shared() -> Body:
    return {"metadata": {"name": "shared-by-all"}, "data": {"size": "1Gi"}}


def _claim(resource: GadgetResource) -> Body:
    requests = {"requests": {"storage": "1Gi"}}
    return {"metadata": {"name": resource.meta.name}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": requests}}
