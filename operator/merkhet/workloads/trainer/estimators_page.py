"""The documentation page of the estimators: which agree, how well, and why the others may not be named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from merkhet.workloads.trainer.trials import HELD_OUT, LIMIT

INTRODUCTION = """\
# Estimators

The steps that `spec.pipeline` of a ModelTraining may name, by import path. Each was fitted on generated tables (two
classes, three classes, a regression, a few whole numbers, with missing values, with text), converted to ONNX and
compared with scikit-learn on {rows} held-out rows and on rows at the edges: extremes, values beside the thresholds of
trees, however deep a tree stands, missing ones. *Difference* is the largest one found: of probabilities, or of
predictions in standard deviations of the target. More than {limit:g} is not allowed here; a training compares again,
with your model and your limit, and registers nothing that differs.

*Missing*: agrees also where values are missing. *Text*: takes columns of text. *By column*: each column is treated as
if it were alone, so that steps may overlap freely. *Holds rows*: the model contains rows of the training as they are;
think of that before it leaves the cluster.

ONNX calculates with float32: far outside of what it was trained on, a regression agrees to six digits of its answer,
not of the target's spread, and the exponentials of GammaRegressor, PoissonRegressor and TweedieRegressor end at 3e38.

An estimator inside of another is written by its path and parameters. The names of members are free:

```yaml
- estimator: sklearn.calibration.CalibratedClassifierCV
  parameters:
    method: isotonic
    cv: 3
    estimator: {{estimator: sklearn.svm.LinearSVC, parameters: {{C: 0.5}}}}
```

```yaml
- estimator: sklearn.ensemble.VotingRegressor
  parameters:
    estimators:
      - {{name: trees, estimator: sklearn.ensemble.RandomForestRegressor}}
      - {{name: line, estimator: sklearn.linear_model.Ridge, parameters: {{alpha: 2}}}}
```

`voting` of a VotingClassifier is `soft` where it is left out: votes are no probabilities. Infinity is refused by every
training and by the server, also where scikit-learn itself lets it in: {infinity}.

Measured with {packages}. This page is written by `python -m merkhet.workloads.trainer.allowlist`.
"""
MARKS = {"missing": "missing", "text": "text", "by column": "columnwise", "holds rows": "holds_rows"}


def page(content: Mapping[str, Any]) -> str:
    """The whole page."""
    estimators = content["estimators"]
    packages = ", ".join(f"{name} {version}" for name, version in sorted(content["measured"].items()))
    lines = [INTRODUCTION.format(rows=HELD_OUT, limit=LIMIT, packages=packages, infinity=_infinity(estimators))]
    for kind in ("classifier", "regressor", "transformer"):
        lines += _section(kind, {path: entry for path, entry in sorted(estimators.items()) if entry["kind"] == kind})
    lines += ["## Not allowed", "", "| estimator | why |", "|---|---|"]
    lines += [f"| `{path}` | {_cell(why)} |" for path, why in sorted(content["refused"].items())]
    return "\n".join(lines) + "\n"


def _infinity(estimators: Mapping[str, Any]) -> str:
    words = {"agrees": "ONNX says the same", "differs": "ONNX says otherwise"}
    taking = {
        said: [_name(path) for path, entry in sorted(estimators.items()) if entry["infinity"] == mark]
        for mark, said in words.items()
    }
    return "; ".join(f"{', '.join(names)} ({said})" for said, names in taking.items() if names) or "none does"


def _section(kind: str, estimators: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"## {kind.capitalize()}s", "")
    steps = {path: entry for path, entry in estimators.items() if entry.get("step", True)}
    yield from _table(steps)
    yield from ("", "Other values than the defaults that were measured:", "")
    for path, entry in estimators.items():
        yield from (f"- `{_name(path)}` {_said(variant)}" for variant in entry["variants"])
    yield ""
    inside = {path: entry for path, entry in estimators.items() if path not in steps}
    if inside:
        yield from ("Only inside of one that makes probabilities of scores, or of one that selects columns:", "")
        yield from (*_table(inside), "")
    holders = {path: entry for path, entry in estimators.items() if entry.get("inner")}
    if holders:
        yield from (f"### Inside of {kind}s", "", "| estimator | parameter | agree | do not |", "|---|---|---|---|")
        for path, entry in holders.items():
            yield from _inside(path, entry)
        yield ""


def _table(estimators: Mapping[str, Any]) -> Iterator[str]:
    yield f"| estimator | difference | {' | '.join(MARKS)} | parameters |"
    yield "|---" * (len(MARKS) + 3) + "|"
    for path, entry in estimators.items():
        marks = " | ".join("yes" if entry[mark] else "" for mark in MARKS.values())
        yield f"| `{path}` | {entry['difference']:.0e} | {marks} | {', '.join(entry['parameters'])} |"


def _inside(path: str, entry: Mapping[str, Any]) -> Iterator[str]:
    for parameter, agreeing in entry["inner"].items():
        good = ", ".join(f"{_name(one)} {difference:.0e}" for one, difference in sorted(agreeing.items()))
        reasons: dict[str, list[str]] = {}
        for one, why in sorted(entry["inner_refused"][parameter].items()):
            reasons.setdefault(why, []).append(_name(one))
        bad = "; ".join(f"{', '.join(names)}: {_cell(why)}" for why, names in reasons.items())
        yield f"| `{_name(path)}` | {parameter} | {good} | {bad} |"


def _said(variant: Mapping[str, Any]) -> str:
    values = ", ".join(f"{name}: {_shown(value)}" for name, value in sorted(variant["parameters"].items()))
    if "fault" in variant:
        return f"`{values}`: refused, {_cell(variant['fault'])}"
    return f"`{values}`: {variant['difference']:.0e}{'' if variant['difference'] <= LIMIT else ', refused'}"


def _shown(value: Any) -> str:
    return _name(value["estimator"]) if isinstance(value, dict) else str(value)


def _name(path: str) -> str:
    return path.rpartition(".")[2]


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
