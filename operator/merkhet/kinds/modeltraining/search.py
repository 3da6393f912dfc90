"""The search before a run: its Job, what that says of the run, and what is told of it.

A run with a search has two Jobs in turn. While the first is wanted or at work, it stands for the run's own; that is
made when the search has ended in any way that left something to choose from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from merkhet.api.meta import Body
from merkhet.api.quantities import print_duration
from merkhet.contract.runs import digest_of
from merkhet.contract.training import SearchResult, TrainingTask
from merkhet.kinds import jobs
from merkhet.kinds.apis import JOB
from merkhet.kinds.common import parsed_time
from merkhet.kinds.history import with_state
from merkhet.kinds.kind import Child
from merkhet.kinds.modeltraining.learnt import asked, with_data
from merkhet.kinds.modeltraining.observe import Seen, Training
from merkhet.kinds.modeltraining.types import SearchStatus
from merkhet.kinds.run import RunEntry, State, Wish
from merkhet.kinds.runs import digest_of_means
from merkhet.manifests import names
from merkhet.manifests import runs as manifests
from merkhet.manifests import search as manifest

ROLE = "try"
SEARCHING = "Searching"
# Of the deadline a run keeps at least this for itself: a fit on all rows is worth some trials of several folds each.
KEPT = 1 / 4
MESSAGE_LENGTH = 1024
WHY_NOT = "the version's evaluation says why of each other"


def known(former: Sequence[RunEntry], seen: Seen, now: datetime) -> tuple[RunEntry, ...]:
    """The history with what searches say beyond it, and what they learn from."""
    history = tuple(former)
    for key in sorted({jobs.key_of(job) for job in seen.searches}):
        job = _newest(seen, key)
        entry = next((one for one in history if one.key == key), None)
        if job is not None and not (entry is not None and _is_over(entry, job)):
            history = with_state(history, _state(job, seen, now))
    return with_data(history, seen.searches)


def begun(seen: Seen, wish: Wish) -> str | None:
    """The trigger of a run that has begun with its search; whoever asks for another waits for it."""
    at_work = (job for job in seen.searches if _is_wanted(job, wish) and jobs.begun(job, _pods(job, seen)))
    newest = max(at_work, key=_age, default=None)
    return None if newest is None else jobs.trigger_of(newest)


def before(state: State, training: Training, seen: Seen, history: Sequence[RunEntry], now: datetime) -> State:
    """The state of the run, or that of its search while the run's own Job has to wait for it."""
    told_already = state.attempt > 1 or any(one.key == state.key and one.phase == "Succeeded" for one in history)
    if training.spec.search is None or state.phase != "Waiting" or told_already:
        return state
    job = _named(seen, name_of(training, state))
    if job is None:
        return replace(state, job=name_of(training, state))
    return state if jobs.ended(job) else _state(job, seen, now)


def is_of(training: Training, state: State) -> bool:
    """Whether the Job that should exist is the search."""
    return state.job is not None and state.job == name_of(training, state)


def name_of(training: Training, state: State) -> str:
    """The search's name. Other than a run's own Job it is not let end after an edit, so it is named by the spec too."""
    return names.search(training.meta.name, state.key, digest_of([state.means, state.spec]))


def task_of(training: Training, state: State, seen: Seen) -> TrainingTask | None:
    """What the pods of its search are asked, if there is one: the run's own is asked the same, whatever has changed."""
    job = _named(seen, name_of(training, state))
    return None if job is None else asked(job)


def job(training: Training, state: State, task: TrainingTask, means: manifests.Means) -> Body:
    """The Job that tries parameters."""
    return manifest.job(
        name=state.job or "",
        role=ROLE,
        run=task.run,
        spec=state.spec,
        task=task.dump(),
        trials=1 if task.search is None else task.search.trials,
        parallelism=1 if training.spec.search is None else training.spec.search.parallelism,
        means=replace(means, deadline_seconds=max(1, int(means.deadline_seconds * (1 - KEPT)))),
        digest=digest_of_means(means),
    )


def seconds_left(training: Training, state: State, seen: Seen, means: manifests.Means, now: datetime) -> int:
    """What the search has left of the deadline."""
    whole, job = means.deadline_seconds, _named(seen, name_of(training, state))
    if job is None or not jobs.ended(job):
        return whole
    began = parsed_time((job.get("status") or {}).get("startTime"))
    ended = parsed_time(jobs.course(job, (), now).finished)
    used = (ended - began).total_seconds() if began is not None and ended is not None else whole
    return min(whole, max(1, int(whole * KEPT), int(whole - used)))


def kept(seen: Seen, state: State, planned: Iterable[Child]) -> tuple[Child, ...]:
    """The last search, for its logs: as long as its run is the last one."""
    last = max(seen.searches, key=_age, default=None)
    if last is None or not jobs.ended(last):
        return ()
    named = {child.name for child in planned if child.api == JOB}
    is_of_the_last = jobs.key_of(last) == state.key or state.job not in named
    if jobs.name_of(last) in named or not is_of_the_last:
        return ()
    return (Child(JOB, manifests.known(jobs.name_of(last)), rule="create"),)


