"""Which run an object wants, how far that has come, and what is remembered of it.

A run is named by its trigger alone. What has become of it is said, in this order, by the report in the object's
ConfigMap, by the status, and by its Job; where none of them knows, the pod asks the store's record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol, TypeGuard, TypeVar

from pydantic import ValidationError

from merkhet.api.conditions import Fact, ready, stalled, waiting_for_a_person
from merkhet.api.meta import Body, Meta, controller_uid
from merkhet.api.quantities import duration
from merkhet.contract.base import Message
from merkhet.contract.runs import REPORT_KEY, Origin, Run, RunReport, annotation_trigger, digest_of
from merkhet.kinds import jobs
from merkhet.kinds.apis import CONFIGMAP, JOB, POD, ROLE, ROLEBINDING, SERVICEACCOUNT
from merkhet.kinds.common import PodTemplate, Resources, beside_store, filled, moving, parsed_time
from merkhet.kinds.history import with_state
from merkhet.kinds.kind import Child, Setup, World
from merkhet.kinds.run import AWAITED, FINAL, UNREADABLE, Block, Evidence, Phase, RunEntry, State, Wish
from merkhet.manifests import labels, names
from merkhet.manifests import runs as manifests

# A Job's end may be seen before the report that came earlier: they arrive on different watches.
REPORT_GRACE = timedelta(seconds=30)
CHANNEL_DELAY = timedelta(seconds=1)  # until the ConfigMap made in this pass is seen
MAX_TRIES = 3  # of a run whose pod ended well and whose report never came
# A refusal holds for its trigger: a corrected spec is another one, a corrected file is not.
AGAIN = " (correct the spec; or put the files right and set the annotation merkhet.dev/run to a new value)"
MAX_REVISION = 512  # characters of a revision that a record keeps
MAX_ANNOTATION = 256  # characters of a trigger that a status keeps

Result = TypeVar("Result", bound=Message)

CHILDREN = (JOB, CONFIGMAP, SERVICEACCOUNT, ROLE, ROLEBINDING)
READS = (JOB, CONFIGMAP, POD)


async def observe(meta: Meta, world: World, kind: str, short: str) -> Evidence:
    """Read the report, the Jobs and their pods. What somebody else made under our names is not believed."""
    report = world.get(CONFIGMAP, meta.namespace, names.report(meta.name, short))
    account = world.get(SERVICEACCOUNT, meta.namespace, names.account(meta.name, short))
    own = [body is not None and controller_uid(body) == meta.uid for body in (report, account)]
    found, unreadable = _report(report if own[0] else None)
    mine = {labels.KIND: kind.lower(), labels.NAME: meta.name}
    return Evidence(
        report=found,
        jobs=tuple(job for job in jobs_of(meta, world) if labels.PART not in (job["metadata"].get("labels") or {})),
        pods=tuple(pod for pod in world.select(POD, meta.namespace, mine) if labels.RUN in pod["metadata"]["labels"]),
        unreadable=unreadable,
        channel=all(own),
    )


def jobs_of(meta: Meta, world: World) -> list[Body]:
    """All Jobs of the object, those that do a part of a run included."""
    return [job for job in world.owned(JOB, meta.uid) if not job["metadata"].get("deletionTimestamp")]


def asked_for(meta: Meta) -> str | None:
    """The run that a person asks for by annotation; a value too long for a status stands for itself by digest."""
    value = meta.annotations.get(labels.RUN)
    return value if value is None or len(value) <= MAX_ANNOTATION else digest_of(value)


def revision_of(meta: Meta) -> str | None:
    """The revision of the source that a person names, as long as a record keeps it."""
    value = meta.annotations.get(labels.REVISION)
    return None if value is None else value[:MAX_REVISION]


def run_of(kind: str, meta: Meta, state: State, image: str) -> Run:
    """What a pod is told of its run, whatever its work is."""
    return Run(
        key=state.key,
        trigger=state.trigger,
        origin=Origin(kind=kind, namespace=meta.namespace, name=meta.name, uid=meta.uid),
        revision=revision_of(meta),
        image=image,
    )


def judge(wish: Wish, evidence: Evidence, former: Sequence[RunEntry], now: datetime, begun: str | None = None) -> State:
    """The run that counts: one that is at work is let end, else the one that is wanted.

    ``begun`` is the trigger of a run that has begun with other things than its own Job.
    """
    history = remembered(former, evidence, wish, now)
    busy = next((job for job in evidence.jobs if _is_at_work(job, evidence)), None)
    if busy is not None:
        return _state_of_job(busy, evidence, now)
    # Before another run starts, what follows from the last one is done: the next report overwrites its result.
    unsettled = (entry.trigger for entry in history if entry.phase == "Succeeded" and not entry.settled)
    trigger = next(unsettled, None)
    if trigger is None and begun is not None and not _is_over(wish, begun, history):
        trigger = begun
    return _state_of(wish, trigger or wanted(wish, history), evidence, history, now)


def wanted(wish: Wish, history: Sequence[RunEntry]) -> str:
    """The trigger that counts: an annotation not seen before, then a spec not run before, then a tick not seen before.

    Where there is none, it is the latest run of the spec. A run by annotation or tick is a run of the spec at that time
    too, so that a new object that is born with the annotation (Git keeps it) runs once. A tick waits for what was
    started before it, even if that has not begun: where pods need longer to start than from tick to tick, none would.
    """
    by_annotation = annotation_trigger(wish.annotation) if wish.annotation else None
    if by_annotation and all(entry.trigger != by_annotation for entry in history):
        return by_annotation
    covering = [entry for entry in history if wish.spec in (entry.trigger, entry.spec)]
    if not covering:
        return wish.spec
    are_over = all(entry.phase in FINAL for entry in covering)
    if wish.tick is not None and are_over and all(entry.trigger != wish.tick for entry in history):
        return wish.tick
    return covering[0].trigger


def remembered(former: Sequence[RunEntry], evidence: Evidence, wish: Wish, now: datetime) -> tuple[RunEntry, ...]:
    """The history with what the cluster knows beyond it: a lost status is found again in report and Jobs."""
    history = tuple(former)
    for key in sorted({jobs.key_of(job) for job in evidence.jobs}):
        job = _newest(evidence, key)
        state = _state_of_job(job, evidence, now) if job is not None else None
        if state is not None and state.phase in FINAL:
            history = with_state(history, state)
    report = evidence.report
    if report is None or report.phase not in FINAL:
        return history
    entry = next((one for one in history if one.key == report.key), None)
    origin = _state_of_entry(entry) if entry is not None else _guessed(report.key, wish)
    return with_state(history, _final(report, origin)) if origin is not None else history


def updated(
    former: Sequence[RunEntry], evidence: Evidence, wish: Wish, state: State, now: datetime
) -> tuple[RunEntry, ...]:
    """The history after this pass; runs that were given up before they ended are forgotten."""
    history = with_state(remembered(former, evidence, wish, now), state)
    return tuple(entry for entry in history if entry.phase in FINAL or entry.key == state.key)


def result_of(kind: type[Result], evidence: Evidence) -> tuple[Result | None, str]:
    """What the last report says came of a run that ended well, and what is wrong with that."""
    report = evidence.report
    if report is None or report.phase != "Succeeded":
        return None, ""
    try:
        return kind.model_validate(report.result), ""
    except ValidationError as error:
        return None, f"the run's result cannot be read ({error.errors()[0]['msg']}); use one version for all images"


def spoilt_state(state: State, fault: str) -> State:
    """The state where its result turned out to be of no use."""
    if not fault or state.phase != "Succeeded":
        return state
    return replace(state, phase="Failed", reason=UNREADABLE, message=fault)


def look_again(state: State, evidence: Evidence) -> timedelta | None:
    """When to judge anew even if nothing changes."""
    return state.look_again if evidence.channel else CHANNEL_DELAY


class Provisioned(Protocol):
    """What the spec of any kind says about the pods of its runs."""

    @property
    def resources(self) -> Resources:
        """Requests and limits."""

    @property
    def deadline(self) -> str:
        """How long a run may take."""

    @property
    def retries(self) -> int:
        """How often a failed pod is followed by another."""

    @property
    def pod_template(self) -> PodTemplate:
        """Where the pods may run."""


def means_of(spec: Provisioned, setup: Setup, usual: Resources) -> manifests.Means:
    """What a run works with; ``usual`` stands for the resources that the spec leaves out."""
    return manifests.Means(
        image=setup.trainer_image,
        pull_policy=setup.pull_policy,
        pull_secrets=setup.pull_secrets,
        resources=filled(spec.resources, usual),
        deadline_seconds=max(1, int(duration(spec.deadline).total_seconds())),
        retries=spec.retries,
        template=spec.pod_template.body(),
        beside_store=beside_store(setup),
    )


def digest_of_means(means: manifests.Means) -> str:
    """What tells one set of means from another."""
    return digest_of(
        [
            means.image,
            means.pull_policy,
            list(means.pull_secrets),
            means.resources,
            means.deadline_seconds,
            means.retries,
            dict(means.template),
            means.beside_store,
        ]
    )


def reporting_children(meta: Meta, short: str) -> tuple[Child, ...]:
    """What a pod's report comes back through."""
    name = meta.name
    binding = manifests.role_binding(meta.namespace, name, short)
    return (
        Child(CONFIGMAP, manifests.report_map(name, short)),
        Child(SERVICEACCOUNT, manifests.account(name, short)),
        Child(ROLE, manifests.role(name, short), exact=(("rules",),)),
        Child(ROLEBINDING, binding, exact=(("subjects",),)),
    )


