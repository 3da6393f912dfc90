"""Which of our objects must be looked at again when this one changes?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from merkhet.api.meta import Body, Key
from merkhet.kinds.kind import Kind
from merkhet.manifests import labels


@dataclass(frozen=True, slots=True)
class Named:
    """An object was asked for by name, whether it exists or not."""

    key: Key


@dataclass(frozen=True, slots=True)
class Labelled:
    """All objects of a kind with certain labels were asked for."""

    kind: str
    namespace: str
    labels: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Controlled:
    """All objects of a kind that a certain object controls were asked for."""

    kind: str
    uid: str


Question = Named | Labelled | Controlled


class Interest:
    """Who asks what, from the moment it is asked; owners are interested in their children without asking."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds = {kind.api.kind: kind for kind in kinds}
        self._by_label = {kind.api.kind.lower(): kind.api.kind for kind in self._kinds.values()}
        self._asked: dict[Key, frozenset[Question]] = {}
        self._askers: dict[Question, set[Key]] = {}
        self._selections: dict[tuple[str, str], dict[Labelled, None]] = {}

    def asks(self, key: Key, question: Question) -> None:
        """Remember a question of a pass that goes on: what it is about may change before the pass is over."""
        known = self._asked.get(key, frozenset())
        if question not in known:
            self.asked(key, known | {question})

    def asked(self, key: Key, questions: frozenset[Question]) -> None:
        """Remember what a pass that is over asked, in place of what the one before asked."""
        before = self._asked.get(key, frozenset())
        if before == questions:
            return
        for question in before - questions:
            self._drop(question, key)
        for question in questions - before:
            self._askers.setdefault(question, set()).add(key)
            if isinstance(question, Labelled):
                self._selections.setdefault((question.kind, question.namespace), {})[question] = None
        if questions:
            self._asked[key] = questions
        else:
            self._asked.pop(key, None)

    def forget(self, key: Key) -> None:
        """The object is gone and asks no more."""
        self.asked(key, frozenset())

    def askers(self, question: Question) -> Iterable[Key]:
        """Who asked this in its last pass."""
        return self._askers.get(question, ())

    def questions(self) -> Iterable[Question]:
        """All that is asked by anybody."""
        return self._askers.keys()

    def concerned(self, key: Key, former: Body | None, body: Body | None) -> set[Key]:
        """Whom a change of this object concerns: itself, its owner, and who asked for it."""
        concerned = set(self._askers.get(Named(key), ()))
        for state in (former, body):
            if state is not None:
                concerned.update(self._related(key, state))
        return concerned

    def _related(self, key: Key, body: Body) -> Iterator[Key]:
        kind = self._kinds.get(key.kind)
        if kind is not None and is_ours(kind, body):
            yield key
        meta: dict[str, Any] = body["metadata"]
        for reference in meta.get("ownerReferences") or ():
            if reference.get("controller"):
                if reference["kind"] in self._kinds:
                    yield Key(reference["kind"], key.namespace, reference["name"])
                yield from self._askers.get(Controlled(key.kind, reference["uid"]), ())
        carried: dict[str, str] = meta.get("labels") or {}
        if carried.get(labels.MANAGED_BY) == labels.MANAGER and labels.NAME in carried:
            maker = self._by_label.get(carried.get(labels.KIND, ""))
            if maker is not None:
                yield Key(maker, key.namespace, carried[labels.NAME])
        for question in self._selections.get((key.kind, key.namespace), ()):
            if question.labels <= carried.items():
                yield from self._askers.get(question, ())

    def _drop(self, question: Question, key: Key) -> None:
        askers = self._askers[question]
        askers.discard(key)
        if not askers:
            del self._askers[question]
            if isinstance(question, Labelled):
                del self._selections[question.kind, question.namespace][question]


def is_ours(kind: Kind, body: Body) -> bool:
    """Whether an object of a kind is one that we look after: all of our own kinds, chosen ones of others."""
    return kind.selects is None or kind.selects(body)
