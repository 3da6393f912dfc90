"""Which estimators of scikit-learn may be named in a pipeline: measured, not believed.

``python -m merkhet.workloads.trainer.allowlist`` converts every candidate on several tables, compares the answers on
held-out rows and rows at the edges, and writes ``contract/estimators.json`` and ``docs/estimators.md``.
"""

from __future__ import annotations

import inspect
import itertools
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils import all_estimators

from merkhet.contract.estimators import EstimatorKind
from merkhet.errors import Refused
from merkhet.workloads.trainer import export, parity
from merkhet.workloads.trainer.features import ColumnKind, Features, joined
from merkhet.workloads.trainer.pipeline import Unchanged, make

LIMIT = 1e-4
ROWS, HELD_OUT = 600, 300
PROJECT = Path(__file__).parents[4]
JSON_FILE = Path(__file__).parents[2] / "contract" / "estimators.json"
DOCS_FILE = PROJECT / "docs" / "estimators.md"

# What a pipeline of YAML cannot set: set by the trainer, without an effect on the model, or no JSON value.
NEVER_SET = frozenset(
    """n_jobs verbose verbose_feature_names_out warm_start copy copy_X copy_X_train dtype sparse_output memory callbacks
    estimator estimators base_estimator final_estimator categorical_features categories encoded_missing_value
    missing_values feature_name_combiner metric_params oob_score init cache_size max_cpu_time kernel_params precompute
    store_cv_results optimizer compute_score store_covariance estimator_params add_indicator keep_empty_features
    monotonic_cst interaction_cst func inverse_func kw_args inv_kw_args covariance_estimator validate accept_sparse
    check_inverse""".split()  # noqa: SIM905
)  # fmt: skip
# Left out although they may convert, with the reason that the documentation gives.
LEFT_OUT: Mapping[str, str] = {
    "CountVectorizer": "its ONNX form splits words otherwise outside English",
    "TfidfVectorizer": "its ONNX form splits words otherwise outside English",
    "GaussianProcessClassifier": "the model is a copy of the training rows",
    "GaussianProcessRegressor": "the model is a copy of the training rows",
    "KNeighborsClassifier": "the model is a copy of the training rows",
    "KNeighborsRegressor": "the model is a copy of the training rows",
    "RadiusNeighborsClassifier": "the model is a copy of the training rows",
    "RadiusNeighborsRegressor": "the model is a copy of the training rows",
    "KNNImputer": "the model is a copy of the training rows",
    "MultiTaskElasticNet": "predicts several targets",
    "MultiTaskElasticNetCV": "predicts several targets",
    "MultiTaskLasso": "predicts several targets",
    "MultiTaskLassoCV": "predicts several targets",
    "QuantileTransformer": "its ONNX form has a branch for each quantile and takes minutes to make",
    "DictionaryLearning": "has no ONNX form",
    "MiniBatchDictionaryLearning": "has no ONNX form",
    "SparsePCA": "has no ONNX form",
    "MiniBatchSparsePCA": "has no ONNX form",
    "NMF": "has no ONNX form",
    "MiniBatchNMF": "has no ONNX form",
    "FactorAnalysis": "has no ONNX form",
    "FastICA": "has no ONNX form",
    "LatentDirichletAllocation": "has no ONNX form",
    "FunctionTransformer": "takes a function, which YAML cannot hold",
    "IsotonicRegression": "takes one column",
}
# Values other than the default that people use. One that fails stands in the documentation.
VARIANTS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "OneHotEncoder": (
        {"handle_unknown": "ignore"},
        {"drop": "first"},
        {"drop": "if_binary"},
        {"handle_unknown": "infrequent_if_exist", "min_frequency": 60},
    ),
    "OrdinalEncoder": ({"handle_unknown": "use_encoded_value", "unknown_value": -1},),
    "SimpleImputer": ({"strategy": "median"}, {"strategy": "most_frequent"}, {"strategy": "constant", "fill_value": 0}),
    "KBinsDiscretizer": ({"encode": "onehot-dense"}, {"encode": "ordinal"}),
    "PowerTransformer": ({"method": "box-cox"},),
    "PolynomialFeatures": ({"degree": 3}, {"interaction_only": True}),
    "HistGradientBoostingClassifier": ({"class_weight": "balanced"}, {"early_stopping": True}),
    "HistGradientBoostingRegressor": (
        {"loss": "absolute_error"},
        {"loss": "quantile", "quantile": 0.9},
        {"loss": "poisson"},
    ),
    "GradientBoostingClassifier": ({"loss": "exponential"},),
    "GradientBoostingRegressor": ({"loss": "huber"}, {"loss": "quantile"}),
    "RandomForestClassifier": ({"class_weight": "balanced"}, {"criterion": "log_loss"}),
    "RandomForestRegressor": ({"criterion": "absolute_error"}, {"criterion": "poisson"}),
    "LogisticRegression": ({"class_weight": "balanced"}, {"solver": "saga", "l1_ratio": 1.0}),
    "SGDClassifier": ({"loss": "log_loss"}, {"loss": "modified_huber"}),
    "MLPClassifier": ({"activation": "tanh"}, {"activation": "logistic"}),
    "MLPRegressor": ({"activation": "tanh"},),
}
# Without these a candidate learns nothing on its table, or takes minutes.
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "SGDClassifier": {"loss": "log_loss"},
    "KBinsDiscretizer": {"encode": "ordinal"},
    "SelectKBest": {"k": 3},
    "Lasso": {"alpha": 0.01},
    "LassoLars": {"alpha": 0.01},
    "ElasticNet": {"alpha": 0.01},
    "GenericUnivariateSelect": {"mode": "k_best", "param": 3},
    "MLPClassifier": {"max_iter": 50},
    "MLPRegressor": {"max_iter": 50},
}

