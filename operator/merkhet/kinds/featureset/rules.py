"""What the API server checks of quality rules: each is of one form, and whole."""

from __future__ import annotations

from merkhet.kinds.kind import Cel

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
    Cel(
        "!has(self.maxAge) || duration(self.maxAge) >= duration('1s')",
        "maxAge is shorter than a second: write something like 48h",
        at=RULE,
    ),
    Cel(
        "!has(self.quality) || !self.quality.rules.exists(rule, has(rule.maxAge)) || has(self.timestamp)",
        "maxAge is measured from the newest timestamp: write spec.timestamp",
    ),
)
