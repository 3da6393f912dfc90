"""What the API server refuses of gates, search, threshold and tests, each with the sentence a person reads."""

from __future__ import annotations

from merkhet.contract import training as contract
from merkhet.kinds.gates import rules
from merkhet.kinds.kind import Cel

CLASSIFICATION, REGRESSION = (list(contract.FIGURES[task]) for task in ("Classification", "Regression"))
FIGURES = f"(self.task == 'Regression' ? {REGRESSION} : {CLASSIFICATION})"
NAMES = f"Classification has {', '.join(CLASSIFICATION)}; Regression has {', '.join(REGRESSION)}"

GATES = (
    Cel(
        f"!has(self.gates) || !has(self.gates.metrics) || self.gates.metrics.all(gate, gate.name in {FIGURES})",
        f"a gate names a figure that the task does not have: {NAMES}",
    ),
    Cel(
        f"!has(self.gates) || !has(self.gates.groups) || self.gates.groups.all(gate, gate.metric in {FIGURES})",
        f"a gate on groups names a figure that the task does not have: {NAMES}",
    ),
    Cel(
        "!has(self.gates) || !has(self.gates.fairness) || size(self.gates.fairness) == 0 "
        "|| self.task == 'Classification'",
        "a gate on fairness compares the answers of a Classification; a Regression has none: use gates.groups",
    ),
    *rules("spec"),
    Cel(
        "!has(self.gates) || !has(self.gates.groups) || self.gates.groups.all(gate, has(self.data.sensitive) "
        "&& gate.by in self.data.sensitive)",
        "a gate on groups names a column that is not in data.sensitive: add it there",
    ),
    Cel(
        "!has(self.gates) || !has(self.gates.fairness) || self.gates.fairness.all(gate, has(self.data.sensitive) "
        "&& gate.by in self.data.sensitive)",
        "a gate on fairness names a column that is not in data.sensitive: add it there",
    ),
)

OTHERS = (
    Cel(
        "!has(self.threshold) || self.task == 'Classification'",
        "a threshold parts two classes; a Regression has none: leave it out",
    ),
    Cel(
        f"!has(self.search) || !has(self.search.metric) || self.search.metric in {FIGURES}",
        f"search.metric is a figure that the task does not have: {NAMES}",
    ),
    Cel(
        "(has(self.value) ? 1 : 0) + (has(self.maximise) ? 1 : 0) + (has(self.costs) ? 1 : 0) == 1",
        "a threshold is found in one way: write value, maximise or costs",
        at=("spec", "threshold"),
    ),
    Cel(
        "!has(self.tests) || self.tests.all(one, self.tests.exists_one(other, other.name == one.name))",
        "two tests have one name: rename one of them",
    ),
)
