"""A ModelDeployment in a small world that does what the engine and Kubernetes' controllers do, one step at a time."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from merkhet.api.conditions import Fact
from merkhet.api.meta import Api, Body
from merkhet.kinds import apis
from merkhet.kinds.kind import Kind, Plan, Problem, Report, Resource
from merkhet.kinds.modeldeployment import KIND
from merkhet.manifests.labels import REVISION
from tests import make


class Scene:
    """Objects, a clock, and the passes over one ModelDeployment."""

    def __init__(self, *bodies: Body, spec: Body | None = None, guarded: bool = True, **settings: Any) -> None:
        self.now = make.NOW
        self.owner = make.modeldeployment(spec=spec)
        self.bodies: dict[tuple[str, str], Body] = {}
        self.settings = settings
        self.plan = Plan()
        self.said: Report | None = None
        for body in (*bodies, *(policy() if guarded else ())):
            self.put(body)

    def put(self, body: Body) -> None:
        """Make or replace an object."""
        self.bodies[body["kind"], body["metadata"]["name"]] = copy.deepcopy(body)

    def remove(self, api: Api, name: str) -> None:
        """Delete an object."""
        del self.bodies[api.kind, name]

    def step(self, *problems: Problem, seconds: float = 1) -> Report:
        """One pass: observe, plan, write, report, write the status."""
        self.now += timedelta(seconds=seconds)
        resource = make.resource(KIND, self.owner)
        world = make.world(*self.bodies.values(), **self.settings)
        seen = observed(KIND, resource, world)
        self.plan = KIND.plan(resource, seen, self.now)
        refused = {(problem.api.kind, problem.name) for problem in problems}
        written = [self._write(child.api, child.body, child.rule) for child in self.plan.children]
        for kind, name in refused:
            self.bodies.pop((kind, name), None)
        self._prune(written)
        children = [self.bodies[key] for key in written if key in self.bodies]
        report = KIND.report(resource, seen, make.live(*children, problems=problems), self.now)
        self.owner = {**self.owner, "status": report.status.body()}
        self.said = report
        return report

    def edit(self, spec: Body | None = None, **annotations: str) -> None:
        """Somebody edits the ModelDeployment."""
        meta = self.owner["metadata"]
        marks = {**meta.get("annotations", {}), **{f"merkhet.dev/{word}": value for word, value in annotations.items()}}
        changed = {**meta, "generation": meta["generation"] + bool(spec), "annotations": marks}
        self.owner = {**self.owner, "metadata": changed, "spec": make.laid_over(self.owner["spec"], spec)}

    def become_ready(self, name: str, count: int | None = None) -> None:
        """The Deployment's controller brings up its pods, all of them or ``count``."""
        body = self.bodies[apis.DEPLOYMENT.kind, name]
        ready = body["spec"]["replicas"] if count is None else count
        body["status"] = {"observedGeneration": body["metadata"]["generation"], "readyReplicas": ready}

    def settle(self) -> Report:
        """Passes and controllers take turns until nothing is left to do."""
        for _ in range(6):
            self.step(seconds=20)
            for body in self.deployments():
                self.become_ready(body["metadata"]["name"])
        return self.step()

    def deployments(self) -> Iterator[Body]:
        """The revisions, by name."""
        return (body for (kind, _), body in sorted(self.bodies.items()) if kind == apis.DEPLOYMENT.kind)

    def sizes(self) -> dict[int, int]:
        """Pods asked for, by the number of the version they serve."""
        return {version_of(body): body["spec"]["replicas"] for body in self.deployments()}

    def revision(self, version: int) -> Body:
        """The newest Deployment of a version."""
        found = [body for body in self.deployments() if version_of(body) == version]
        return max(found, key=lambda body: str(body["metadata"]["creationTimestamp"]))

    def name_of(self, version: int) -> str:
        """The name of the newest Deployment of a version."""
        return str(self.revision(version)["metadata"]["name"])

    def leads_to_body(self) -> Body:
        """The Deployment whose pods the Service chooses."""
        chosen = self.bodies[apis.SERVICE.kind, "employment"]["spec"]["selector"][REVISION]
        return next(body for body in self.deployments() if chosen == marks_of(body)[REVISION])

    def leads_to(self) -> int:
        """The version whose pods the Service chooses."""
        return version_of(self.leads_to_body())

    def named(self, name: str) -> Body:
        """A Deployment by its name."""
        return self.bodies[apis.DEPLOYMENT.kind, name]

    def pod(self, version: int, **status: Any) -> None:
        """A pod of a version, as the kubelet describes it."""
        body = self.revision(version)
        self.put(make.pod(f"{body['metadata']['name']}-x", labels=marks_of(body), status=status))

    def facts(self) -> dict[str, Fact]:
        """What the last report says, by type."""
        assert self.said is not None
        return {fact.type: fact for fact in self.said.facts}

    def _write(self, api: Api, body: Body, rule: str) -> tuple[str, str]:
        key = (api.kind, body["metadata"]["name"])
        there = self.bodies.get(key)
        if there is None:
            owner = {**self.owner, "metadata": {**self.owner["metadata"]}}
            created = {"creationTimestamp": self.now.strftime("%Y-%m-%dT%H:%M:%SZ")}
            parts = {word: copy.deepcopy(value) for word, value in body.items() if word not in ("metadata", "kind")}
            self.put(make.owned(api, key[1], owner, **{**parts, "metadata": created}) | {"kind": api.kind})
        elif rule == "apply" or (rule == "scale" and there["spec"]["replicas"] != body["spec"]["replicas"]):
            part = {"replicas": body["spec"]["replicas"]} if rule == "scale" else body["spec"]
            there["spec"] = {**there["spec"], **copy.deepcopy(part)}
            there["metadata"]["generation"] += 1
        return key

    def _prune(self, keep: list[tuple[str, str]]) -> None:
        ours = {api.kind for api in (apis.DEPLOYMENT, apis.SERVICE, apis.DISRUPTION)}
        for key in [key for key in self.bodies if key[0] in ours and key not in keep]:
            del self.bodies[key]


def observed(kind: Kind, resource: Resource[Any, Any], world: make.FakeWorld) -> Any:
    """What a kind sees of a world."""

    async def look() -> Any:
        return await kind.observe(resource, world)

    return asyncio.run(look())


def policy() -> tuple[Body, Body]:
    """The approval policy and its binding, as the chart installs them."""
    name = "merkhet-approval"
    return (
        make.body(apis.POLICY, name, spec={"failurePolicy": "Fail"}),
        make.body(apis.POLICY_BINDING, name, spec={"policyName": name, "validationActions": ["Deny"]}),
    )


def marks_of(deployment: Body) -> dict[str, str]:
    """The labels of a revision's pods."""
    marks: dict[str, str] = deployment["spec"]["template"]["metadata"]["labels"]
    return marks


def version_of(deployment: Body) -> int:
    """The number of the version that a revision serves."""
    return int(marks_of(deployment)["merkhet.dev/version"])


def at(moment: datetime) -> str:
    """A time as Kubernetes writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