def job_children(state: State, evidence: Evidence, body: Body | None, *, may_start: bool) -> tuple[Child, ...]:
    """The one Job that should exist: the run's own, or, where none may start, the last one with its logs.

    ``body`` is None where the task cannot be said any more. A finished Job is named only, so that it is never made
    again. None starts before its report can come back: a pod must not patch a ConfigMap that is somebody else's.
    """
    if state.phase == "Waiting" and not (may_start and evidence.channel):
        last = max(filter(jobs.ended, evidence.jobs), key=_age, default=None)
        return () if last is None else (Child(JOB, manifests.known(jobs.name_of(last)), rule="create"),)
    if state.job is None or (not state.made and state.phase != "Waiting"):
        return ()
    if state.made and (state.phase in FINAL or state.reason == AWAITED or body is None):
        body = manifests.known(state.job)
    return (Child(JOB, body, rule="create"),) if body is not None else ()


def facts(
    state: State, block: Block | None, *, subject: str, suspended: bool, good: str | None
) -> tuple[Fact, ...] | None:
    """What is said while the last run has not ended well; None where it has. ``good`` is what works all the same."""
    if block is not None and block.stalls:
        return stalled(block.reason, block.message, still_ready=good)
    if state.phase in ("Refused", "Failed"):
        advice = AGAIN if state.phase == "Refused" else ""
        return stalled(state.reason, f"{subject}: {state.message}{advice}", still_ready=good)
    if state.phase == "Waiting":
        return _facts_of_waiting(state, block, suspended=suspended, good=good)
    if state.stuck:
        return stalled(state.reason, f"{subject}: {state.message}", still_ready=good)
    if state.phase == "Succeeded":
        return None
    return moving(state.reason, state.message, still_ready=good)


