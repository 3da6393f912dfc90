"""All that is found out about a model on its test rows, as one document."""

from __future__ import annotations

from merkhet.contract.evaluation import ChampionComparison, Evaluation, Intervals, Latency, Parity, TriedCase
from merkhet.contract.training import Gates
from merkhet.workloads.trainer import by_group, curves, evaluate, gates
from merkhet.workloads.trainer.answered import Answered


def evaluated(
    tested: Answered,
    asked: Gates,
    *,
    target: str,
    train_rows: int,
    parity: Parity | None = None,
    latency: Latency | None = None,
    champion: ChampionComparison | None = None,
    tests: tuple[TriedCase, ...] = (),
) -> Evaluation:
    """Figures with intervals, of all rows and of each group, curves, and what the gates make of them."""
    signature = tested.signature
    figures = evaluate.of(signature, tested.truth, tested.scores)
    drawn = evaluate.drawn(figures, tested.rows, tested.clusters, tested.weights)
    groups, bounds = by_group.figures(tested, asked.min_group_size, gates.confidences(asked.groups))
    found = Evaluation(
        task=signature.task,
        target=target,
        rows={"train": train_rows, "test": tested.rows},
        classes=signature.classes,
        class_rows=tuple(int((tested.truth == label).sum()) for label in signature.classes),
        metrics=drawn.metrics(),
        intervals=_intervals(tested),
        bounds=(*by_group.bounds(drawn, gates.confidences(asked.metrics)), *bounds),
        confusion=curves.confusion(tested),
        groups=groups,
        fairness=by_group.disparities(tested, asked.min_group_size),
        roc=curves.roc(tested),
        precision_recall=curves.precision_recall(tested),
        calibration=curves.calibration(tested),
        residuals=curves.residuals(tested),
        parity=parity,
        latency=latency,
        champion=champion,
        tests=tests,
    )
    return found.model_copy(update={"gates": gates.judged(found, asked)})


def _intervals(tested: Answered) -> Intervals:
    return Intervals(
        resamples=evaluate.RESAMPLES,
        confidence=evaluate.CONFIDENCE,
        clusters=None if tested.clusters is None else int(tested.clusters.max()) + 1,
    )