# What stands before a candidate that is never used on columns of different size.
SCALER = "sklearn.preprocessing.StandardScaler"
SCALED = frozenset(
    """PCA IncrementalPCA TruncatedSVD KernelPCA MLPClassifier MLPRegressor SGDClassifier SGDRegressor GammaRegressor
    PoissonRegressor TweedieRegressor""".split()  # noqa: SIM905
)
# Where steps before the last one are looked for: the other families take no rows of numbers or text.
STEP_FAMILIES = ("preprocessing", "impute", "feature_selection", "decomposition")

INTRODUCTION = """\
# Estimators

The steps that `spec.pipeline` of a ModelTraining may name, by import path. Each was fitted on generated tables (two
classes, three classes, a regression, with missing values, with text), converted to ONNX and compared with scikit-learn
on {rows} held-out rows and on rows at the edges: extremes, values beside the thresholds of trees, missing ones.
*Difference* is the largest one found: of probabilities, or of predictions in standard deviations of the target. More
than {limit:g} is not allowed here; a training compares again, with your model and your limit.

*Missing*: agrees also where values are missing. *Text*: takes columns of text. *By column*: each column is treated as
if it were alone, so that steps may overlap freely.

Measured with {packages}. This page is written by `python -m merkhet.workloads.trainer.allowlist`.
"""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Table:
    """Generated rows to learn from and rows to compare on."""

    name: str
    train: Features
    target: Array
    held_out: Features
    classes: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of one conversion: the largest difference, or why there was none."""

    difference: float = float("inf")
    fault: str = ""

    @property
    def agrees(self) -> bool:
        """Whether it is near enough."""
        return self.difference <= LIMIT


def main() -> int:
    """Measure every candidate and write what was found."""
    found: dict[str, dict[str, Any]] = {}
    refused: dict[str, str] = {}
    for kind in ("transformer", "classifier", "regressor"):
        for path, name in candidates(kind):
            entry = examine(path, kind)
            if isinstance(entry, str):
                refused[path] = entry
            else:
                found[path] = entry
            print(kind, name, entry if isinstance(entry, str) else entry["difference"], file=sys.stderr)  # noqa: T201
    content = {"measured": versions(), "estimators": found, "refused": refused}
    JSON_FILE.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    DOCS_FILE.parent.mkdir(exist_ok=True)
    DOCS_FILE.write_text(page(content), encoding="utf-8")
    return 0


def candidates(kind: str) -> Iterator[tuple[str, str]]:
    """Import paths and class names of scikit-learn's public estimators of a kind that need no other estimator."""
    for name, cls in all_estimators(type_filter=kind):
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        needs = any(p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)
        family = cls.__module__.split(".")[1]
        if not needs and not (kind == "transformer" and family not in STEP_FAMILIES):
            public = itertools.takewhile(lambda part: not part.startswith("_"), cls.__module__.split("."))
            yield f"{'.'.join(public)}.{name}", name