def _facts_of_waiting(state: State, block: Block | None, *, suspended: bool, good: str | None) -> tuple[Fact, ...]:
    if suspended:
        message = "suspended: nothing is started until spec.suspend is false"
        return ready("Suspended", f"{good}; {message}") if good else waiting_for_a_person("Suspended", message)
    if block is not None:
        return moving(block.reason, block.message, still_ready=good)
    return moving(state.reason or "Starting", state.message or "a run is being started", still_ready=good)


def _state_of(wish: Wish, trigger: str, evidence: Evidence, history: Sequence[RunEntry], now: datetime) -> State:
    """The state of a run that is not at work."""
    key = wish.key(trigger)
    job = _newest(evidence, key)
    entry = next((one for one in history if one.key == key), None)
    state = _known_of(State(key, trigger, wish.spec, wish.means, "Waiting"), job, entry)
    if evidence.report is not None and evidence.report.key == key and evidence.report.phase in FINAL:
        return _final(evidence.report, state)
    if entry is not None and (entry.phase == "Refused" or (entry.phase == "Succeeded" and entry.settled)):
        return _from(entry, state)
    if job is not None and (jobs.means_of(job) == wish.means or jobs.complete(job)):
        found = _again_if_lost(wish, _state_of_job(job, evidence, now), now)
        return _from(entry, state) if found.reason == jobs.POD_LOST and _is_failed(entry, wish) else found
    if entry is not None and _is_failed(entry, wish):
        return _from(entry, replace(state, job=None, made=False))
    # What is told again is of the spec at its time; what is made again is of the spec as it is now.
    spec = entry.spec if entry is not None and entry.phase == "Succeeded" else wish.spec
    name = names.job(wish.name, key, wish.means)
    return replace(state, spec=spec, means=wish.means, job=name, made=False, attempt=1)


