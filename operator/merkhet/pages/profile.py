"""The page of a data profile: what the rows of a version look like, column by column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from merkhet.contract.features import BiasFinding, CheckedBias, CheckedRule, GroupFigures
from merkhet.contract.profile import PROBABILITIES, ColumnProfile, Numbers, Profile, Times, Value, Values
from merkhet.pages.charts import histogram, meter, spark, timeline
from merkhet.pages.markup import Markup, element, joined, named, page
from merkhet.pages.panels import check, fact, facts, header, panel, panels
from merkhet.pages.words import NOTHING, counted, figure, share

WORST = 8
NOTES = 10
BY_VALUE = 12  # a whole number with so many different values at most is drawn by value
LONG_NAME = 60
KINDS = {
    "whole number": ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    "number": ("float32", "float64"),
    "text": ("string",),
    "yes or no": ("boolean",),
    "time": ("date", "timestamp"),
}
METRICS = {
    "demographic_parity_difference": "difference of rates",
    "demographic_parity_ratio": "ratio of rates",
    "min_group_share": "share of the smallest group",
    "missingness_gap": "difference in missing values",
    "proxy_auc": "how well other columns tell the group",
}


def render(profile: Profile) -> str:
    """One HTML file that needs nothing else."""
    title = f"{profile.feature_set} version {profile.number} · data profile"
    return page(
        title,
        _header(profile),
        element("main", *_summary(profile), *_table(profile), *_cards(profile)),
        _footer(profile),
    )


def _header(profile: Profile) -> Markup:
    cells = profile.rows * len(profile.columns)
    missing = sum(column.missing for column in profile.columns) / cells if cells else 0.0
    told = [
        fact("rows", figure(profile.rows)),
        fact("columns", figure(len(profile.columns))),
        fact("values missing", share(missing)),
        *([fact("rows sampled for figures", figure(profile.sampled))] if profile.sampled else []),
        *([fact("a row is about", joined(*_listed(profile.entity)), kind="words")] if profile.entity else []),
        *([fact("true at", named(profile.timestamp), kind="words")] if profile.timestamp else []),
        fact("data", element("code", profile.data_digest[:19], title=profile.data_digest), kind="words"),
    ]
    name = joined(named(profile.feature_set), element("span", f" version {profile.number}", class_="version"))
    return header("data profile", name, *told)


def _listed(names: Sequence[str]) -> list[Markup]:
    return [joined(", " if index else "", named(name, LONG_NAME)) for index, name in enumerate(names)]


def _summary(profile: Profile) -> list[Markup]:
    shown = [_kinds(profile), _missing(profile), *_notes(profile), *_quality(profile.quality), *_bias(profile.bias)]
    return [element("h2", "At a glance"), panels(*shown)]


def _kinds(profile: Profile) -> Markup:
    names = {kind: name for name, kinds in KINDS.items() for kind in kinds}
    found = Counter(
        "personal" if column.personal else names.get(column.type, column.type) for column in profile.columns
    )
    items = [
        element("li", name, meter(count / len(profile.columns)), element("span", figure(count), class_="number"))
        for name, count in found.most_common()
    ]
    return panel("Kinds of columns", element("ul", *items, class_="rows"))


def _missing(profile: Profile) -> Markup:
    lacking = [column for column in profile.columns if column.missing]
    if not lacking:
        return panel("Missing values", element("p", "Every row has a value in every column."))
    worst = sorted(
        enumerate(profile.columns), key=lambda numbered: (-numbered[1].missing_share, numbered[0])
    )[:WORST]  # fmt: skip
    items = [
        element(
            "li",
            element("a", named(column.name), href=f"#c{index}", title=column.name),
            meter(column.missing_share, kind="bad"),
            element("span", share(column.missing_share), class_="number"),
        )
        for index, column in worst
        if column.missing
    ]
    more = len(lacking) - len(items)
    rest = (
        [element("p", f"and {counted(more, 'more column')} with missing values", class_="soft small")] if more else []
    )
    return panel("Missing values", element("ul", *items, class_="rows"), *rest)


def _notes(profile: Profile) -> list[Markup]:
    """What a person who looked at all columns would point at."""
    found = [
        (index, column, words)
        for index, column in enumerate(profile.columns)
        if (words := next((said for fits, said in NOTABLE if fits(column)), ""))
    ]
    if not found:
        return []
    items = [
        element(
            "li",
            element("span", "•", class_="sign open", aria_hidden="true"),
            element("span", element("a", named(column.name, LONG_NAME), href=f"#c{index}"), f" {words}"),
        )
        for index, column, words in found[:NOTES]
    ]
    more = len(found) - len(items)
    rest = [element("p", f"and {counted(more, 'more column')} like these", class_="soft small")] if more else []
    return [panel("Worth a look", element("ul", *items, class_="checks"), *rest)]


def _is_empty(column: ColumnProfile) -> bool:
    return column.missing_share == 1


def _is_constant(column: ColumnProfile) -> bool:
    return column.distinct == 1


def _has_infinite(column: ColumnProfile) -> bool:
    return bool(column.numbers and (column.numbers.infinite or column.numbers.minus_infinite))


def _is_unique_text(column: ColumnProfile) -> bool:
    """Each row has its own: a name rather than a feature, and perhaps somebody's."""
    alone = bool(column.values and not column.values.top and column.values.others > 1)
    return alone and column.type == "string"


