"""What is said of a FeatureSet's quality rules: which hold, and whether rows were kept back because of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from merkhet.api.conditions import Fact
from merkhet.contract import features as contract
from merkhet.contract.features import FeaturesResult
from merkhet.kinds.featureset.types import MAX_RULES, CheckedQuality, CheckedRule, FeatureSetSpec, FeatureSetStatus
from merkhet.kinds.findings import finding_run, told, version_of
from merkhet.kinds.run import Wish

QUALITY_PASSED = "QualityPassed"
BLOCKED = "QualityBlocked"

Finding: TypeAlias = contract.CheckedRule | CheckedRule  # as a run tells it, and as the status keeps it


def checked(status: FeatureSetStatus, run: str, result: FeaturesResult) -> FeatureSetStatus:
    """The status with what this run found; one that checked nothing leaves nothing."""
    if result.quality is None:
        return status.model_copy(update={"quality": None})
    rules = tuple(CheckedRule(**rule.model_dump()) for rule in result.quality[:MAX_RULES])
    return status.model_copy(update={"quality": CheckedQuality(run=run, rules=rules)})


def quality_facts(spec: FeatureSetSpec, status: FeatureSetStatus, wish: Wish) -> tuple[Fact, ...]:
    """``QualityPassed``; nothing is said where there are no rules."""
    if spec.quality is None:
        return ()
    found = status.quality
    run = finding_run(status.runs, found.run, wish) if found is not None else None
    if found is None or run is None:
        message = "no run has checked the rules as they stand, or its findings were overwritten by another's"
        return (Fact(QUALITY_PASSED, "Unknown", "NotChecked", message),)
    where = version_of(run)
    if all(rule.passed for rule in found.rules):
        return (Fact(QUALITY_PASSED, "True", "AllRulesHold", f"{where}{_count(len(found.rules))}, all hold"),)
    return (Fact(QUALITY_PASSED, "False", "RulesFailed", f"{where}{_broken(found.rules)}"),)


def blocked_message(result: FeaturesResult) -> str:
    """Why the rows of a run were not published."""
    return f"the rows are not published: {_broken(result.quality or ())}"


def _broken(rules: Sequence[Finding]) -> str:
    """The broken rules, and what was found of them."""
    broken = [f"{rule.rule}: {rule.found}" for rule in rules if not rule.passed]
    begin = f"{len(broken)} of {_count(len(rules))} {'fails' if len(broken) == 1 else 'fail'}: "
    return told(begin, broken, "status.quality")


def _count(rules: int) -> str:
    return f"{rules} quality rule{'' if rules == 1 else 's'}"
