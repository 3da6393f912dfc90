"""The Job that makes one version of a FeatureSet."""

from __future__ import annotations

from merkhet.api.meta import Body
from merkhet.api.quantities import duration
from merkhet.contract import features as contract
from merkhet.contract.runs import Run
from merkhet.kinds import components
from merkhet.kinds.apis import FEATURESET
from merkhet.kinds.featureset import online, sharing
from merkhet.kinds.featureset.bias import asked
from merkhet.kinds.featureset.inputs import Versions
from merkhet.kinds.featureset.observe import SHORT, FeatureSet, Seen
from merkhet.kinds.featureset.types import FeatureSetSpec, Quality, QualityRule
from merkhet.kinds.run import State
from merkhet.kinds.runs import digest_of_means, run_of
from merkhet.manifests import runs as manifests

ROLE = "features"


def job(features: FeatureSet, seen: Seen, state: State, used: Versions, means: manifests.Means) -> Body:
    """The Job of a run on these versions of other FeatureSets, in the order of ``uses_of``."""
    run = run_of(FEATURESET.kind, features.meta, state, means.image)
    return manifests.job(
        name=state.job or "",
        short=SHORT,
        role=ROLE,
        run=run,
        spec=state.spec,
        attempt=state.attempt,
        task=task(features, run, sharing.addressed(used, seen.setup), components.uses(seen.components)).dump(),
        means=means,
        digest=digest_of_means(means),
        secrets=_secrets(features.spec),
        variables=sharing.variables(used, features.meta.namespace, seen.setup),
    )


def task(
    features: FeatureSet, run: Run, used: Versions = (), named: tuple[contract.ComponentUse, ...] = ()
) -> contract.FeaturesTask:
    """What the pod is asked."""
    spec = features.spec
    imported = iter(used)  # sources first, then joins
    return contract.FeaturesTask(
        run=run,
        feature_set=features.meta.name,
        sources=tuple(
            contract.Source(name=one.name, uri=one.uri, format=one.format, secret=one.secret_name is not None)
            if one.feature_set is None
            else contract.Source(name=one.name, features=next(imported))
            for one in spec.sources
        ),
        query=spec.query,
        entity=spec.entity,
        timestamp=spec.timestamp,
        arrival=spec.arrival,
        joins=tuple(
            contract.Join(features=next(imported), by=one.by, max_age_seconds=one.max_age_seconds())
            for one in spec.join
        ),
        components=named,
        columns=tuple(
            contract.ColumnContract(
                name=column.name, type=column.type, personal=column.personal, description=column.description
            )
            for column in spec.columns
        ),
        quality=None if spec.quality is None else _quality(spec.quality),
        bias=None if spec.bias is None else asked(spec.bias),
        online=online.wanted(spec) is not None,
    )


def _secrets(spec: FeatureSetSpec) -> dict[str, str]:
    """The Secrets of sources in buckets, by the folder where the pod finds them."""
    named = ((source.name, source.secret_name) for source in spec.sources)
    return {f"{contract.SECRETS_PATH}/{name}": secret for name, secret in named if secret is not None}


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
