"""What a run answers about a model that was brought counts as a whole or not at all."""

from __future__ import annotations

import pytest

from merkhet.api.meta import Body
from tests.unit.kinds.modelversion.test_brought import FAILED, PASSED, answer, decide, judged, scene

TOO_MUCH: dict[str, Body] = {
    "more gates than a status holds": {"gates": [FAILED, *[PASSED] * 128]},
    "a gate with a name too long": {"gates": [{**FAILED, "name": "g" * 161}]},
    "a gate with a message too long": {"gates": [{**FAILED, "message": "m" * 2049}]},
    "a report that is no digest": {"reports": {"golden": "b" * 64}},
}


@pytest.mark.parametrize("more", TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_does_not_fit_into_a_status_is_no_evaluation_without_gates(more: Body) -> None:
    at_work = scene().look().begin()
    version = decide(at_work.succeed({**answer(at_work), **more}), "Approved")
    assert "evaluation" not in version.status
    assert (version.status["decision"], version.fact("Approved").reason) == ("Pending", "NotEvaluated")
    assert (version.ready.status, version.ready.reason) == ("False", "ResultUnreadable")
    assert "does not fit into a status" in version.ready.message


def test_an_evaluation_outlives_status_report_and_job() -> None:
    version = judged()
    known = version.status["evaluation"]
    version.remove("ConfigMap", "employment-v3-mv-report").remove("Job").look()
    assert (version.status["evaluation"], len(version.created)) == (known, 1)
    version.forget_status().look()
    assert (version.status["decision"], len(version.created)) == ("Pending", 2)
    assert version.fact("Approved").reason == "NotEvaluated"
    version.begin().succeed(answer(version, gates=[PASSED]))
    assert version.status["evaluation"] == known
