"""Which estimators of scikit-learn may be named in a pipeline: measured, not believed.

``python -m merkhet.workloads.trainer.allowlist`` converts every candidate on several tables, compares the answers on
held-out rows and rows at the edges, and writes ``contract/estimators.json`` and ``docs/estimators.md``.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import json
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils import all_estimators

from merkhet.contract.estimators import MANY_INNER, ONE_INNER, EstimatorKind, inner
from merkhet.workloads.trainer import estimators_page, trials
from merkhet.workloads.trainer.pipeline import Unchanged, make
from merkhet.workloads.trainer.trials import Measured, Table

PROJECT = Path(__file__).parents[4]
JSON_FILE = Path(__file__).parents[2] / "contract" / "estimators.json"
DOCS_FILE = PROJECT / "docs" / "estimators.md"
PREDICTORS: Mapping[str, type] = {"classifier": ClassifierMixin, "regressor": RegressorMixin}

# What a pipeline of YAML cannot set: set by the trainer, without an effect on the model, or no JSON value.
NEVER_SET = frozenset(
    """n_jobs verbose verbose_feature_names_out warm_start copy copy_X copy_X_train dtype sparse_output memory callbacks
    base_estimator categorical_features categories encoded_missing_value flatten_transform
    missing_values feature_name_combiner metric_params oob_score init cache_size max_cpu_time kernel_params precompute
    store_cv_results optimizer compute_score store_covariance estimator_params add_indicator keep_empty_features
    monotonic_cst interaction_cst func inverse_func kw_args inv_kw_args covariance_estimator validate accept_sparse
    check_inverse score_func is_data_valid is_model_valid importance_getter prefit probability self""".split()  # noqa: SIM905
)  # fmt: skip
# Left out although they may convert, with the reason that the documentation gives.
LEFT_OUT: Mapping[str, str] = {
    "CountVectorizer": "its ONNX form splits words otherwise outside English",
    "TfidfVectorizer": "its ONNX form splits words otherwise outside English",
    "KNeighborsTransformer": "makes a column of each training row",
    "RadiusNeighborsTransformer": "makes a column of each training row",
    "MultiOutputClassifier": "predicts several targets",
    "MultiOutputRegressor": "predicts several targets",
    "ClassifierChain": "predicts several targets",
    "RegressorChain": "predicts several targets",
    "FixedThresholdClassifier": "its ONNX form drops the threshold",
    "TunedThresholdClassifierCV": "its ONNX form drops the threshold",
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
    "SelfTrainingClassifier": "has no ONNX form",
    # Found with SGDClassifier and MLPClassifier on columns of different size: off by 1 in a third of the rows.
    "OneVsRestClassifier": "its ONNX form answers nought for each class where float32 holds none of the probabilities",
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
    "CalibratedClassifierCV": (
        {"method": "isotonic"},
        {"method": "isotonic", "ensemble": False},
        {"method": "sigmoid", "ensemble": False},
        {"method": "temperature"},
        {"method": "isotonic", "estimator": {"estimator": "sklearn.ensemble.HistGradientBoostingClassifier"}},
    ),
    "BaggingClassifier": ({"max_features": 0.6}, {"bootstrap_features": True}),
    "BaggingRegressor": ({"max_features": 0.6},),
    "AdaBoostRegressor": ({"loss": "square"},),
    "VotingClassifier": ({"weights": [2, 1]}, {"voting": "hard"}),
    "VotingRegressor": ({"weights": [2, 1]},),
    "StackingClassifier": ({"passthrough": True},),
    "StackingRegressor": ({"passthrough": True},),
    "SelectFromModel": ({"threshold": "0.5*mean"}, {"max_features": 1}),
    "RFE": ({"n_features_to_select": 1},),
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
    "GaussianRandomProjection": {"n_components": 3},
    "SparseRandomProjection": {"n_components": 3},
    "BaggingClassifier": {"n_estimators": 3},
    "BaggingRegressor": {"n_estimators": 3},
    "AdaBoostClassifier": {"n_estimators": 5},
    "AdaBoostRegressor": {"n_estimators": 5},
    "CalibratedClassifierCV": {"cv": 3},
    "StackingClassifier": {"cv": 3},
    "StackingRegressor": {"cv": 3},
    "RANSACRegressor": {"min_samples": 50, "max_trials": 10},
    "RFECV": {"cv": 2},
    "SequentialFeatureSelector": {"cv": 2, "n_features_to_select": 2},
}
# Smaller where an estimator stands inside of another and is fitted several times: it answers by the same code.
SMALL: Mapping[str, Mapping[str, Any]] = {
    "HistGradientBoostingClassifier": {"max_iter": 10},
    "HistGradientBoostingRegressor": {"max_iter": 10},
    "GradientBoostingClassifier": {"n_estimators": 5},
    "GradientBoostingRegressor": {"n_estimators": 5},
    "RandomForestClassifier": {"n_estimators": 5},
    "RandomForestRegressor": {"n_estimators": 5},
    "ExtraTreesClassifier": {"n_estimators": 5},
    "ExtraTreesRegressor": {"n_estimators": 5},
    "LogisticRegressionCV": {"Cs": 3, "cv": 2},
    "MLPClassifier": {"max_iter": 20, "hidden_layer_sizes": [8]},
    "MLPRegressor": {"max_iter": 20, "hidden_layer_sizes": [8]},
    "TheilSenRegressor": {"max_subpopulation": 100},
    "CalibratedClassifierCV": {"cv": 2},
    "AdaBoostClassifier": {"n_estimators": 3},
    "AdaBoostRegressor": {"n_estimators": 3},
}
# Who stands beside the one that is measured in an ensemble of several: quick, and of another family.
FELLOWS: Mapping[str, tuple[str, str]] = {
    "classifier": ("sklearn.tree.DecisionTreeClassifier", "sklearn.naive_bayes.GaussianNB"),
    "regressor": ("sklearn.tree.DecisionTreeRegressor", "sklearn.linear_model.BayesianRidge"),
}
TAKES_MISSING = {
    "classifier": "sklearn.ensemble.HistGradientBoostingClassifier",
    "regressor": "sklearn.ensemble.HistGradientBoostingRegressor",
}
# The one that makes probabilities of scores; inside of it may stand what has none.
CALIBRATING = "sklearn.calibration.CalibratedClassifierCV"

# What stands before a candidate that is never used on columns of different size, or takes no negative ones.
SCALER = "sklearn.preprocessing.StandardScaler"
SCALED = frozenset(
    """PCA IncrementalPCA TruncatedSVD KernelPCA MLPClassifier MLPRegressor SGDClassifier SGDRegressor GammaRegressor
    PoissonRegressor TweedieRegressor GaussianProcessClassifier GaussianProcessRegressor""".split()  # noqa: SIM905
)
POSITIVE = frozenset(("MultinomialNB", "ComplementNB"))
# Where steps before the last one are looked for: the other families take no rows of numbers or text.
STEP_FAMILIES = (
    *("preprocessing", "impute", "feature_selection", "decomposition", "cluster", "neighbors", "random_projection"),
    *("kernel_approximation", "neural_network", "ensemble"),
)

TABLES: Mapping[str, tuple[Callable[..., Table], ...]] = {
    "classifier": (trials.binary, trials.several, trials.whole),
    "regressor": (trials.amounts, trials.whole_amounts),
    "transformer": (trials.binary,),
}
FINALS = ("sklearn.linear_model.LogisticRegression", "sklearn.tree.DecisionTreeClassifier")
KINDS: tuple[EstimatorKind, ...] = ("classifier", "regressor", "transformer")
Inners = Mapping[str, Sequence[str]]
Written = dict[str, Any]  # an estimator inside of another as a spec writes it


def main() -> int:
    """Measure every candidate and write what was found."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of estimators that go with the next release
        content = derive()
    JSON_FILE.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    DOCS_FILE.parent.mkdir(exist_ok=True)
    DOCS_FILE.write_text(estimators_page.page(content), encoding="utf-8")
    return 0