def _is_skewed(column: ColumnProfile) -> bool:
    numbers = column.numbers
    if numbers is None or numbers.min is None or numbers.max is None or not numbers.deviation or numbers.mean is None:
        return False
    far = max(numbers.max / 2 - numbers.mean / 2, numbers.mean / 2 - numbers.min / 2)
    return far > 10 * numbers.deviation


NOTABLE: tuple[tuple[Callable[[ColumnProfile], bool], str], ...] = (
    (_is_empty, "has no value at all"),
    (_is_constant, "has the same value wherever it has one"),
    (_has_infinite, "has infinite values"),
    (_is_unique_text, "has another text in each row; is it personal?"),
    (_is_skewed, "has values over 20 standard deviations from its mean"),
)


def _quality(rules: tuple[CheckedRule, ...] | None) -> list[Markup]:
    if not rules:
        return []
    items = [check("Passed" if rule.passed else "Failed", rule.rule, rule.found) for rule in rules]
    held = sum(rule.passed for rule in rules)
    title = "Quality: every rule holds" if held == len(rules) else f"Quality: {held} of {len(rules)} rules hold"
    return [panel(title, element("ul", *items, class_="checks"))]


def _bias(bias: CheckedBias | None) -> list[Markup]:
    if bias is None:
        return []
    findings = [check(finding.result, _metric(finding), finding.message) for finding in bias.findings]
    said = [element("ul", *findings, class_="checks findings")] if findings else []
    columns = dict.fromkeys(group.column for group in bias.groups)
    tables = [_groups(name, [group for group in bias.groups if group.column == name]) for name in columns]
    return [panel("Groups", *said, element("div", *tables, class_="side"), wide=True)]


def _metric(finding: BiasFinding) -> str:
    """What was asked; the figures too, where the finding does not say them in its own words."""
    words = f"{finding.column}: {METRICS.get(finding.metric, finding.metric)}"
    limit = f", limit {figure(finding.limit)}" if finding.limit is not None else ""
    if finding.message or finding.value is None:
        return words + limit
    interval = f" ({figure(finding.low)} to {figure(finding.high)})" if finding.low is not None else ""
    return f"{words} is {figure(finding.value)}{interval}{limit}"


def _groups(name: str, groups: Sequence[GroupFigures]) -> Markup:
    rated = any(group.rate is not None for group in groups)
    heads = ("group", "rows", "share", "positive rate, 95 % interval" if rated else "")
    head = element("tr", *(element("th", words, scope="col", class_=_if_number(words)) for words in heads))
    rows = [_group(group) for group in groups]
    caption = element("caption", named(name, LONG_NAME))
    return element("table", caption, element("thead", head), element("tbody", *rows), class_="groups")


def _if_number(words: str) -> str | None:
    return "number" if words in {"rows", "share"} else None


