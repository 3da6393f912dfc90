"""What is said of a FeatureSet's quality rules: which hold, and whether rows were kept back because of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from merkhet.api.conditions import Fact
from merkhet.contract.features import FeaturesResult
from merkhet.kinds.featureset.types import MAX_RULES, CheckedQuality, CheckedRule, FeatureSetSpec, FeatureSetStatus
from merkhet.kinds.run import Wish

QUALITY_PASSED = "QualityPassed"
BLOCKED = "QualityBlocked"
TOLD = 5  # broken rules that a message tells; the status has all
LONGEST = 900  # characters; a run's message ends at 1 024


class Finding(Protocol):
    """A rule and what was found of it."""

    @property
    def rule(self) -> str:
        """The rule in words."""

    @property
    def passed(self) -> bool:
        """Whether it holds."""

    @property
    def found(self) -> str:
        """What was found, in words."""


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
    run = next((run for run in status.runs if found is not None and run.key == found.run), None)
    if found is None or run is None or wish.spec not in (run.trigger, run.spec):
        message = "no run has checked the rules as they stand, or its findings were overwritten by another's"
        return (Fact(QUALITY_PASSED, "Unknown", "NotChecked", message),)
    where = "" if run.version is None else f"version {run.version}: "
    if all(rule.passed for rule in found.rules):
        return (Fact(QUALITY_PASSED, "True", "AllRulesHold", f"{where}{_count(len(found.rules))}, all hold"),)
    return (Fact(QUALITY_PASSED, "False", "RulesFailed", f"{where}{_broken(found.rules)}"),)


def blocked_message(result: FeaturesResult) -> str:
    """Why the rows of a run were not published."""
    return f"the rows are not published: {_broken(result.quality or ())}"


def _broken(rules: Sequence[Finding]) -> str:
    """The broken rules, and what was found of them."""
    broken = [rule for rule in rules if not rule.passed]
    told = "; ".join(f"{rule.rule}: {rule.found}" for rule in broken[:TOLD])
    more = f"; and {len(broken) - TOLD} more, see status.quality" if len(broken) > TOLD else ""
    begin = f"{len(broken)} of {_count(len(rules))} {'fails' if len(broken) == 1 else 'fail'}: "
    room = LONGEST - len(begin) - len(more)
    return begin + (told if len(told) <= room else f"{told[: room - 1]}…") + more


def _count(rules: int) -> str:
    return f"{rules} quality rule{'' if rules == 1 else 's'}"