def derive() -> dict[str, Any]:
    """What is found when every candidate is measured: those that agree, and why the others do not."""
    found: dict[str, dict[str, Any]] = {}
    refused: dict[str, str] = {}
    every = [(path, kind) for kind in KINDS for path in candidates(kind)]
    for path, kind in every:
        if not inner_parameters(path):
            _note(path, examine(path, kind), found, refused)
    inners = inner_candidates(found, [path for path, _ in every])
    for path, kind in every:
        if inner_parameters(path):
            _note(path, examine_holder(path, kind, inners), found, refused)
    for path in inners["scores"]:
        if path in found.get(CALIBRATING, {}).get("inner", {}).get("estimator", {}):
            refused.pop(path)
            found[path] = scores_alone(path)
    return {"measured": versions(), "estimators": found, "refused": refused}


def candidates(kind: EstimatorKind) -> Iterator[str]:
    """Import paths of scikit-learn's public estimators of a kind that need nothing but other estimators."""
    predicting = {cls for other in ("classifier", "regressor") for _, cls in all_estimators(type_filter=other)}
    for name, cls in all_estimators(type_filter=kind):
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        needed = {p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD}
        is_step = kind != "transformer" or (cls.__module__.split(".")[1] in STEP_FAMILIES and cls not in predicting)
        if is_step and needed <= {*ONE_INNER, MANY_INNER}:
            public = itertools.takewhile(lambda part: not part.startswith("_"), cls.__module__.split("."))
            yield f"{'.'.join(public)}.{name}"