def examine(path: str, kind: EstimatorKind) -> dict[str, Any] | str:
    """What is known of a candidate, or why it may not be named."""
    name = path.rpartition(".")[2]
    if name in LEFT_OUT:
        return LEFT_OUT[name]
    defaults = DEFAULTS.get(name, {})
    measure = _measure_transformer if kind == "transformer" else _measure_final
    tables = (codes,) if "Encoder" in name else TABLES[kind]
    plain = [measure(path, defaults, table()) for table in tables]
    text = measure(path, defaults, with_text()) if kind == "transformer" else Measured()
    worst = max(plain, key=_by_difference)
    if not worst.agrees and not text.agrees:
        return worst.fault or f"ONNX and scikit-learn differ by {worst.difference:.2g}"
    missing = [measure(path, defaults, table(missing=True)) for table in tables]
    entry: dict[str, Any] = {
        "kind": kind,
        "parameters": settable(path),
        "difference": float(f"{(worst if worst.agrees else text).difference:.1g}"),
        "missing": all(one.agrees for one in missing),
        "numbers": worst.agrees,
        "text": text.agrees,
        "columnwise": kind == "transformer" and is_columnwise(path, defaults),
    }
    return entry | {"variants": [_variant(measure, path, {**defaults, **one}, kind) for one in VARIANTS.get(name, ())]}


def settable(path: str) -> list[str]:
    """Names of the parameters that a pipeline may set."""
    cls = type(make(path, {}))
    return sorted(name for name in inspect.signature(cls.__init__).parameters if name not in NEVER_SET | {"self"})


