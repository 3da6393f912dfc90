"""What is said of limits on bias: which hold, which are undecided, and whether rows were kept back because of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from merkhet.api.conditions import Fact
from merkhet.contract import features as contract
from merkhet.contract.features import FeaturesResult
from merkhet.kinds.featureset.types import (
    MAX_FINDINGS,
    Bias,
    BiasFinding,
    CheckedBias,
    CheckedGroup,
    FeatureSetSpec,
    FeatureSetStatus,
)
from merkhet.kinds.findings import finding_run, told, version_of
from merkhet.kinds.run import Wish

BIAS_ACCEPTABLE = "BiasAcceptable"
BLOCKED = "BiasBlocked"
LONGEST_GROUP = 128  # characters of a group's name

Finding: TypeAlias = contract.BiasFinding | BiasFinding  # as a run tells it, and as the status keeps it


def asked(bias: Bias) -> contract.Bias:
    """What the pod is told to compare."""
    return contract.Bias(
        sensitive=tuple(contract.SensitiveColumn(column=one.column, bins=one.bins) for one in bias.sensitive),
        population=bias.population,
        label=bias.label,
        positive=bias.positive,
        min_group_size=bias.min_group_size,
        limits={metric: limit for metric, limit in bias.limits if limit is not None},
        on_failure=bias.on_failure,
    )


def compared(spec: FeatureSetSpec, status: FeatureSetStatus, run: str, result: FeaturesResult) -> FeatureSetStatus:
    """The status with what this run found of groups; one that compared none leaves nothing."""
    if result.bias is None:
        return status.model_copy(update={"bias": None})
    # The pod leaves these groups out, too; what must never be shown is seen to twice.
    personal = {column.name for column in spec.columns if column.personal}
    personal |= {column.name for column in result.columns if column.personal}
    shown = [group for group in result.bias.groups if group.column not in personal]
    found = CheckedBias(
        run=run,
        findings=tuple(BiasFinding(**finding.model_dump()) for finding in result.bias.findings[:MAX_FINDINGS]),
        groups=tuple(_group(group) for group in shown[:MAX_FINDINGS]),
    )
    return status.model_copy(update={"bias": found})


def bias_facts(spec: FeatureSetSpec, status: FeatureSetStatus, wish: Wish) -> tuple[Fact, ...]:
    """``BiasAcceptable``; nothing is said where groups are not compared."""
    if spec.bias is None:
        return ()
    found = status.bias
    run = finding_run(status.runs, found.run, wish) if found is not None else None
    if found is None or run is None:
        message = "no run has compared the groups as they are asked for, or its findings were overwritten by another's"
        return (Fact(BIAS_ACCEPTABLE, "Unknown", "NotChecked", message),)
    return (_judged(found.findings, version_of(run)),)


def is_blocked(result: FeaturesResult) -> bool:
    """Whether a run without a version kept its rows back because of bias, and not because of a quality rule."""
    return result.bias is not None and any(finding.result == "Failed" for finding in result.bias.findings)


def blocked_message(result: FeaturesResult) -> str:
    """Why the rows of a run were not published."""
    return f"the rows are not published: {_told(() if result.bias is None else result.bias.findings, 'Failed')}"


def _judged(findings: Sequence[Finding], where: str) -> Fact:
    limited = [finding for finding in findings if finding.result != "Reported"]
    results = {finding.result for finding in limited}
    if "Failed" in results:
        return Fact(BIAS_ACCEPTABLE, "False", "LimitsExceeded", where + _told(findings, "Failed"))
    if "Inconclusive" in results:
        return Fact(BIAS_ACCEPTABLE, "Unknown", "Inconclusive", where + _told(findings, "Inconclusive"))
    if not limited:
        message = f"{where}{_count(len(findings))}, none with a limit: write spec.bias.limits to have them judged"
        return Fact(BIAS_ACCEPTABLE, "Unknown", "NotChecked", message)
    return Fact(BIAS_ACCEPTABLE, "True", "WithinLimits", f"{where}{_count(len(limited))}, all within their limits")


WORDS = {
    "Failed": ("is beyond its limit", "are beyond their limits"),
    "Inconclusive": ("is undecided", "are undecided"),
}


def _told(findings: Sequence[Finding], result: str) -> str:
    """The findings of this result, the worst first, in words."""
    meant = [f"{one.metric} of {one.column}: {one.message}" for one in findings if one.result == result]
    limited = [finding for finding in findings if finding.result != "Reported"]
    begin = f"{len(meant)} of {_count(len(limited))} {WORDS[result][len(meant) != 1]}: "
    return told(begin, meant, "status.bias")


def _group(group: contract.GroupFigures) -> CheckedGroup:
    figures = group.model_dump(exclude={"missing"})
    return CheckedGroup(**{**figures, "group": group.group[:LONGEST_GROUP]})


def _count(figures: int) -> str:
    return f"{figures} figure{'' if figures == 1 else 's'} on groups"
