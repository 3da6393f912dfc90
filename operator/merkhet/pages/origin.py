"""Where a model comes from and where it went: its data, the run that made it, and the deployments that serve it."""

from __future__ import annotations

from dataclasses import dataclass

from merkhet.contract.evaluation import ImportanceReport
from merkhet.contract.profile import ColumnProfile, Profile
from merkhet.contract.training import DataVersion, TrainingResult
from merkhet.pages.markup import Markup, element, joined, named
from merkhet.pages.panels import fact, panel, panels, soft
from merkhet.pages.profile import shape
from merkhet.pages.words import NOTHING, counted, figure, share

LEADING = 8  # features of the data that are shown
SHORT_DIGEST = len("sha256:") + 12


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of where a version comes from and went. ``judged_on``: the data of a model that was brought."""

    name: str
    record: TrainingResult
    judged_on: tuple[DataVersion, ...] = ()
    served_by: tuple[str, ...] = ()
    profile: Profile | None = None
    important: ImportanceReport | None = None

    @property
    def data(self) -> tuple[DataVersion, ...]:
        """The data that its figures are of."""
        return self.record.lineage.data or self.judged_on


def shown(origin: Origin) -> list[Markup]:
    """The way from the data to what serves it, and the data in short."""
    return [panels(panel("From data to service", _flow(origin), wide=True), *_data(origin), _run(origin.record))]


def _flow(origin: Origin) -> Markup:
    record, lineage, run = origin.record, origin.record.lineage, origin.record.lineage.training
    data = [_data_node("data", one) for one in lineage.data]
    parts = [_node("component", f"{use.name} {use.version}", use.digest or "") for use in lineage.components]
    if "name" in run:
        made = [_node("training run", run["name"], run.get("run", ""))]
    else:
        made = [_node("brought here", "trained by another program"),
                *(_data_node("judged on", one) for one in origin.judged_on)]  # fmt: skip
    version = _node("version", origin.name, "" if record.artifact is None else record.artifact.digest, kind="this")
    serving = [_node("deployment", one) for one in origin.served_by] or [_node("deployment", "none yet", kind="none")]
    stages = [[*data, *parts], made, [version], serving]
    return element("ol", *(element("li", *stage) for stage in stages if stage), class_="flow")


def _data_node(what: str, data: DataVersion) -> Markup:
    return _node(what, f"{data.feature_set} version {data.version}", data.digest)


def _node(what: str, name: str, code: str = "", *, kind: str = "") -> Markup:
    """A thing; of a digest so much as people compare by eye."""
    short = [element("code", code[:SHORT_DIGEST], title=code)] if code else []
    return element("div", element("small", what), named(name, 60), *short, class_=f"node {kind}".strip())


def _run(record: TrainingResult) -> Markup:
    lineage, usage = record.lineage, record.usage
    told = [
        ("trigger", lineage.training.get("trigger", "")),
        ("source", lineage.revision or ""),
        ("image", lineage.image),
        ("packages", ", ".join(f"{name} {version}" for name, version in sorted(lineage.packages.items()))),
        (
            "processor time",
            f"{figure(usage.cpu_seconds)} s in {figure(usage.wall_seconds)} s" if usage.cpu_seconds else "",
        ),
        ("most memory", f"{figure(round(usage.peak_memory / 1e6))} MB" if usage.peak_memory else ""),
    ]
    facts = [fact(name, named(words)) for name, words in told if words]
    if not facts:
        return panel("The run", element("p", "Nothing is known of how it was made."))
    return panel("The run", element("dl", *facts, class_="words"))


def _data(origin: Origin) -> list[Markup]:
    profile = origin.profile
    if not origin.data:
        return [panel("Data", element("p", "It is not known what it learned from."))]
    first = origin.data[0]
    title = f"{first.feature_set} version {first.version}"
    open_ = f"kubectl merkhet open fs/{first.feature_set} --version {first.version}"
    look = soft("All columns: ", element("code", open_))
    if profile is None:
        return [panel(title, element("p", "There is no data profile of this version any more."), look)]
    lacking = sum(column.missing for column in profile.columns)
    cells = profile.rows * len(profile.columns)
    words = [counted(profile.rows, "row"), counted(len(profile.columns), "column")]
    words.append(f"{share(lacking / cells if cells else 0.0)} of values missing")
    return [
        panel(title, element("p", ", ".join(words)), *_quality(profile), *_columns(profile, origin.important), look)
    ]


def _quality(profile: Profile) -> list[Markup]:
    if not profile.quality:
        return []
    held = sum(rule.passed for rule in profile.quality)
    return [soft(f"{held} of {counted(len(profile.quality), 'quality rule')} held when the version was made.")]


def _columns(profile: Profile, important: ImportanceReport | None) -> list[Markup]:
    """The leading features as they are spread; the first columns, where it is not known what leads."""
    by_name = {column.name: column for column in profile.columns if not column.personal}
    names = [one.feature for one in important.features] if important is not None else list(by_name)
    columns = [by_name[name] for name in names if name in by_name][:LEADING]
    return [element("ul", *map(_column, columns), class_="rows")] if columns else []


def _column(column: ColumnProfile) -> Markup:
    missing = f"{share(column.missing_share)} missing" if column.missing else ""
    numbers = column.numbers
    reach = ""
    if numbers is not None and numbers.min is not None:
        reach = f"{figure(numbers.min)} to {figure(numbers.max)}"
    elif column.distinct is not None:
        reach = counted(column.distinct, "value")
    words = joined(", ".join(part for part in (reach, missing) if part) or NOTHING)
    return element("li", element("span", named(column.name), title=column.name), shape(column),
                   element("span", words, class_="small soft"))  # fmt: skip
