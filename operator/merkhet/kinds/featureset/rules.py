"""What the API server checks of sources, of quality rules, each of one form and whole, and of limits on bias."""

from __future__ import annotations

from merkhet.kinds.kind import Cel
from merkhet.kinds.rules import lasts_a_second

RULE = ("spec", "quality", "rules", "[]")
OF_COLUMNS = "(has(self.notNull) || has(self.min) || has(self.max) || has(self.unique) || has(self.__in__))"
SAYS_SOMETHING = (
    "(has(self.notNull) && self.notNull) || has(self.min) || has(self.max) || (has(self.unique) && self.unique) "
    "|| has(self.__in__)"
)

QUALITY = (
    Cel(
        "[has(self.column), has(self.expression), has(self.minRows), has(self.maxAge)].exists_one(form, form)",
        "a quality rule is about one thing: write either column, expression, minRows or maxAge",
        at=RULE,
    ),
    Cel(
        f"!has(self.column) || {SAYS_SOMETHING}",
        "a rule on a column says what must hold of it: give notNull: true, min, max, unique: true or in",
        at=RULE,
    ),
    Cel(
        f"has(self.column) || !{OF_COLUMNS}",
        "notNull, min, max, unique and in are about a column: say which",
        at=RULE,
    ),
    Cel(
        "!(has(self.unique) && self.unique) || !(has(self.min) || has(self.max) || has(self.__in__))",
        "unique stands alone or with notNull: write min, max and in as a rule of their own",
        at=RULE,
    ),
    Cel(
        "!has(self.min) || !has(self.max) || self.min <= self.max",
        "min is more than max: no value could pass",
        at=RULE,
    ),
    Cel(
        "!has(self.maxFailingFraction) || has(self.column) || has(self.expression)",
        "maxFailingFraction is a share of rows: it goes with column or expression",
        at=RULE,
    ),
    lasts_a_second("maxAge", "48h", *RULE),
    Cel(
        "!has(self.quality) || !self.quality.rules.exists(rule, has(rule.maxAge)) || has(self.timestamp)",
        "maxAge is measured from the newest timestamp: write spec.timestamp",
    ),
)

IN_BIAS = ("spec", "bias")

BIAS = (
    Cel(
        "!has(self.bins) || (self.bins.isSorted() && self.bins.all(b, self.bins.exists_one(other, other == b)))",
        "bins say where one group ends and the next begins: write them ascending, each once",
        at=(*IN_BIAS, "sensitive", "[]"),
    ),
    Cel(
        "self.sensitive.all(s, self.sensitive.exists_one(t, t.column == s.column))",
        "a column is sensitive twice: name it once",
        at=IN_BIAS,
    ),
    Cel(
        "!has(self.label) || !self.sensitive.exists(s, s.column == self.label)",
        "the label is sensitive, too: compare it between groups of other columns",
        at=IN_BIAS,
    ),
    Cel(
        "has(self.label) || !has(self.positive)",
        "positive is a value of the label: write bias.label",
        at=IN_BIAS,
    ),
    Cel(
        "has(self.label) || !has(self.limits) || !(has(self.limits.demographic_parity_difference) "
        "|| has(self.limits.demographic_parity_ratio))",
        "demographic parity compares the rates of a label: write bias.label",
        at=IN_BIAS,
    ),
    Cel(
        "has(self.population) || !has(self.limits) || !has(self.limits.population_difference)",
        "population_difference is measured from a population: write bias.population",
        at=IN_BIAS,
    ),
    Cel(
        "!has(self.population) || self.population.all(name, self.sensitive.exists(s, s.column == name))",
        "population is stated for a column that is not sensitive: add it to bias.sensitive",
        at=IN_BIAS,
    ),
    Cel(
        "!has(self.population) || self.population.all(name, "
        "self.population[name].map(group, self.population[name][group]).sum() > 0.9899999 && "
        "self.population[name].map(group, self.population[name][group]).sum() < 1.0100001)",
        "the shares of a population add up to 1, within 0.01: state all of its groups",
        at=IN_BIAS,
    ),
)

SOURCE = ("spec", "sources", "[]")
SOURCES = (
    Cel(
        "has(self.uri) != has(self.featureSet)",
        "a source is files or another FeatureSet: write either uri or featureSet",
        at=SOURCE,
    ),
    Cel(
        "!has(self.format) || has(self.uri)",
        "format says what files are: a FeatureSet has none, leave it out",
        at=SOURCE,
    ),
    Cel(
        "!has(self.secretName) || (has(self.uri) && self.uri.startsWith('s3://'))",
        "secretName is for a bucket: write it beside uri: s3://…, or leave it out",
        at=SOURCE,
    ),
    Cel(
        "!has(self.join) || size(self.join) == 0 || has(self.timestamp)",
        "joins look for what was known at the time of each row: write spec.timestamp",
    ),
    # Of another namespace it may have the same name.
    Cel(
        "self.spec.sources.all(s, !has(s.featureSet) || has(s.featureSet.namespace) "
        "|| s.featureSet.name != self.metadata.name) "
        "&& (!has(self.spec.join) || self.spec.join.all(j, j.featureSet.name != self.metadata.name))",
        "a FeatureSet is made from itself: name another one, or files",
        at=(),
    ),
)

ONLINE = (
    Cel(
        "!has(self.online) || (has(self.entity) && size(self.entity) > 0)",
        "online looks rows up by their entity: write spec.entity",
    ),
    Cel(
        "!has(self.online) || !has(self.online.ttl) || has(self.timestamp)",
        "online.ttl is counted from the timestamp: write spec.timestamp",
    ),
    lasts_a_second("ttl", "24h", "spec", "online", called="online.ttl"),
)
