"""The Job that makes one version of a FeatureSet."""

from __future__ import annotations

from merkhet.api.meta import Body
from merkhet.api.quantities import duration
from merkhet.contract import features as contract
from merkhet.contract.runs import Run
from merkhet.kinds.apis import FEATURESET
from merkhet.kinds.featureset.observe import SHORT, FeatureSet
from merkhet.kinds.featureset.types import Quality, QualityRule
from merkhet.kinds.run import State
from merkhet.kinds.runs import digest_of_means, run_of
from merkhet.manifests import runs as manifests

ROLE = "features"


def job(features: FeatureSet, state: State, means: manifests.Means) -> Body:
    """The Job of a run."""
    run = run_of(FEATURESET.kind, features.meta, state, means.image)
    return manifests.job(
        name=state.job or "",
        short=SHORT,
        role=ROLE,
        run=run,
        spec=state.spec,
        attempt=state.attempt,
        task=task(features, run).dump(),
        means=means,
        digest=digest_of_means(means),
    )


def task(features: FeatureSet, run: Run) -> contract.FeaturesTask:
    """What the pod is asked."""
    spec = features.spec
    return contract.FeaturesTask(
        run=run,
        feature_set=features.meta.name,
        sources=tuple(contract.Source(name=one.name, uri=one.uri, format=one.format) for one in spec.sources),
        query=spec.query,
        entity=spec.entity,
        timestamp=spec.timestamp,
        columns=tuple(
            contract.ColumnContract(
                name=column.name, type=column.type, personal=column.personal, description=column.description
            )
            for column in spec.columns
        ),
        quality=None if spec.quality is None else _quality(spec.quality),
    )


def _quality(quality: Quality) -> contract.Quality:
    return contract.Quality(rules=tuple(map(_rule, quality.rules)), on_failure=quality.on_failure)


def _rule(rule: QualityRule) -> contract.QualityRule:
    return contract.QualityRule(
        column=rule.column,
        not_null=rule.not_null,
        min=rule.min,
        max=rule.max,
        unique=rule.unique,
        allowed=rule.allowed,
        expression=rule.expression,
        max_failing_fraction=rule.max_failing_fraction,
        min_rows=rule.min_rows,
        max_age_seconds=duration(rule.max_age).total_seconds() if rule.max_age is not None else None,
    )