def is_columnwise(path: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a transformer treats each column as if it were alone."""
    if path.rpartition(".")[2].startswith("Select"):
        return False  # chooses among columns
    table = codes() if "Encoder" in path else binary()
    rows, target = table.train.frame(), table.target
    try:
        together = make(path, parameters).fit(rows, target).transform(rows)
        alone = [
            make(path, parameters).fit(rows[:, [at]], target).transform(rows[:, [at]]) for at in range(rows.shape[1])
        ]
        return bool(np.allclose(together, np.hstack(alone), equal_nan=True))
    except (ValueError, TypeError, IndexError):
        return False


def versions() -> dict[str, str]:
    """The packages the figures hold for."""
    return {name: metadata.version(name) for name in ("scikit-learn", "skl2onnx", "onnxruntime", "onnx")}


def page(content: Mapping[str, Any]) -> str:
    """The documentation page of what was found."""
    packages = ", ".join(f"{name} {version}" for name, version in sorted(content["measured"].items()))
    lines = [INTRODUCTION.format(rows=HELD_OUT, limit=LIMIT, packages=packages)]
    for kind in ("classifier", "regressor", "transformer"):
        lines += _section(kind, content["estimators"])
    lines += ["## Not allowed", "", "| estimator | why |", "|---|---|"]
    lines += [f"| `{path}` | {_cell(why)} |" for path, why in sorted(content["refused"].items())]
    return "\n".join(lines) + "\n"


def binary(*, missing: bool = False) -> Table:
    """Numbers of different size and kind, two classes."""
    return _table("two classes", lambda score: (score > 0).astype(np.int64), (0, 1), missing=missing)


def codes(*, missing: bool = False) -> Table:
    """Whole numbers that stand for categories, two classes."""
    table = binary(missing=missing)
    train, held_out = (
        Features(("code", "flag"), ("number", "number"), (part.column("c2"), part.column("c4")))
        for part in (table.train, table.held_out)
    )
    return Table("codes", train, table.target, held_out, table.classes)


def several(*, missing: bool = False) -> Table:
    """The same numbers, three classes by name."""
    names = np.array(["high", "low", "middle"])
    return _table("three classes", lambda s: names[(s > -0.8).astype(int) + (s > 0.8)], tuple(names), missing=missing)


def amounts(*, missing: bool = False) -> Table:
    """The same numbers, a positive amount."""
    return _table("regression", lambda score: np.exp(score / 2) + 1.0, (), missing=missing)


def with_text() -> Table:
    """Numbers and two columns of text, two classes."""
    table = binary()
    random = np.random.default_rng(5)
    words = (["Lyon", "Köln", "Oslo", "a b"], ["x", "y"])
    columns = [random.choice(np.array(known, dtype=object), ROWS + HELD_OUT) for known in words]
    both = joined([table.train, table.held_out])
    rows = Features((*both.names, "city", "kind"), (*both.kinds, "text", "text"), (*both.columns, *columns))
    return Table("text", rows.take(np.arange(ROWS)), table.target, rows.take(np.arange(ROWS, rows.rows)), table.classes)


TABLES: Mapping[str, tuple[Callable[..., Table], ...]] = {
    "classifier": (binary, several),
    "regressor": (amounts,),
    "transformer": (binary,),
}
TREES_WITH_MISSING = "sklearn.ensemble.HistGradientBoostingClassifier"
FINALS = ("sklearn.linear_model.LogisticRegression", "sklearn.tree.DecisionTreeClassifier")


def _table(name: str, target: Callable[[Array], Array], classes: tuple[Any, ...], *, missing: bool) -> Table:
    random = np.random.default_rng(3)
    count = ROWS + HELD_OUT
    columns = [
        random.normal(size=count),
        random.gamma(2.0, 5.0, count),
        random.integers(0, 6, count).astype(np.float64),
        random.uniform(-100.0, 100.0, count),
        (random.random(count) < 0.3).astype(np.float64),
    ]
    score = columns[0] + (columns[1] - 10) / 8 + (columns[2] == 3) - columns[3] / 80 + random.logistic(size=count) / 3
    if missing:
        columns = [np.where(random.random(count) < 0.1, np.nan, column) for column in columns]
    names = tuple(f"c{at}" for at in range(len(columns)))
    kinds: tuple[ColumnKind, ...] = tuple("number" for _ in names)
    rows = Features(names, kinds, tuple(column.astype(np.float32) for column in columns))
    truth = target(score)[:ROWS]
    return Table(name, rows.take(np.arange(ROWS)), truth, rows.take(np.arange(ROWS, count)), classes)


def _measure_final(path: str, parameters: Mapping[str, Any], table: Table) -> Measured:
    return _measured(lambda: Pipeline([*_scaled(path), ("final", make(path, parameters))]), table)


def _measure_transformer(path: str, parameters: Mapping[str, Any], table: Table) -> Measured:
    """The transformer before a linear model and before trees: they notice different faults."""

    def before(final: str) -> Pipeline:
        step = Pipeline([*_scaled(path), ("step", make(path, parameters))])
        if table.train.all_numeric:
            return Pipeline([("step", step), ("final", make(final, {}))])
        at = [position for position, kind in enumerate(table.train.kinds) if kind == "text"]
        rest = [position for position in range(len(table.train.names)) if position not in at]
        columns = ColumnTransformer([("text", step, at), ("rest", Unchanged(), rest)], sparse_threshold=0)
        return Pipeline([("columns", columns), ("final", make(final, {}))])

    columns = zip(table.train.columns, table.train.kinds, strict=True)
    if any(kind != "text" and np.isnan(column).any() for column, kind in columns):
        return _measured(lambda: before(TREES_WITH_MISSING), table)
    return max((_measured(lambda final=final: before(final), table) for final in FINALS), key=_by_difference)  # type: ignore[misc]


def _by_difference(measured: Measured) -> float:
    return measured.difference


def _scaled(path: str) -> list[tuple[str, Any]]:
    return [("scaled", make(SCALER, {}))] if path.rpartition(".")[2] in SCALED else []


def _measured(build: Callable[[], Pipeline], table: Table) -> Measured:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Measured(_difference(build(), table))
        except Refused as refusal:
            return Measured(fault=_short(str(refusal)))
        except Exception as error:  # whatever a candidate raises is the reason why it is not allowed
            return Measured(fault=_short(f"{type(error).__name__}: {error}"))


def _difference(pipeline: Pipeline, table: Table) -> float:
    final = pipeline.steps[-1][1]
    if table.classes and not hasattr(final, "predict_proba"):
        raise Refused("it gives no probabilities")
    pipeline.fit(table.train.frame(), table.target)
    graph = export.convert(pipeline, table.train)
    scale = 1.0 if table.classes else float(table.target.std())
    pair = parity.Pair(pipeline, parity.session(graph), table.classes, scale)
    kinds = zip(table.train.names, table.train.columns, table.train.kinds, strict=True)
    missing = [name for name, column, kind in kinds if kind != "text" and np.isnan(column).any()]
    known = [name for name, kind in zip(table.train.names, table.train.kinds, strict=True) if kind == "text"]
    if not missing and _has_encoder(pipeline):
        known = list(table.train.names)
    edges = parity.edge_rows(pipeline, table.train, missing, known)
    return float(pair.differences(joined([table.held_out, edges])).max())


def _has_encoder(pipeline: Pipeline) -> bool:
    """Whether numbers are categories there: others than those of the training are refused by the server."""
    first = pipeline.steps[0][1]
    return isinstance(first, Pipeline) and hasattr(first.steps[-1][1], "categories_")


def _variant(
    measure: Callable[..., Measured], path: str, parameters: Mapping[str, Any], kind: EstimatorKind
) -> dict[str, Any]:
    takes_text = kind == "transformer" and "Encoder" in path
    table = with_text() if takes_text else TABLES[kind][0](missing="Imputer" in path)
    found = measure(path, parameters, table)
    said = {"difference": float(f"{found.difference:.1g}")} if np.isfinite(found.difference) else {"fault": found.fault}
    return {"parameters": dict(parameters), **said}


def _section(kind: str, estimators: Mapping[str, Any]) -> list[str]:
    lines = [f"## {kind.capitalize()}s", "", "| estimator | difference | missing | text | by column | parameters |"]
    lines += ["|---|---|---|---|---|---|"]
    for path, entry in sorted(estimators.items()):
        if entry["kind"] == kind:
            marks = " | ".join("yes" if entry[mark] else "" for mark in ("missing", "text", "columnwise"))
            lines.append(f"| `{path}` | {entry['difference']:.0e} | {marks} | {', '.join(entry['parameters'])} |")
    lines += ["", "Other values than the defaults that were measured:", ""]
    for path, entry in sorted(estimators.items()):
        if entry["kind"] == kind:
            lines += [f"- `{path.rpartition('.')[2]}` {_said(variant)}" for variant in entry["variants"]]
    return [*lines, ""]


def _said(variant: Mapping[str, Any]) -> str:
    values = ", ".join(f"{name}: {value}" for name, value in sorted(variant["parameters"].items()))
    if "fault" in variant:
        return f"`{values}`: refused, {_cell(variant['fault'])}"
    return f"`{values}`: {variant['difference']:.0e}{'' if variant['difference'] <= LIMIT else ', refused'}"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else f"{line[:157]}..."


if __name__ == "__main__":
    sys.exit(main())