def inner_parameters(path: str) -> list[str]:
    """The parameters of an estimator that take other estimators."""
    return [name for name in _signature(path) if name in (*ONE_INNER, MANY_INNER)]


def inner_candidates(found: Mapping[str, Any], paths: Sequence[str]) -> dict[str, list[str]]:
    """What may be tried inside of others: what agrees alone, what needs none inside, classifiers with scores only."""
    inners = {kind: [path for path, entry in found.items() if entry["kind"] == kind] for kind in PREDICTORS}
    for path in paths:
        kind = next((kind for kind in PREDICTORS if issubclass(_class(path), PREDICTORS[kind])), None)
        if kind and inner_parameters(path) and not needed(path) and _name(path) not in LEFT_OUT:
            inners[kind].append(path)
    alone = [path for path in paths if issubclass(_class(path), ClassifierMixin) and not inner_parameters(path)]
    without = [path for path in alone if not hasattr(make(path, DEFAULTS.get(_name(path), {})), "predict_proba")]
    return {**inners, "scores": without}


def examine(path: str, kind: EstimatorKind) -> dict[str, Any] | str:
    """What is known of a candidate that holds no other, or why it may not be named."""
    name = _name(path)
    if name in LEFT_OUT:
        return LEFT_OUT[name]
    defaults = DEFAULTS.get(name, {})
    tables = (trials.codes,) if "Encoder" in name else TABLES[kind]
    plain = [_measure(path, kind, defaults, table()) for table in tables]
    text = _measure(path, kind, defaults, trials.with_text()) if kind == "transformer" else Measured()
    worst = trials.worst(plain)
    if not worst.agrees and not text.agrees:
        return worst.why
    missing = [_measure(path, kind, defaults, table(missing=True)) for table in tables]
    return {
        **_entry(path, kind, plain if worst.agrees else [text]),
        "missing": all(one.agrees for one in missing),
        "numbers": worst.agrees,
        "text": text.agrees,
        "columnwise": kind == "transformer" and is_columnwise(path, defaults),
        "variants": [_variant(path, kind, defaults, one) for one in VARIANTS.get(name, ())],
    }


def examine_holder(path: str, kind: EstimatorKind, inners: Inners) -> dict[str, Any] | str:
    """What is known of a candidate that holds others, and which of them agree inside, or why it may not be named."""
    name = _name(path)
    if name in LEFT_OUT:
        return LEFT_OUT[name]
    inside = {
        parameter: {one: measure_inside(path, kind, parameter, one) for one in _tried(path, kind, inners)}
        for parameter in inner_parameters(path)
    }
    default = [] if needed(path) else [_measure(path, kind, DEFAULTS.get(name, {}), t()) for t in TABLES[kind]]
    agreeing = [one for found in inside.values() for one in found.values() if one.agrees]
    if not agreeing or any(not one.agrees for one in default):
        return trials.worst(default).why if default else _commonest(inside)
    return {
        **_entry(path, kind, [*default, *agreeing]),
        "missing": _takes_missing(path, kind),
        "numbers": True,
        "text": False,
        "columnwise": False,
        # Those that hold rows only for what stands inside of them are told by what stands inside of them.
        "holds_rows": False,
        **_told(inside),
        "variants": [_variant(path, kind, _filled(path, kind), one) for one in VARIANTS.get(name, ())],
    }


