"""Every alert can fire, and says where its runbook is."""

from __future__ import annotations

import re
from typing import Any

import pytest

from merkhet.engine.metrics import Metrics
from tests.chart.conftest import ROOT, Objects

SUFFIXES = ("_count", "_sum", "_bucket", "_total")


@pytest.fixture
def alerts(objects: Objects) -> list[dict[str, Any]]:
    values = ("prometheusRule.enabled=true", "prometheusRule.runbookUrl=https://example.com/runbooks/")
    (rule,) = [body for body in objects(*values) if body["kind"] == "PrometheusRule"]
    return [alert for group in rule["spec"]["groups"] for alert in group["rules"]]


def test_every_alert_asks_for_what_the_operator_measures(alerts: list[dict[str, Any]]) -> None:
    measured = set(re.findall(r"^# TYPE (\S+)", Metrics().text().decode(), re.MULTILINE))
    asked = {name for alert in alerts for name in re.findall(r"merkhet_\w+", alert["expr"])}
    known = measured | {name + suffix for name in measured for suffix in SUFFIXES}
    assert asked - known == set()


def test_every_alert_has_a_runbook_and_every_runbook_an_alert(alerts: list[dict[str, Any]]) -> None:
    named = {alert["annotations"]["runbook"] for alert in alerts}
    written = {str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert named == written


def test_every_alert_names_its_runbook_after_itself(alerts: list[dict[str, Any]]) -> None:
    for alert in alerts:
        name = alert["alert"].removeprefix("Merkhet")
        assert alert["annotations"]["runbook_url"] == f"https://example.com/runbooks/{name}.md"
        assert alert["labels"]["severity"] in ("critical", "warning")
