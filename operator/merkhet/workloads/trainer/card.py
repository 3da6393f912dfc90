"""The model card: what Mitchell et al. (2019) ask to be said of a model, from what the run knows and people wrote."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

from merkhet.contract.base import canonical
from merkhet.contract.card import (
    MAX_LEADING,
    Analyses,
    Card,
    Caveats,
    Ethics,
    Factor,
    IntendedUse,
    MetricsUsed,
    ModelDetails,
    RowsUsed,
)
from merkhet.contract.evaluation import Evaluation, ImportanceReport
from merkhet.contract.features import FeaturesManifest
from merkhet.contract.training import Step, TrainingResult, TrainingTask
from merkhet.pages.markup import visible
from merkhet.pages.sections import Section, Statement, Table, sections

# What Markdown or HTML could take for markup, in any place of a line.
_MARKUP = re.compile(r"([\\`*_\[\]#~!|])")
# What it takes for markup at the beginning of a line: lists, numbered ones, and lines below headings.
_STARTS = re.compile(r"^(\s*)([-+=]|\d+(?=[.)]))")


def made(
    task: TrainingTask,
    result: TrainingResult,
    evaluation: Evaluation,
    important: ImportanceReport,
    manifest: FeaturesManifest,
) -> Card:
    """The card of a version; ``result`` has its number, ``important`` each feature."""
    if result.number is None:
        raise ValueError("a card is that of a version; claim its number first")
    factors = _factors(task, evaluation, important)
    return Card(
        name=result.model,
        number=result.number,
        details=_details(task, result, evaluation, important, manifest),
        intended_use=IntendedUse(stated=_written(task, "intendedUse"), out_of_scope=_written(task, "outOfScope")),
        factors=factors,
        metrics=MetricsUsed(
            names=tuple(metric.name for metric in evaluation.metrics),
            threshold=evaluation.threshold,
            intervals=_intervals(evaluation),
            min_group_size=task.gates.min_group_size,
        ),
        evaluation_data=_rows(task, evaluation, manifest, "test"),
        training_data=None if task.brought is not None else _rows(task, evaluation, manifest, "train"),
        analyses=_analyses(evaluation, important),
        ethics=Ethics(
            stated=_written(task, "ethicalConsiderations"),
            sensitive_features=tuple(factor.column for factor in factors if factor.feature),
            sensitive_left_out=tuple(factor.column for factor in factors if not factor.feature),
            personal_left_out=len(_personal(manifest) - {task.target}),
        ),
        caveats=Caveats(
            stated=_written(task, "limitations"),
            warnings=evaluation.warnings,
            not_passed=tuple(gate for gate in evaluation.gates if gate.result != "Passed"),
            not_known=tuple(_not_known(task, evaluation)),
        ),
    )


def text(card: Card) -> str:
    """The card as Markdown; what people wrote is quoted, and nothing in it is markup."""
    lines = [f"# {_escaped(card.name)} version {card.number}: model card"]
    for section in sections(card):
        lines += ["", f"## {_escaped(section.title)}", *_section(section)]
    return "\n".join(lines) + "\n"


def _written(task: TrainingTask, name: str) -> str:
    return task.card.get(name, "").strip()


def _details(
    task: TrainingTask,
    result: TrainingResult,
    evaluation: Evaluation,
    important: ImportanceReport,
    manifest: FeaturesManifest,
) -> ModelDetails:
    lineage, personal = result.lineage, task.target in _personal(manifest)
    return ModelDetails(
        task=task.task,
        target=task.target,
        classes=() if personal else evaluation.classes,
        positive=None if personal else _positive(task, evaluation),
        personal_target=personal,
        algorithm=tuple(map(_step, task.pipeline)),
        features=len(important.features),
        components=lineage.components,
        author=task.author or "",
        license=_written(task, "license"),
        contact=_written(task, "contact"),
        training=lineage.training,
        revision=lineage.revision or "",
        image=lineage.image,
        packages=lineage.packages,
    )


def _positive(task: TrainingTask, evaluation: Evaluation) -> Any:
    """Of two classes the one that is looked for: the second, where the task names none."""
    classes = evaluation.classes
    return None if len(classes) != 2 else classes[0] if classes[0] == task.positive else classes[1]


def _step(step: Step) -> str:
    """The class, what it was told, and the columns that it takes."""
    told = ", ".join(f"{name}={canonical(value)}" for name, value in sorted(step.parameters.items()))
    taken = step.columns
    if taken is None:
        columns = ""
    else:
        columns = " on " + (", ".join(taken.names) if taken.names is not None else f"{taken.type} columns")
    return f"{step.estimator.rpartition('.')[2]}({told}){columns}"


def _factors(task: TrainingTask, evaluation: Evaluation, important: ImportanceReport) -> tuple[Factor, ...]:
    features = {one.feature for one in important.features}
    return tuple(
        Factor(
            column=column,
            feature=column in features,
            groups=tuple(group.group for group in evaluation.groups if group.by == column),
            small=tuple(group.group for group in evaluation.groups if group.by == column and group.small),
        )
        for column in task.sensitive
    )


def _intervals(evaluation: Evaluation) -> str:
    how = evaluation.intervals
    drawn = f"of {how.clusters} groups of rows that belong together" if how.clusters is not None else "of rows"
    return f"{how.confidence * 100:g} % by {how.method}, {how.resamples} resamples {drawn}"


def _rows(task: TrainingTask, evaluation: Evaluation, manifest: FeaturesManifest, part: str) -> RowsUsed:
    return RowsUsed(
        data=task.data,
        joined=tuple(join.data for join in task.joins),
        rows=evaluation.rows.get(part, 0),
        split=_split(task, manifest),
        weighted=task.sample_weight is not None,
    )


def _split(task: TrainingTask, manifest: FeaturesManifest) -> str:
    """How the test rows were chosen; a personal column is not named."""
    if task.brought is not None:
        return "all rows are for testing: the model was brought, and whoever brought it says that they are new to it"
    split, personal = task.split, _personal(manifest)
    share = f"{split.test_fraction * 100:g} % of the rows"
    if split.method == "Time":
        return f"the latest {share} are for testing, the others for training"
    column = split.column if split.method == "Group" else ", ".join(manifest.entity)
    hidden = bool({split.column if split.method == "Group" else None, *manifest.entity} & personal)
    by = "a personal column" if hidden else column or "all columns of the row"
    return f"about {share} are for testing, by a hash of {by} (seed {split.seed}), the others for training"


def _personal(manifest: FeaturesManifest) -> set[str]:
    return {column.name for column in manifest.columns if column.personal}


def _analyses(evaluation: Evaluation, important: ImportanceReport) -> Analyses:
    return Analyses(
        metrics=evaluation.metrics,
        groups=evaluation.groups,
        fairness=evaluation.fairness,
        champion=evaluation.champion,
        importance=f"{important.method}, {important.metric}",
        leading=important.features[:MAX_LEADING],
    )


def _not_known(task: TrainingTask, evaluation: Evaluation) -> Iterator[str]:
    if task.brought is not None:
        yield "what it learned from, and how: it was brought"
    if not task.sensitive:
        yield "how it treats groups of people: no sensitive column is named"
    if not task.tests:
        yield "whether it answers as the business expects: no test is written"
    if evaluation.champion is None:
        yield "how it compares with an earlier version: none was approved when it was trained"
    elif not evaluation.champion.differences:
        yield f"how it compares with version {evaluation.champion.number}: {evaluation.champion.message}"


def _section(section: Section) -> Iterator[str]:
    if section.facts:
        yield from ("", *(f"- **{_escaped(name)}**: {_escaped(words)}" for name, words in section.facts))
    for statement in section.statements:
        yield from ("", f"**{_escaped(statement.title)}**", "", *_quoted(statement))
    for table in section.tables:
        yield from ("", *_table(table))


def _quoted(statement: Statement) -> Iterator[str]:
    if not statement.text:
        yield "*not stated*"
    for line in statement.text.splitlines():
        yield f"> {_STARTS.sub(_start, _escaped(line))}".rstrip()


def _start(found: re.Match[str]) -> str:
    """A beginning that is none of a list: of a number, what follows it is escaped."""
    space, sign = found.groups()
    return f"{space}&#{ord(sign[0])};{sign[1:]}"


def _table(table: Table) -> Iterator[str]:
    yield f"**{_escaped(table.title)}**"
    yield ""
    yield f"| {' | '.join(map(_escaped, table.head))} |"
    yield "|" + "---|" * len(table.head)
    for row in table.rows:
        yield f"| {' | '.join(map(_escaped, row))} |"


def _escaped(words: str) -> str:
    """Words on one line in which nothing is markup."""
    line = " ".join(visible(words).split())
    return _MARKUP.sub(r"\\\1", html.escape(line, quote=False))
