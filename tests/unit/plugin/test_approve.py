"""What a person sees before deciding about a version."""

from __future__ import annotations

from merkhet.plugin.approve import summary
from tests import make


def test_the_figures_gates_and_data_of_a_version_are_shown() -> None:
    gates = [
        {"name": "roc_auc", "result": "Passed"},
        {"name": "recall by SEX", "result": "Failed", "message": "too low", "source": "policy"},
    ]
    shown = summary(make.modelversion(3, record={"gates": gates, "warnings": ["the fit did not converge"]}))
    assert "employment version 3, by " in shown
    assert "roc_auc      0.9050  (0.899 to 0.911)" in shown
    assert "Failed       recall by SEX (policy) too low" in shown
    assert "employment version 1" in shown
    assert "the fit did not converge" in shown
    assert "brought" not in shown


def test_of_a_model_that_was_brought_its_evaluation_is_shown() -> None:
    body = make.modelversion(3, record={"lineage": {"author": "dana"}, "metrics": [], "gates": []})
    assert "employment version 3, by dana, brought and not judged yet" in summary(body)
    found = {
        "metrics": [{"name": "accuracy", "value": 0.75}],
        "gates": [{"name": "accuracy", "result": "Passed"}],
        "data": [{"featureSet": "loans", "version": 2, "digest": make.DIGEST}],
    }
    shown = summary({**body, "status": {"evaluation": found}})
    assert "by dana, brought\n" in shown
    assert "accuracy     0.7500" in shown
    assert "loans version 2" in shown
