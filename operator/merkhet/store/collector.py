"""What may go from a namespace's store, and in which order, so that nobody finds half of anything?

Old versions of features lose their name first: the newest stay, and all that something uses. Then every blob that
nothing names is marked, and when that has been so in two passes a grace period apart, it is taken away. Whatever cannot
be read ends the pass: what it names would not be known. Killed at any moment, the next pass carries on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from graphlib import TopologicalSorter

from pydantic import Field, ValidationError

from merkhet.contract.base import Message
from merkhet.contract.live import KINDS, LiveList
from merkhet.errors import Corrupt, MerkhetError, Missing, Unavailable
from merkhet.store import paths, references
from merkhet.store.port import Stat, Store
from merkhet.store.roots import Root, root_at

_MANIFEST = re.compile(r"featuresets/([^/]+)/([1-9][0-9]{0,8})\.manifest\.json")
_RECORD = re.compile(r"runs/[^/]+/record\.json")
_BLOB = re.compile(r"[0-9a-f]{64}")
# Blobs beyond this are rows or models, never documents that name others. Units: bytes.
LARGEST_DOCUMENT = 16 << 20
# The clocks of operator, pods and storage may be apart by so much. Units: seconds.
CLOCKS = 600.0


class Collection(Message):
    """What a pass did, and what the next one has to know. Units: seconds since 1970."""

    version: int = 1
    at: float
    stopped: str = ""  # why, in words, where the pass did not come to its end
    retired: tuple[str, ...] = ()  # manifests
    released: tuple[str, ...] = ()  # roots
    blobs: int = 0
    bytes: int = 0
    unmarked: dict[str, float] = Field(default_factory=dict)  # digests that nothing names, and since when
    ownerless: dict[str, float] = Field(default_factory=dict)  # roots, and since when


def collect(store: Store, live: LiveList | None, *, now: float, grace: float) -> Collection:
    """One pass: retire, mark, free; what it did is left in the store. Units: seconds."""
    former = _former(store)
    work = _Pass(store, former, now, grace, unmarked=dict(former.unmarked), ownerless=dict(former.ownerless))
    try:
        work.run(live)
    except (MerkhetError, OSError) as error:
        work.stopped = str(error)
    done = work.outcome()
    store.replace(paths.COLLECTOR, done.dump().encode())
    return done


@dataclass(slots=True)
class _Pass:
    """One pass as it goes. ``unmarked`` and ``ownerless`` are as the last pass left them until they are known anew."""

    store: Store
    former: Collection
    now: float
    grace: float
    unmarked: dict[str, float]
    ownerless: dict[str, float]
    stopped: str = ""
    roots: dict[str, Root] = field(default_factory=dict)
    rooted: set[str] = field(default_factory=set)  # what roots name themselves
    marked: set[str] = field(default_factory=set)
    retired: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    blobs: int = 0
    bytes: int = 0

    def run(self, live: LiveList | None) -> None:
        """Do all of it; raises where something cannot be read."""
        self.store.recover()
        living = _complete(live, self.now)
        self._release(living)
        self._forget_trials()
        self._retire(living)
        self._mark(living.needed)
        self._mark(self._named())
        self._free()

    def outcome(self) -> Collection:
        """What was done so far."""
        return Collection(
            at=self.now,
            stopped=self.stopped,
            retired=tuple(self.retired),
            released=tuple(self.released),
            blobs=self.blobs,
            bytes=self.bytes,
            unmarked=self.unmarked,
            ownerless=self.ownerless,
        )

    def _release(self, live: LiveList) -> None:
        """Take away the roots whose owners have been gone for a grace period, as a list newer than the root says."""
        made, living = _moment(live.made), _Living.of(live)
        self._look_at_roots()
        gone = [
            path
            for path, root in self.roots.items()
            if not living.has(root) and self._age(path, default=made) < made - self._doubt(root)
        ]
        self.ownerless = {path: self.former.ownerless.get(path, self.now) for path in gone}
        for path in [path for path in gone if self._is_ripe(self.former.ownerless.get(path))]:
            self.store.delete(path)
            del self.roots[path], self.ownerless[path]
            self.released.append(path)
        self.rooted = {digest for root in self.roots.values() for digest in root.digests}

    def _forget_trials(self) -> None:
        """Take away what the trials of a search found, when no root speaks of their run any more."""
        working = {root.run for root in self.roots.values()}
        for path in self.store.list(paths.TRIALS):
            if path.split("/")[1] not in working and self._age(path) < self.now - self.grace:
                self.store.delete(path)

    def _doubt(self, root: Root) -> float:
        """How much newer than a root the list must be: a run that is over needs it no more, whatever the clocks say."""
        return 0.0 if root.run is not None and self._is_over(root.run) else min(self.grace, CLOCKS)

    def _retire(self, live: LiveList) -> None:
        """Take the names of old versions away; their bytes go when nothing else names them."""
        pinned = {(pin.feature_set, pin.version) for pin in live.pins}
        for name, keep in sorted(live.keep.items()):
            for number in self._published(name)[keep:]:
                path = paths.feature_manifest(name, number)
                if (name, number) in pinned or not self._may_retire(path, live):
                    continue
                # The profile first: one without a manifest belongs to a version that is being made.
                self.store.delete(paths.feature_profile(name, number))
                self.store.delete(path)
                self.retired.append(path)

    def _may_retire(self, path: str, live: LiveList) -> bool:
        try:
            content = self.store.read(path)
        except Missing:
            return False
        references.parsed(path, content)
        self._look_at_roots()
        return _digest(content) not in self.rooted.union(live.needed)

    def _published(self, name: str) -> list[int]:
        """The versions that have a manifest, the newest first."""
        found = (_MANIFEST.fullmatch(path) for path in self.store.list(paths.feature_sets(name)))
        return sorted((int(match[2]) for match in found if match), reverse=True)

    def _named(self) -> Iterator[str]:
        """The digests that all documents of the store name, and the documents' own."""
        for path in self.store.list(""):
            if path.split("/")[0] in {"blobs", paths.RAW, paths.CAPTURE, paths.TRIALS, paths.COLLECTOR}:
                continue
            try:
                content = self.store.read(path)
            except Missing:
                continue  # a root that has gone, or a file of the last version
            document = references.parsed(path, content)
            yield _digest(content)
            yield from (
                references.named_by_record(document) if _RECORD.fullmatch(path) else references.named_by(document)
            )

    def _free(self) -> None:
        """Take away what nothing names, whoever names others first, and what those name only when they are gone."""
        unmarked = [digest for digest in self._all_blobs() if digest not in self.marked]
        self.unmarked = {digest: self.former.unmarked.get(digest, self.now) for digest in unmarked}
        cutoff = self._cutoff()
        named = {digest: self._named_by(digest) for digest in unmarked}
        order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(unmarked, ()))
        for digest, names in named.items():
            for other in names & named.keys():
                order.add(other, digest)
        for digest in order.static_order():
            if digest not in self.marked and not self._is_freed(digest, cutoff):
                self._mark(named[digest])

    def _is_freed(self, digest: str, cutoff: float) -> bool:
        """Whether a blob that nothing names is gone now."""
        size = 0

        def wanted(found: Stat) -> bool:
            nonlocal size
            size = found.size
            self._look_at_roots()
            return found.written >= cutoff or digest in self.marked

        if not self._is_ripe(self.former.unmarked.get(digest)) or self._age(paths.blob(digest)) >= cutoff:
            return False
        self._look_at_roots()
        if digest in self.marked or not self.store.discard(digest, wanted):
            return False
        del self.unmarked[digest]
        self.blobs, self.bytes = self.blobs + 1, self.bytes + size
        return True

    def _cutoff(self) -> float:
        """What was added since is kept: runs that are not over may have added it, and name it only in the end."""
        working = (path for path, root in self.roots.items() if root.run is not None and not self._is_over(root.run))
        return min([self.now - self.grace, *(self._age(path) for path in working)])

    def _is_over(self, run: str) -> bool:
        return self.store.exists(paths.run_record(run))

    def _look_at_roots(self) -> None:
        """Take in the roots that have come; what they name is marked."""
        for path in self.store.list(paths.ROOTS):
            if path in self.roots:
                continue
            try:
                root = self.roots[path] = root_at(self.store, path)
            except Missing:
                continue
            self.rooted.update(root.digests)
            self._mark(root.digests)

    def _mark(self, digests: Iterable[str]) -> None:
        """Keep these blobs, and what they name in turn."""
        for first in digests:
            waiting = [first]
            while waiting:
                digest = waiting.pop()
                if digest not in self.marked:
                    self.marked.add(digest)
                    waiting.extend(self._named_by(digest))

    def _named_by(self, digest: str) -> frozenset[str]:
        """What a blob names, where it is a document; raises ``Corrupt``."""
        path = paths.blob(digest)
        try:
            if self.store.head(path, 1) != b"{" or self.store.stat(path).size > LARGEST_DOCUMENT:
                return frozenset()
            content = self.store.read(path)
        except Missing:
            return frozenset()
        if _digest(content) != digest:
            raise Corrupt(f"blob {digest} is corrupt, so that nobody knows what it names; restore it from a snapshot")
        try:
            return references.named_by(references.parsed(path, content))
        except Corrupt:
            return frozenset()  # intact, and no document

    def _all_blobs(self) -> Iterator[str]:
        for path in self.store.list(paths.BLOBS):
            name = path.rpartition("/")[2]
            if not _BLOB.fullmatch(name):
                raise Corrupt(f"{path} stands among the blobs and has no digest for a name; move it away")
            yield f"sha256:{name}"

    def _is_ripe(self, since: float | None) -> bool:
        """Whether it was found by an earlier pass, and that a grace period ago."""
        return since is not None and since <= self.now - self.grace

    def _age(self, path: str, default: float | None = None) -> float:
        """When it was written; where it is gone, as good as now."""
        try:
            return self.store.stat(path).written
        except Missing:
            return self.now if default is None else default


