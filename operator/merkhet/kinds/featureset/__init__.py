"""FeatureSet: features that are computed once, kept for good, and used by number."""

from __future__ import annotations

from merkhet.kinds import runs
from merkhet.kinds.apis import COMPONENT, FEATURESET
from merkhet.kinds.featureset import online
from merkhet.kinds.featureset.observe import SHORT, observe
from merkhet.kinds.featureset.plan import plan
from merkhet.kinds.featureset.report import report
from merkhet.kinds.featureset.rules import BIAS, ONLINE, QUALITY, SOURCES
from merkhet.kinds.featureset.types import FeatureSetSpec, FeatureSetStatus
from merkhet.kinds.kind import Cel, Column, Kind
from merkhet.kinds.rules import DEADLINE, POD_LABELS, stays_inside

KIND = Kind(
    api=FEATURESET,
    short=SHORT,
    purpose="Features: rows computed from files by SQL, published as immutable versions that trainings name.",
    spec=FeatureSetSpec,
    status=FeatureSetStatus,
    observe=observe,
    plan=plan,
    report=report,
    children=(*runs.CHILDREN, *online.CHILDREN),
    reads=tuple(dict.fromkeys((*runs.READS, COMPONENT, *online.READS))),
    columns=(
        Column("Version", ".status.latest.version", "integer", description="The version that users get."),
        Column("Rows", ".status.latest.rows", "integer"),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
        Column("Quality", '.status.conditions[?(@.type=="QualityPassed")].status', wide=True),
        Column("Bias", '.status.conditions[?(@.type=="BiasAcceptable")].status', wide=True),
        Column("Online", '.status.conditions[?(@.type=="OnlineReady")].status', wide=True),
        Column("Next", ".status.schedule.next", wide=True, description="When the schedule's next run is due."),
        Column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True),
        Column("Digest", ".status.latest.digest", wide=True),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
    rules=(
        Cel(
            "size(self.sources) == 1 || has(self.query)",
            "several sources need a query that says how they become one table: write spec.query",
        ),
        Cel(
            "self.sources.all(s, self.sources.exists_one(t, t.name == s.name))",
            "two sources have the same name: each is a table of its own in the query",
        ),
        stays_inside("spec", "sources", "[]", "uri"),
        *SOURCES,
        *QUALITY,
        *BIAS,
        *ONLINE,
        DEADLINE,
        *POD_LABELS,
    ),
)