def status(former: SearchStatus | None, state: State, seen: Seen, now: datetime) -> SearchStatus | None:
    """What is told of the search of the run that counts, until its result tells more."""
    job = _newest(seen, state.key)
    if job is None or state.phase == "Succeeded":
        return former
    wanted = asked(job)
    metric = wanted.search.metric if wanted is not None and wanted.search is not None else ""
    trials, finished = _trials(job), _ended_well(job)
    message = _wanting(trials, finished, job, seen, now) if jobs.ended(job) else ""
    return SearchStatus(run=state.key, metric=metric, trials=trials, finished=finished, message=message)


def status_of(result: SearchResult | None, key: str, seen: Seen, now: datetime) -> SearchStatus | None:
    """What is told of the search whose winner was trained."""
    if result is None:
        return None
    message = _wanting(result.trials, result.finished, _newest(seen, key), seen, now)
    return SearchStatus(run=key, message=message, **result.model_dump())


def remark(status: SearchStatus | None, key: str) -> str:
    """How a message goes on whose model is the best of fewer trials than were asked for."""
    return f"; {status.message}" if status is not None and status.run == key and status.message else ""


def _state(job: Body, seen: Seen, now: datetime) -> State:
    """The state of the run that a search is for, as its Job and pods say."""
    state = State(
        key=jobs.key_of(job),
        trigger=jobs.trigger_of(job),
        spec=jobs.spec_of(job),
        means=jobs.means_of(job),
        phase="Running" if jobs.begun(job, _pods(job, seen)) else "Starting",
        reason=SEARCHING,
        message=_counted(job),
        job=jobs.name_of(job),
        made=True,
    )
    course = jobs.course_of_many(job, _pods(job, seen), now)
    if course.phase == "Failed" and not _is_of_use(job):
        said = _failure(job, course)
        return replace(state, phase="Failed", reason=course.reason, message=said, finished=course.finished)
    if course.stuck or course.look_again is not None:
        held = replace(state, reason=course.reason, message=course.message)
        return replace(held, stuck=course.stuck, look_again=course.look_again)
    return state


def _is_of_use(job: Body) -> bool:
    """Whether the run goes on after its search: with the best trial, or to tell itself why its task is refused."""
    return _ended_well(job) > 0 or jobs.refused(job)


def _failure(job: Body, course: jobs.Course) -> str:
    trials = _trials(job)
    if course.reason == "DeadlineExceeded":
        allowed = print_duration(timedelta(seconds=(job.get("spec") or {}).get("activeDeadlineSeconds") or 0))
        return (
            f"none of {trials} trials ended within the search's {allowed}, which is a part of the deadline; "
            "raise spec.deadline, or give a trial less to do: fewer folds, fewer rows"
        )
    return f"none of {trials} trials ended well, the last one so: {course.message}"


def _counted(job: Body) -> str:
    failed = _failed(job)
    remark = f", {failed} of them failed" if failed else ""
    return f"searching: {_ended_well(job) + failed} of {_trials(job)} trials have ended{remark}"


def _wanting(trials: int, finished: int, job: Body | None, seen: Seen, now: datetime) -> str:
    """Why fewer trials have a figure than were asked for; empty where all have one."""
    if finished >= trials:
        return ""
    course = None if job is None else jobs.course(job, _pods(job, seen), now)
    if course is not None and course.reason == "DeadlineExceeded":
        return f"{finished} of {trials} trials ended before the deadline"
    why = f"the last failure: {course.message}" if course is not None and course.phase == "Failed" else WHY_NOT
    return f"{finished} of {trials} trials have a figure; {why}"[:MESSAGE_LENGTH]


def _is_wanted(job: Body, wish: Wish) -> bool:
    return (jobs.spec_of(job), jobs.means_of(job)) == (wish.spec, wish.means)


def _is_over(entry: RunEntry, job: Body) -> bool:
    """Whether the run of a search has ended: a failure is one of its means only."""
    failed = entry.phase == "Failed" and entry.means == jobs.means_of(job)
    return failed or entry.phase in ("Succeeded", "Refused")


def _newest(seen: Seen, key: str) -> Body | None:
    return max((job for job in seen.searches if jobs.key_of(job) == key), key=_age, default=None)


def _named(seen: Seen, name: str) -> Body | None:
    return next((job for job in seen.searches if jobs.name_of(job) == name), None)


def _pods(job: Body, seen: Seen) -> list[Body]:
    return jobs.pods_of(job, seen.runs.pods)


def _age(job: Body) -> tuple[str, str]:
    return (str(job["metadata"].get("creationTimestamp", "")), jobs.name_of(job))


def _trials(job: Body) -> int:
    return int((job.get("spec") or {}).get("completions") or 0)


def _ended_well(job: Body) -> int:
    return int((job.get("status") or {}).get("succeeded") or 0)


def _failed(job: Body) -> int:
    """How many trials were given up, from their numbers as the Job writes them: ``1,3-5``."""
    text = (job.get("status") or {}).get("failedIndexes") or ""
    spans = [span.partition("-") for span in text.split(",") if span]
    return sum(int(last or first) - int(first) + 1 for first, _, last in spans)