def scores_alone(path: str) -> dict[str, Any]:
    """What is known of a classifier that gives no probabilities: it stands only inside of one that makes them."""
    tables = [table() for table in TABLES["classifier"]]
    holding = _holding(CALIBRATING, "classifier", "estimator", path)
    found = [_measure(CALIBRATING, "classifier", holding, table) for table in tables]
    marks = {"missing": False, "numbers": True, "text": False, "columnwise": False, "variants": [], "step": False}
    return {**_entry(path, "classifier", found), **marks}


def measure_inside(path: str, kind: EstimatorKind, parameter: str, held: str) -> Measured:
    """The worst that comes of an estimator in a parameter of another."""
    within = _kind_of(held) if kind == "transformer" else kind
    # The third table, of whole numbers, tells apart what asks for the nearest rows; that is seen without the holder.
    tables = TABLES[within][:1] if kind == "transformer" else TABLES[kind][:2]
    found: list[Measured] = []
    for table in tables:
        found.append(_measure(path, kind, _holding(path, within, parameter, held), table()))
        if not found[-1].agrees:
            break
    return trials.worst(found)


def needed(path: str) -> list[str]:
    """Parameters of an estimator without a default."""
    return [name for name, one in _signature(path).items() if one.default is one.empty and name != "self"]


def settable(path: str) -> list[str]:
    """Names of the parameters that a pipeline may set."""
    return sorted(name for name in _signature(path) if name not in NEVER_SET)