def last_collection(store: Store) -> Collection | None:
    """What the last pass did; None where there was none, or nobody can read it any more."""
    try:
        return Collection.load(store.read(paths.COLLECTOR))
    except (Missing, ValidationError):
        return None


def _former(store: Store) -> Collection:
    """What the last pass left; without it all grace periods begin anew."""
    return last_collection(store) or Collection(at=0.0)


def _complete(live: LiveList | None, now: float) -> LiveList:
    what = "the list of live objects (ConfigMap merkhet-live)"
    if live is None:
        raise Unavailable(f"{what} is not there; the operator writes it")
    if not live.complete:
        raise Unavailable(f"{what} is not complete: {live.message}")
    if unknown := [kind for kind in KINDS if kind not in live.kinds]:
        said = " and ".join(f"{kind}s" for kind in unknown)
        raise Unavailable(f"{what} does not speak of {said}; use one version for operator and images")
    if _moment(live.made) > now + CLOCKS:
        raise Unavailable(f"{what} was made at {live.made}, which is yet to come; put the clocks of the nodes right")
    return live


@dataclass(frozen=True, slots=True)
class _Living:
    """Who is on the list: objects by uid with their runs, and by kind and name; and which kinds it is about."""

    runs: Mapping[str, frozenset[str]]
    names: frozenset[tuple[str, str]]
    kinds: frozenset[str]

    @classmethod
    def of(cls, live: LiveList) -> _Living:
        return cls(
            {one.uid: frozenset(one.runs) for one in live.objects},
            frozenset((one.kind, one.name) for one in live.objects),
            frozenset(live.kinds),
        )

    def has(self, root: Root) -> bool:
        """Whether the root's owner lives, and the run that it is for is not over."""
        owner = root.owner
        if owner.kind not in self.kinds:
            return True  # of a kind to come: the list cannot lack it
        if owner.uid is None:
            made_now = root.made_by is not None and any(root.made_by in runs for runs in self.runs.values())
            return made_now or (owner.kind, owner.name) in self.names
        runs = self.runs.get(owner.uid)
        return runs is not None and (root.run is None or root.run in runs)


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise Corrupt(f"the list of live objects says it was made at {text!r}, which is no time") from error


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