def _known_of(state: State, job: Body | None, entry: RunEntry | None) -> State:
    """The state with what Job or history say of spec and means at its time."""
    if job is not None:
        state = replace(state, job=jobs.name_of(job), made=True, attempt=jobs.attempt_of(job))
        return replace(state, spec=jobs.spec_of(job), means=jobs.means_of(job))
    return replace(state, spec=entry.spec, means=entry.means) if entry is not None else state


def _is_failed(entry: RunEntry | None, wish: Wish) -> TypeGuard[RunEntry]:
    """Whether the run failed with the means that there are now: trying again would fail again."""
    return entry is not None and entry.phase == "Failed" and entry.means == wish.means


def _is_over(wish: Wish, trigger: str, history: Sequence[RunEntry]) -> bool:
    """Whether nothing more comes of a run: it has ended, and not in a failure that other means may cure."""
    entry = next((one for one in history if one.trigger == trigger), None)
    return entry is not None and (entry.phase in ("Succeeded", "Refused") or _is_failed(entry, wish))


def _again_if_lost(wish: Wish, state: State, now: datetime) -> State:
    """A pod that ended well and whose report did not come is run again: it finds the store's record and ends."""
    if state.reason != AWAITED:
        return state
    if _is_within(state.finished, now):
        return replace(state, look_again=REPORT_GRACE)
    attempt = state.attempt + 1
    if attempt > MAX_TRIES:
        message = (
            f"the run's pods ended well {MAX_TRIES} times and no report came into the object's ConfigMap; see the log "
            f"of container {manifests.REPORTER} of Job {state.job}, then run again with the annotation merkhet.dev/run"
        )
        return replace(state, phase="Failed", reason="ReportMissing", message=message)
    message = "the run has ended and its report is lost: its pod is started again to tell it"
    job = names.job(wish.name, state.key, wish.means, attempt)
    return replace(state, phase="Waiting", reason="ReportLost", message=message, job=job, made=False, attempt=attempt)