def _group(group: GroupFigures) -> Markup:
    rate = Markup("")
    if group.rate is not None:
        said = share(group.rate)
        if group.low is not None and group.high is not None:
            said += f" ({share(group.low)} to {share(group.high)})"
        rate = joined(
            meter(group.rate, low=group.low, high=group.high, kind="interval"),
            element("span", said, class_="small soft"),
        )
    small = element("span", " too few to compare", class_="small soft") if group.small else ""
    return element(
        "tr",
        element("th", named(group.group), small, scope="row"),
        element("td", figure(group.rows), class_="number"),
        element("td", share(group.share), class_="number"),
        element("td", rate),
    )


def _table(profile: Profile) -> list[Markup]:
    heads = [
        element("th", "column", scope="col", data_sort=True),
        element("th", "type", scope="col", data_sort=True),
        element("th", "shape", scope="col"),
        *(
            element("th", words, scope="col", data_sort=True, class_=kind)
            for words, kind in (
                ("missing", None), ("different values", "number"), ("least", "number"), ("median", "number"),
                ("greatest", "number"),
            )
        ),
    ]  # fmt: skip
    rows = [_row(index, column) for index, column in enumerate(profile.columns)]
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows), class_="columns")
    label = element("label", "Find ", element("input", type="search", placeholder="a name, a type or a word"))
    shown = element("span", f"{len(rows)} of {len(rows)}", class_="soft small", data_shown=True, aria_live="polite")
    return [
        element("h2", "Columns", id="columns"),
        element("div", label, shown, class_="bar"),
        element("div", table, class_="table", tabindex="0", role="region", aria_label="Columns"),
    ]


def _row(index: int, column: ColumnProfile) -> Markup:
    numbers, times = column.numbers, column.times
    least, middle, most = "", "", ""
    if numbers is not None:
        least, middle, most = figure(numbers.min), figure(_median(numbers)), figure(numbers.max)
    elif times is not None and times.first is not None and times.last is not None:
        least, most = times.first[:10], times.last[:10]
    keys = (
        _key(numbers.min if numbers else None, least),
        _key(_median(numbers) if numbers else None, middle),
        _key(numbers.max if numbers else None, most),
    )
    words = f"{column.name} {column.type} {column.description} {'personal' if column.personal else ''}".lower()
    return element(
        "tr",
        element("th", element("a", named(column.name, LONG_NAME), href=f"#c{index}"), scope="row",
                data_key=column.name),
        element("td", "personal" if column.personal else column.type, class_="soft small"),
        element("td", shape(column)),
        element("td", meter(column.missing_share, kind="bad"), share(column.missing_share), class_="lacking",
                data_key=str(column.missing_share)),
        element("td", "" if column.distinct is None else figure(column.distinct), class_="number",
                data_key="" if column.distinct is None else str(column.distinct)),
        *(
            element("td", text, class_="number", data_key=key)
            for text, key in zip((least, middle, most), keys, strict=True)
        ),
        data_card=f"c{index}",
        data_words=words,
    )  # fmt: skip


def _key(number: float | None, text: str) -> str:
    """What a cell is sorted by."""
    return str(number) if number is not None else text.replace(NOTHING, "")


def _median(numbers: Numbers) -> float | None:
    return dict(zip(PROBABILITIES, numbers.quantiles, strict=False)).get(0.5)


def shape(column: ColumnProfile) -> Markup:
    """The values of a column, the size of a word; nothing of a personal one."""
    if column.numbers is not None and column.numbers.histogram is not None:
        by_value = _by_value(column)
        counts = [value.count for value in by_value] if by_value else column.numbers.histogram.counts
        return spark(counts, f"shape of {column.name}")
    if column.times is not None:
        return spark(column.times.counts, f"shape of {column.name}")
    if column.values is not None:
        others = [column.values.others] if column.values.others and column.values.top else []
        return spark([*(value.count for value in column.values.top[:BY_VALUE]), *others], f"values of {column.name}")
    return Markup("")


def _by_value(column: ColumnProfile) -> list[Value]:
    """The values of a whole number with few, ascending; empty where there are many."""
    if column.numbers is None or column.values is None or (column.distinct or 0) > BY_VALUE:
        return []
    return sorted(column.values.top, key=lambda value: int(value.value))


