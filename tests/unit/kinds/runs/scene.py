"""An object that runs things, in a small world that does what engine, Job controller and kubelet do, step by step."""

from __future__ import annotations

import asyncio
import copy
import json
from datetime import timedelta
from typing import Any

from merkhet.api.conditions import Fact, timestamp
from merkhet.api.meta import Body, controller_uid
from merkhet.contract.runs import REPORT_KEY, TASK_VARIABLE, RunReport
from merkhet.kinds.kind import Child, Kind, Live, Problem, Report
from merkhet.kinds.registry import KINDS
from tests import make


class Scene:
    """Objects, a clock, and the passes over one object."""

    def __init__(self, owner: Body, *bodies: Body, **settings: Any) -> None:
        self.kind = next(kind for kind in KINDS if kind.api.kind == owner["kind"])
        self.owner = copy.deepcopy(owner)
        self.bodies = {_key(body): copy.deepcopy(body) for body in bodies}
        self.settings = settings
        self.now = make.NOW
        self.problems: tuple[Problem, ...] = ()
        self.said: Report | None = None
        self.look_again: timedelta | None = None
        self.created: list[str] = []  # Jobs, in the order in which they were made
        self.number = 0

    def look(self, passes: int = 3) -> Scene:
        """Some passes of the engine, each with a second between."""
        for _ in range(passes):
            self._pass()
            self.now += timedelta(seconds=1)
        return self

    def edit(self, **spec: Any) -> Scene:
        """A person changes fields of the spec; None takes one away."""
        self.owner["spec"] = make.laid_over(self.owner["spec"], spec)
        self.owner["metadata"]["generation"] += 1
        return self

    def annotate(self, value: str) -> Scene:
        """A person asks for a run."""
        self.owner["metadata"].setdefault("annotations", {})["merkhet.dev/run"] = value
        return self

    def forget_status(self) -> Scene:
        """The status is lost: a restore, or somebody emptied it."""
        self.owner.pop("status", None)
        return self

    def remove(self, kind: str, name: str | None = None) -> Scene:
        """Somebody deletes an object, or all of a kind."""
        for key in [key for key in self.bodies if key[0] == kind and name in (None, key[1])]:
            del self.bodies[key]
        return self

    def begin(self, progress: str = "") -> Scene:
        """The kubelet starts the pod of the Job; the work may have said what it does."""
        self._pod({"running": {}})
        if progress:
            self._tell("Running", progress=progress)
        return self.look()

    def succeed(self, result: Body) -> Scene:
        """The work ends well and says what it made."""
        self._pod({"terminated": {"exitCode": 0}})
        self._tell("Succeeded", result=result)
        return self._end("Complete")

    def refuse(self, reason: str, message: str) -> Scene:
        """The work says that its task can never be done."""
        self._pod({"terminated": {"exitCode": 3}})
        self._tell("Refused", reason=reason, message=message)
        return self._end("Failed", "PodFailurePolicy")

    def fail(self, state: Body | None = None, *, why: str = "BackoffLimitExceeded", **status: Any) -> Scene:
        """The work ends badly and says nothing."""
        if state is not None or status:
            self._pod({"terminated": state} if state else {}, **status)
        return self._end("Failed", why)

    def finish_silently(self) -> Scene:
        """The pod ends well, and its report never arrives."""
        self._pod({"terminated": {"exitCode": 0}})
        return self._end("Complete")

    def pend(self, state: Body, **status: Any) -> Scene:
        """The pod does not begin."""
        self._pod(state, **status)
        return self.look()

    @property
    def job(self) -> Body:
        """The one Job of a run's own."""
        jobs = [job for job in self.jobs if "merkhet.dev/part" not in job["metadata"]["labels"]]
        assert len(jobs) == 1, [job["metadata"]["name"] for job in jobs]
        return jobs[0]

    @property
    def jobs(self) -> list[Body]:
        """All Jobs."""
        return [body for (kind, _), body in self.bodies.items() if kind == "Job"]

    @property
    def task(self) -> Body:
        """What the pod of the Job is asked."""
        env = self.job["spec"]["template"]["spec"]["containers"][0]["env"]
        text = next(variable["value"] for variable in env if variable["name"] == TASK_VARIABLE)
        task: Body = json.loads(text)
        return task

    @property
    def status(self) -> Body:
        """What the object says of itself."""
        return dict(self.owner.get("status") or {})

    @property
    def ready(self) -> Fact:
        """The Ready condition."""
        return self.fact("Ready")

    def fact(self, type_: str) -> Fact:
        """A condition."""
        assert self.said is not None
        return next(fact for fact in self.said.facts if fact.type == type_)

    def _pass(self) -> None:
        world = make.world(*self.bodies.values(), **self.settings)
        resource = make.resource(self.kind, self.owner)
        seen = asyncio.run(_observed(self.kind, resource, world))
        plan = self.kind.plan(resource, seen, self.now)
        refused = {(problem.api.kind, problem.name) for problem in self.problems}
        children = [child for child in plan.children if (child.api.kind, child.name) not in refused]
        live = {(child.api.kind, child.name): self._put(child) for child in children}
        self._prune({(child.api.kind, child.name) for child in plan.children})
        self.said = self.kind.report(resource, seen, Live(live, self.problems), self.now)
        self.look_again = plan.look_again
        conditions = [{"type": fact.type, "status": fact.status, "reason": fact.reason} for fact in self.said.facts]
        self.owner["status"] = {**self.said.status.body(), "conditions": conditions}

    def _put(self, child: Child) -> Body:
        key = (child.api.kind, child.name)
        if key not in self.bodies:
            assert child.api.kind != "Job" or "spec" in child.body, "a finished Job is made again"
            made = copy.deepcopy(child.body)
            self.number += 1
            made["metadata"] |= {"namespace": make.NAMESPACE, "uid": f"uid-{child.name}-{self.number}"}
            made["metadata"]["creationTimestamp"] = timestamp(self.now)
            if child.owned:
                uid = self.owner["metadata"]["uid"]
                kind, name = self.kind.api.kind, self.owner["metadata"]["name"]
                made["metadata"]["ownerReferences"] = [{"kind": kind, "name": name, "uid": uid, "controller": True}]
            self.bodies[key] = made
            if child.api.kind == "Job":
                self.created.append(child.name)
        return self.bodies[key]

    def _prune(self, planned: set[tuple[str, str]]) -> None:
        uid = self.owner["metadata"]["uid"]
        for key, body in list(self.bodies.items()):
            if controller_uid(body) == uid and key not in planned:
                del self.bodies[key]

    def _pod(self, state: Body, **status: Any) -> None:
        pod = make.run_pod(self.job, status=make.work(state, **status))
        self.bodies[_key(pod)] = pod

    def _tell(self, phase: str, **more: Any) -> None:
        key = self.job["metadata"]["labels"]["merkhet.dev/run"]
        report = RunReport.model_validate(make.report_of(key, phase, **more))
        short = self.kind.short
        self.bodies["ConfigMap", f"{self.owner['metadata']['name']}-{short}-report"]["data"] = {
            REPORT_KEY: report.dump()
        }

    def _end(self, type_: str, reason: str = "") -> Scene:
        since = timestamp(self.now)
        condition = make.condition(type_, reason, "Job has reached the specified backoff limit", since)
        self.job["status"] = {"conditions": [condition], "completionTime": since}
        return self.look()


async def _observed(kind: Kind, resource: Any, world: make.FakeWorld) -> Any:
    return await kind.observe(resource, world)


def _key(body: Body) -> tuple[str, str]:
    return (body["kind"], body["metadata"]["name"])
