"""The Job that trains a model, and the ModelVersion that comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from merkhet.api.meta import Body
from merkhet.contract import training as contract
from merkhet.contract.features import ComponentUse
from merkhet.kinds import gates, policy
from merkhet.kinds.apis import MODELTRAINING, MODELVERSION
from merkhet.kinds.featureset.inputs import Versions
from merkhet.kinds.kind import Setup
from merkhet.kinds.modeltraining.observe import SHORT, Training
from merkhet.kinds.modeltraining.types import ModelTrainingSpec, Step
from merkhet.kinds.modelversion.registered import champion_of
from merkhet.kinds.modelversion.types import Gate, Record
from merkhet.kinds.policy import NOTHING_ASKED, Policy
from merkhet.kinds.run import State
from merkhet.kinds.runs import digest_of_means, run_of
from merkhet.manifests import labels, names
from merkhet.manifests import runs as manifests

ROLE = "train"
USUAL_TRIALS = 20
REASON_LENGTH = 2048


@dataclass(frozen=True, slots=True)
class Data:
    """What a run learns from and by: the version whose rows these are, the joined ones, and the components."""

    version: contract.DataVersion
    joined: Versions = ()
    components: tuple[ComponentUse, ...] = ()  # of the pipeline, in order
    policy: Policy = NOTHING_ASKED
    champion: Record | None = None


def job(state: State, task: contract.TrainingTask, means: manifests.Means, seconds: int) -> Body:
    """The Job of a run, which has so many seconds of the means' deadline."""
    return manifests.job(
        name=state.job or "",
        short=SHORT,
        role=ROLE,
        run=task.run,
        spec=state.spec,
        attempt=state.attempt,
        task=task.dump(),
        means=replace(means, deadline_seconds=seconds),
        digest=digest_of_means(means),
    )


def task(training: Training, state: State, data: Data, image: str, model: str) -> contract.TrainingTask:
    """What the pod is asked, on these versions of the data."""
    run = run_of(MODELTRAINING.kind, training.meta, state, image)
    spec = training.spec
    split = spec.data.split
    return contract.TrainingTask(
        run=run,
        training=training.meta.name,
        model=model,
        task=spec.task,
        positive=spec.positive,
        data=data.version,
        joins=tuple(
            contract.Join(
                data=contract.DataVersion(feature_set=used.name, version=used.version, digest=used.digest),
                by=join.by,
                max_age_seconds=join.max_age_seconds(),
            )
            for join, used in zip(spec.data.join, data.joined, strict=True)
        ),
        target=spec.data.target,
        exclude=spec.data.exclude,
        split=contract.Split(
            method=split.method, test_fraction=split.test_fraction, seed=split.seed, column=split.column
        ),
        sensitive=spec.data.sensitive,
        sample_weight=spec.data.sample_weight,
        pipeline=tuple(_steps(spec.pipeline, data.components)),
        search=_search(spec),
        threshold=contract.Threshold() if spec.threshold is None else contract.Threshold(**spec.threshold.model_dump()),
        gates=policy.merged(gates.asked(spec.gates), data.policy, spec.task),
        champion=champion_of(data.champion),
        importance=contract.Importance(**spec.importance.model_dump()),
        tests=gates.cases(spec.tests),
        author=spec.author,
        card=spec.card.said(),
        register_model=spec.register_model,
    )


def _search(spec: ModelTrainingSpec) -> contract.Search | None:
    """What is tried; how many pods do it decides nothing."""
    asked = spec.search
    if asked is None:
        return None
    usual = "roc_auc" if spec.task == "Classification" else "r2"
    return contract.Search(
        method=asked.method,
        trials=asked.combinations if asked.method == "Grid" else asked.trials or USUAL_TRIALS,
        folds=asked.folds,
        metric=asked.metric or usual,
        seed=asked.seed,
        space={name: contract.Dimension(**one.model_dump()) for name, one in asked.space.items()},
    )


def _steps(pipeline: Sequence[Step], components: Sequence[ComponentUse]) -> Iterator[contract.Step]:
    """The steps in order; those that are components by what is known of them."""
    named = iter(components)
    for step in pipeline:
        if step.estimator is None:
            yield contract.Step(component=next(named))
        else:
            yield contract.Step(estimator=step.estimator, parameters=step.parameters, columns=step.chosen())


def version(record: Record, setup: Setup, *, automatic: bool) -> Body:
    """The ModelVersion with this record."""
    return {
        "apiVersion": MODELVERSION.api_version,
        "kind": MODELVERSION.kind,
        "metadata": {
            "name": names.version(record.model, record.version),
            "labels": {labels.MODEL: record.model},
        },
        "spec": {"record": record.body(), "approval": approval(record.gates, setup, automatic=automatic)},
    }


def approval(judged: Sequence[Gate], setup: Setup, *, automatic: bool) -> Body:
    """What can be decided without a person: a failed gate rejects, and where asked, passed gates approve."""
    failed = [gate.message or gate.name for gate in judged if gate.result == "Failed"]
    undecided = [gate.name for gate in judged if gate.result == "Inconclusive"]
    if failed:
        return _decided("Rejected", f"failed gates: {'; '.join(failed)}", setup)
    if automatic and not undecided:
        return _decided("Approved", f"approval is Automatic, and {all_passed(len(judged))}", setup)
    reason = f"inconclusive gates: {', '.join(undecided)}" if undecided else ""
    return {"decision": "Pending", "reason": reason[:REASON_LENGTH], "by": ""}


def all_passed(count: int) -> str:
    """That so many gates passed, in words."""
    return {0: "there are no gates", 1: "the one gate passed"}.get(count, f"all {count} gates passed")


def _decided(decision: str, reason: str, setup: Setup) -> Body:
    return {"decision": decision, "reason": reason[:REASON_LENGTH], "by": setup.account}