def _state_of_job(job: Body, evidence: Evidence, now: datetime) -> State:
    """The state of the run that a Job is for, as report, Job and pods say."""
    state = State(
        key=jobs.key_of(job),
        trigger=jobs.trigger_of(job),
        spec=jobs.spec_of(job),
        means=jobs.means_of(job),
        phase="Starting",
        job=jobs.name_of(job),
        made=True,
        attempt=jobs.attempt_of(job),
    )
    report = evidence.report if evidence.report is not None and evidence.report.key == state.key else None
    if report is not None and report.phase in FINAL:
        return _final(report, state)
    course = jobs.course(job, jobs.pods_of(job, evidence.pods), now)
    state = replace(
        state,
        reason=course.reason,
        message=course.message,
        finished=course.finished,
        stuck=course.stuck,
        look_again=course.look_again,
        started=report.started if report else "",
        used=report.usage if report else None,
    )
    if course.phase == "Complete":
        why = f" ({evidence.unreadable})" if evidence.unreadable else ""
        return replace(state, phase="Running", reason=AWAITED, message=f"the report is awaited{why}")
    if course.reason == jobs.UNTOLD and _is_within(course.finished, now):
        return replace(state, phase="Running", reason=AWAITED, look_again=REPORT_GRACE)
    if course.phase == "Running" and report is not None and not course.message:
        return replace(state, phase="Running", message=report.progress or "the work has begun")
    if course.phase == "Failed" and course.reason == "PodFailed" and report is not None and report.message:
        # What the work itself said of its last try is better than the end of its log.
        return replace(state, phase="Failed", reason=report.reason or "PodFailed", message=report.message)
    return replace(state, phase=course.phase, message=course.message or "the work has begun")


def _final(report: RunReport, state: State) -> State:
    phase: Phase = "Succeeded" if report.phase == "Succeeded" else "Refused"
    return replace(
        state,
        phase=phase,
        reason=report.reason or phase,
        message=report.message,
        started=report.started,
        finished=report.finished,
        used=report.usage,
        result=report.result,
    )


def _from(entry: RunEntry, state: State) -> State:
    """A finished run as the status remembers it."""
    return replace(
        state,
        spec=entry.spec,
        means=entry.means,
        phase=entry.phase,
        reason=entry.reason,
        message=entry.message,
        started=entry.started_at or "",
        finished=entry.finished_at or "",
    )


def _state_of_entry(entry: RunEntry) -> State:
    return _from(entry, State(entry.key, entry.trigger, entry.spec, entry.means, entry.phase))


def _guessed(key: str, wish: Wish) -> State | None:
    """Where only the key is known: it is one that the object asks for as it is now, or none of its own."""
    triggers = (wish.spec, annotation_trigger(wish.annotation) if wish.annotation else None, wish.tick)
    known = (State(key, one, wish.spec, wish.means, "Waiting") for one in triggers if one and wish.key(one) == key)
    return next(known, None)


def _is_at_work(job: Body, evidence: Evidence) -> bool:
    """Whether a Job has begun its work and not ended: it is let end, whatever the spec says by now."""
    report = evidence.report
    told = report is not None and report.key == jobs.key_of(job) and report.phase in FINAL
    return not told and not jobs.ended(job) and jobs.begun(job, jobs.pods_of(job, evidence.pods))


def _is_within(finished: str, now: datetime) -> bool:
    """Whether the report may still be on its way."""
    ended = parsed_time(finished)
    return ended is not None and now - ended < REPORT_GRACE


def _newest(evidence: Evidence, key: str) -> Body | None:
    return max((job for job in evidence.jobs if jobs.key_of(job) == key), key=_age, default=None)


def _age(job: Body) -> tuple[str, int, str]:
    return (str(job["metadata"].get("creationTimestamp", "")), jobs.attempt_of(job), jobs.name_of(job))


def _report(body: Body | None) -> tuple[RunReport | None, str]:
    text = ((body or {}).get("data") or {}).get(REPORT_KEY)
    if not text:
        return None, ""
    try:
        return RunReport.load(text), ""
    except ValidationError as error:
        return None, f"what stands in the ConfigMap is no report: {error.errors()[0]['msg']}"