def _cards(profile: Profile) -> list[Markup]:
    cards = [_card(index, column, profile.sampled or profile.rows) for index, column in enumerate(profile.columns)]
    return [element("h2", "Each column"), element("div", *cards, class_="cards")]


def _card(index: int, column: ColumnProfile, rows: int) -> Markup:
    head = element(
        "header", element("h3", named(column.name), id=f"h{index}"), element("span", column.type, class_="type")
    )
    means = element("p", named(column.description), class_="means") if column.description else ""
    lacks = element("p", f"{share(column.missing_share)} missing", class_="lacks open") if column.missing else ""
    return element(
        "article",
        head,
        means,
        lacks,
        *(_personal() if column.personal else _figures(column, rows)),
        id=f"c{index}",
        class_="card",
        aria_labelledby=f"h{index}",
    )


def _personal() -> list[Markup]:
    return [element("p", "Personal: nothing is kept of it but its type and how much is missing.", class_="quiet")]


def _figures(column: ColumnProfile, rows: int) -> list[Markup]:
    if not column.distinct and not _has_infinite(column):
        return [element("p", "There is no value.", class_="quiet")]
    if column.numbers is not None:
        few = _by_value(column)
        picture = _bars(few, 0, rows) if few else histogram(column.numbers, column.name)
        return [picture, _of_numbers(column, column.numbers)]
    if column.times is not None:
        return [timeline(column.times, column.name), _of_times(column, column.times)]
    return _of_values(column, column.values or Values(), rows)


def _of_numbers(column: ColumnProfile, numbers: Numbers) -> Markup:
    infinite = numbers.infinite + numbers.minus_infinite
    return facts(
        ("mean", figure(numbers.mean)),
        ("deviation", figure(numbers.deviation)),
        ("median", figure(_median(numbers))),
        ("least", figure(numbers.min)),
        ("greatest", figure(numbers.max)),
        ("different", figure(column.distinct)),
        *([("NaN", figure(numbers.nan))] if numbers.nan else []),
        *([("infinite", figure(infinite))] if infinite else []),
    )


def _of_times(column: ColumnProfile, times: Times) -> Markup:
    return facts(
        ("first", _moment(times.first)),
        ("last", _moment(times.last)),
        ("different", figure(column.distinct)),
        *([("infinite", figure(times.infinite))] if times.infinite else []),
    )


def _moment(time: str | None) -> str:
    """A time without what adds nothing."""
    return NOTHING if time is None else time.removesuffix("T00:00:00").replace("T", " ")


def _of_values(column: ColumnProfile, values: Values, rows: int) -> list[Markup]:
    different = facts(("different", figure(column.distinct)))
    if not values.top:
        return [element("p", "Each row has a value of its own.", class_="quiet"), different]
    return [_bars(values.top[:WORST], values.others + sum(v.count for v in values.top[WORST:]), rows), different]


def _bars(values: Sequence[Value], others: int, rows: int) -> Markup:
    """Values and their shares of all rows, drawn against the most frequent."""
    most = max([others, *(value.count for value in values)]) or 1
    items = [
        element(
            "li",
            element("span", named(value.value) if value.value else element("i", "empty text"), title=value.value),
            meter(value.count / most),
            element("span", share(value.count / rows), class_="number", title=counted(value.count, "row")),
        )
        for value in values
    ]
    if others:
        rest = element("span", share(others / rows), class_="number", title=counted(others, "row"))
        items.append(element("li", element("i", "all others", class_="soft"), meter(others / most, kind="rest"), rest))
    return element("ul", *items, class_="rows")


def _footer(profile: Profile) -> Markup:
    digest = element("p", "Digest of the rows: ", element("code", profile.data_digest))
    told = element(
        "p",
        "The strip below a histogram reaches from the 5th to the 95th percentile, its box from the 25th to the 75th; a "
        "pale bar at an end stands for a long tail. Of personal columns nothing is shown but how much is missing.",
    )
    return element("footer", told, digest)