def is_columnwise(path: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a transformer treats each column as if it were alone."""
    if _name(path).startswith("Select"):
        return False  # chooses among columns
    table = trials.codes() if "Encoder" in path else trials.binary()
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


def _note(path: str, entry: dict[str, Any] | str, found: dict[str, dict[str, Any]], refused: dict[str, str]) -> None:
    if isinstance(entry, str):
        refused[path] = entry
    else:
        found[path] = entry
    print(path, entry if isinstance(entry, str) else entry["difference"], file=sys.stderr, flush=True)  # noqa: T201


def _entry(path: str, kind: EstimatorKind, found: Sequence[Measured]) -> dict[str, Any]:
    return {
        "kind": kind,
        "parameters": settable(path),
        "needed": needed(path),
        "difference": _rounded(trials.worst(found).difference),
        "infinity": max((one.infinity for one in found), key=("refused", "agrees", "differs").index),
        "holds_rows": any(one.holds_rows for one in found),
    }


def _tried(path: str, kind: EstimatorKind, inners: Inners) -> list[str]:
    """What is tried inside: selectors only ask what matters, so there scores are enough."""
    kinds = ("classifier", "scores", "regressor") if kind == "transformer" else (kind,)
    scores = inners["scores"] if path == CALIBRATING else []
    return [held for one in kinds for held in inners[one] if held != path] + list(scores)


def _takes_missing(path: str, kind: EstimatorKind) -> bool:
    within = kind if kind in TAKES_MISSING else "classifier"
    parameter = inner_parameters(path)[0]
    holding = _holding(path, within, parameter, TAKES_MISSING[within], beside=TAKES_MISSING[within])
    return all(_measure(path, kind, holding, table(missing=True)).agrees for table in TABLES[kind])


def _holding(path: str, within: str, parameter: str, held: str, beside: str | None = None) -> dict[str, Any]:
    """The parameters of an estimator that holds one, and another beside it where it takes several."""
    fellows = [_written(one) for one in FELLOWS[within]]
    one = _written(held)
    parameters: dict[str, Any] = {parameter: one}
    if parameter == MANY_INNER:
        parameters = {parameter: [one, _written(beside) if beside else fellows[1]]}
    elif MANY_INNER in inner_parameters(path):
        parameters[MANY_INNER] = fellows
    return {**DEFAULTS.get(_name(path), {}), **parameters}


def _filled(path: str, kind: EstimatorKind) -> dict[str, Any]:
    """The parameters with which an estimator is measured when others vary."""
    if not needed(path):
        return dict(DEFAULTS.get(_name(path), {}))
    within = kind if kind in FELLOWS else "classifier"
    return _holding(path, within, needed(path)[0], FELLOWS[within][0])


def _written(path: str) -> Written:
    name = _name(path)
    return {"estimator": path, "parameters": {**DEFAULTS.get(name, {}), **SMALL.get(name, {})}}


def _measure(path: str, kind: str, parameters: Mapping[str, Any], table: Table) -> Measured:
    if kind == "transformer":
        return _measure_transformer(path, parameters, table)
    return trials.measured(lambda: Pipeline([*_before(path, parameters), ("final", make(path, parameters))]), table)


def _measure_transformer(path: str, parameters: Mapping[str, Any], table: Table) -> Measured:
    """The transformer before a linear model and before trees: they notice different faults."""

    def before(final: str) -> Pipeline:
        steps = [*_before(path, parameters), ("step", make(path, parameters))]
        if table.train.all_numeric:
            return Pipeline([*steps, ("final", make(final, {}))])
        at = [position for position, kind in enumerate(table.train.kinds) if kind == "text"]
        rest = [position for position in range(len(table.train.names)) if position not in at]
        columns = ColumnTransformer([("text", Pipeline(steps), at), ("rest", Unchanged(), rest)], sparse_threshold=0)
        return Pipeline([("columns", columns), ("final", make(final, {}))])

    finals: tuple[str, ...] = FINALS if table.classes else FELLOWS["regressor"]
    if table.missing:
        finals = (TAKES_MISSING["classifier" if table.classes else "regressor"],)
    return trials.worst([trials.measured(partial(before, final), table) for final in finals])


def _before(path: str, parameters: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What brings the columns into the range that an estimator, or one inside of it, is used on."""
    names = {_name(path), *(_name(one.estimator) for one in inner(parameters))}
    if names & POSITIVE:
        return [("positive", make("sklearn.preprocessing.MinMaxScaler", {"clip": True}))]
    return [("scaled", make(SCALER, {}))] if names & SCALED else []


def _variant(path: str, kind: EstimatorKind, base: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    takes_text = kind == "transformer" and "Encoder" in path
    count = 2 if inner_parameters(path) else 1
    tables = [table(missing="Imputer" in path) for table in TABLES[kind][:count]]
    tables = [trials.with_text()] if takes_text else tables
    found = trials.worst(_measure(path, kind, {**base, **other}, table) for table in tables)
    said = {"difference": _rounded(found.difference)} if np.isfinite(found.difference) else {"fault": found.why}
    return {"parameters": dict(other), **said}


def _told(inside: Mapping[str, Mapping[str, Measured]]) -> dict[str, Any]:
    """By parameter, what agrees inside and how well, and why the others do not."""
    return {
        "inner": {
            parameter: {path: _rounded(one.difference) for path, one in found.items() if one.agrees}
            for parameter, found in inside.items()
        },
        "inner_refused": {
            parameter: {path: one.why for path, one in found.items() if not one.agrees}
            for parameter, found in inside.items()
        },
    }


def _commonest(inside: Mapping[str, Mapping[str, Measured]]) -> str:
    """The reason that most of those inside give; no reason is none of them being there."""
    reasons = Counter(one.why for found in inside.values() for one in found.values())
    return reasons.most_common(1)[0][0] if reasons else "nothing that agrees goes inside of it"


def _kind_of(path: str) -> str:
    return next(kind for kind in PREDICTORS if issubclass(_class(path), PREDICTORS[kind]))


def _class(path: str) -> type:
    module, _, name = path.rpartition(".")
    found: type = getattr(importlib.import_module(module), name)
    return found


def _signature(path: str) -> Mapping[str, inspect.Parameter]:
    parameters = inspect.signature(_class(path)).parameters
    return {name: one for name, one in parameters.items() if one.kind is not one.VAR_KEYWORD}


def _rounded(difference: float) -> float:
    """One digit: more would change with the machine."""
    return float(f"{difference:.1g}")


def _name(path: str) -> str:
    return path.rpartition(".")[2]


if __name__ == "__main__":
    sys.exit(main())
