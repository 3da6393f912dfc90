"""``lineage KIND/NAME``: what made a thing, and what was made with it, as a tree."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from merkhet import GROUP
from merkhet.api.meta import Body
from merkhet.errors import MerkhetError, Missing
from merkhet.plugin import relations
from merkhet.plugin.export import MODELVERSION
from merkhet.plugin.kubectl import Kubectl, names
from merkhet.plugin.relations import Data, Used, World
from merkhet.plugin.rows import FEATURESET

COMPONENT = {"comp", "component", "components", f"component.{GROUP}", f"components.{GROUP}"}
ASKED = ",".join(f"{plural}.{GROUP}" for plural in ("featuresets", "components", "modelversions", "modeldeployments"))
DIGITS = 12  # of a digest's 64, as people compare them by eye; -o json has all


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    command = commands.add_parser("lineage", parents=[shared], help="what made a thing, and what was made with it")
    command.add_argument("what", metavar="KIND/NAME", help="mv/NAME, fs/NAME, fs/NAME@VERSION, comp/NAME@VERSION …")
    command.add_argument("-o", "--output", choices=["text", "json"], default="text")
    command.set_defaults(run=run)


def run(asked: argparse.Namespace, kubectl: Kubectl) -> int:
    """Ask for all objects once, and print the tree around one of them."""
    kind, name = names([asked.what])
    world = World.of(kubectl.json("get", ASKED)["items"])
    tree = tree_of(world, kind.lower(), name, kubectl.current_namespace())
    print(json.dumps(tree.body(), indent=2) if asked.output == "json" else "\n".join(drawn(tree)))
    return 0


@dataclass(frozen=True, slots=True)
class Node:
    """A thing and how it stands to the one above it: a word of ``WORDS``."""

    relation: str
    what: dict[str, Any]
    children: tuple[Node, ...] = ()

    def body(self) -> dict[str, Any]:
        """As JSON."""
        related = {"relation": self.relation} if self.relation else {}
        below = {"children": [child.body() for child in self.children]} if self.children else {}
        return {**related, **self.what, **below}


def tree_of(world: World, kind: str, name: str, namespace: str) -> Node:
    """The tree around an object.

    Raises: Missing where neither the object is there nor anything that was made with it; MerkhetError for other kinds.
    """
    name, _, version = name.partition("@")
    if kind in MODELVERSION and not version:
        root, there = _version(world, name), name in world.versions
    elif kind in FEATURESET and (version.isdecimal() or not version):
        number = int(version) if version else None
        root, there = _features(world, Data(name, number)), _has_features(world, name, number)
    elif kind in COMPONENT:
        root, there = _component(world, Used(name, version or None)), _has_component(world, name, version)
    else:
        found = f"{kind}/{name}@{version}" if version else f"{kind}/{name}"
        raise MerkhetError(f"wanted mv/NAME, fs/NAME[@NUMBER] or comp/NAME[@VERSION]; found {found}")
    if there or any(child.relation == "usedBy" and "by" not in child.what for child in root.children):
        return root
    wanted = f"{root.what['kind']} {namespace}/{name}{f' version {version}' if version else ''}"
    raise Missing(f"{wanted} is not there, and nothing tells of its use: kubectl get {root.what['kind'].lower()}s")


def _has_features(world: World, name: str, number: int | None) -> bool:
    """Whether there is, or once was, such a version: numbers are given in their order."""
    body = world.features.get(name)
    return body is not None and (number is None or 0 < number <= (relations.latest(body) or 0))


def _has_component(world: World, name: str, version: str) -> bool:
    return name in world.components and (not version or bool(relations.digest_of_component(world, name, version)))


def _version(world: World, name: str) -> Node:
    body = world.versions.get(name)
    if body is None:
        return Node("", {"kind": "ModelVersion", "name": name})
    record, status = body["spec"]["record"], relations.status(body)
    lineage, decision = record.get("lineage") or {}, status.get("decision")
    origin = {word: lineage[word] for word in ("author", "revision", "image") if lineage.get(word)}
    parts = (
        _training(lineage.get("training") or {}),
        *(Node(word, {"name": value}) for word, value in origin.items()),
        *(_data(world, data, frozenset()) for data in relations.recorded_data(body)),
        *(_with(used) for used in relations.recorded_components(body)),
        *_servers(world, body),
    )
    what = {"kind": "ModelVersion", "name": name, "digest": record["artifact"]["digest"]}
    return Node("", {**what, **({"decision": decision} if decision else {})}, parts)


def _training(made: dict[str, str]) -> Node:
    if not made:
        return Node("brought", {})
    return Node("madeBy", {"kind": "ModelTraining", **{word: made[word] for word in sorted(made) if word != "uid"}})


def _features(world: World, data: Data) -> Node:
    there = world.features.get(data.name)
    digest = relations.digest_of_features(world, data.name, data.version)
    above = frozenset({data.name})
    made = tuple(_made_from(world, there, data.version, above)) if there else ()
    return Node("", _said(Data(data.name, data.version, digest)), (*made, *_users(world, data, above)))


Above = frozenset[str]  # the FeatureSets that stand above in the tree: specs may lead in circles, the tree does not


def _data(world: World, data: Data, above: Above, *, by_spec: bool = False) -> Node:
    """A version that something was made from, with what it was made from itself."""
    there = world.features.get(data.name) if data.namespace is None and data.name not in above else None
    below = _made_from(world, there, data.version, above | {data.name}) if there else ()
    return Node("from", _said(data, by_spec=by_spec), tuple(below))


def _made_from(world: World, features: Body, number: int | None, above: Above) -> Iterator[Node]:
    known = relations.known_inputs(features)
    by_spec = number not in known
    inputs = relations.spec_inputs(features) if number is None or by_spec else known[number]
    yield from (_data(world, data, above, by_spec=by_spec) for data in inputs)
    for address in relations.addresses(features):
        yield Node("from", {"uri": address, "by": "spec"})
    if number is not None and number == relations.latest(features):
        yield from (_with(used) for used in relations.known_components(features))
    else:
        for used in relations.spec_components(features):
            digest = relations.digest_of_component(world, used.name, used.version)
            yield _with(Used(used.name, used.version, digest), by_spec=True)


def _users(world: World, data: Data, above: Above) -> Iterator[Node]:
    """What was made from the data: models, and other FeatureSets with what was made from those."""
    for name, body in world.versions.items():
        taken = [found for found in relations.recorded_data(body) if data.covers(found.name, found.version)]
        if taken:
            told = {"of": taken[0].version} if data.version is None else {}
            yield Node("usedBy", {"kind": "ModelVersion", "name": name, **told}, tuple(_servers(world, body)))
    for name, body in world.features.items():
        if name not in above:
            yield from _derived(world, data, body, above | {name})


def _derived(world: World, data: Data, features: Body, above: Above) -> Iterator[Node]:
    """The versions of another FeatureSet that were made from the data."""
    known = relations.known_inputs(features)
    taking = sorted(n for n, inputs in known.items() if any(_is(data, one) for one in inputs))
    yield from _versions(world, features, taking, above)
    if any(_is(data, one) for one in relations.spec_inputs(features)):
        yield from _by_spec(world, features, frozenset(known), above, alone=not taking)


def _versions(world: World, features: Body, numbers: list[int], above: Above) -> Iterator[Node]:
    name = features["metadata"]["name"]
    for number in numbers:
        own = Data(name, number, relations.digest_of_features(world, name, number))
        yield Node("usedBy", _said(own), tuple(_users(world, own, above)))


def _by_spec(world: World, features: Body, known: frozenset[int], above: Above, *, alone: bool) -> Iterator[Node]:
    """The versions of which nothing better is known; not shown where others are and nothing was made from these."""
    own = Data(features["metadata"]["name"], besides=known)
    users = tuple(_users(world, own, above))
    if alone or users:
        yield Node("usedBy", _said(own, by_spec=True), users)


def _is(data: Data, other: Data) -> bool:
    return other.namespace is None and data.covers(other.name, other.version)


def _component(world: World, used: Used) -> Node:
    digest = relations.digest_of_component(world, used.name, used.version)
    models = [
        Node("usedBy", {"kind": "ModelVersion", "name": name}, tuple(_servers(world, body)))
        for name, body in world.versions.items()
        if any(used.covers(one) for one in relations.recorded_components(body))
    ]
    tables = [node for body in world.features.values() for node in _tables(world, used, body)]
    return Node("", _named("Component", used.name, used.version, digest), (*models, *tables))


def _tables(world: World, used: Used, features: Body) -> Iterator[Node]:
    """The versions of a FeatureSet that were made with the component."""
    newest = relations.latest(features)
    above = frozenset({str(features["metadata"]["name"])})
    taking = newest is not None and any(used.covers(one) for one in relations.known_components(features))
    yield from _versions(world, features, [newest] if newest is not None and taking else [], above)
    if any(used.covers(one) for one in relations.spec_components(features)):
        yield from _by_spec(world, features, frozenset({newest} if newest else ()), above, alone=not taking)


def _with(used: Used, *, by_spec: bool = False) -> Node:
    return Node("with", _named("Component", used.name, used.version, used.digest, by_spec=by_spec))


def _servers(world: World, version: Body) -> Iterator[Node]:
    for relation, name in relations.servers(world, version):
        yield Node(relation, {"kind": "ModelDeployment", "name": name})


def _said(data: Data, *, by_spec: bool = False) -> dict[str, Any]:
    name = f"{data.namespace}/{data.name}" if data.namespace else data.name
    return _named("FeatureSet", name, data.version, data.digest, by_spec=by_spec)


def _named(
    kind: str, name: str, version: int | str | None, digest: str | None, *, by_spec: bool = False
) -> dict[str, Any]:
    facts = {"version": version, "digest": digest, "by": "spec" if by_spec else None}
    return {"kind": kind, "name": name, **{word: value for word, value in facts.items() if value is not None}}


WORDS = {
    "": "",
    "madeBy": "made by ",
    "brought": "brought from elsewhere",
    "author": "author ",
    "revision": "revision ",
    "image": "image ",
    "from": "from ",
    "with": "with ",
    "usedBy": "used by ",
    "servedBy": "served by ",
    "servedNextBy": "to be served by ",
}


def drawn(tree: Node) -> Iterator[str]:
    """The tree as lines of text."""
    yield line(tree)
    for number, child in enumerate(tree.children, 1):
        last = number == len(tree.children)
        first, *rest = drawn(child)
        yield f"{'└─' if last else '├─'} {first}"
        yield from (f"{'  ' if last else '│ '} {below}" for below in rest)


def line(node: Node) -> str:
    """One thing in words."""
    what = node.what
    words = " ".join(str(what[word]) for word in ("kind", "name", "uri") if word in what)
    version = f" version {what['version']}" if "version" in what else ""
    digest = what.get("digest", "")[: len("sha256:") + DIGITS]
    run = ", ".join(f"{word} {what[word]}" for word in ("run", "trigger") if word in what)
    taken = f"of version {what['of']}" if "of" in what else ""
    known = "(by its spec of today)" if what.get("by") == "spec" else ""
    more = (digest, what.get("decision", ""), run, taken, known)
    return "  ".join((f"{WORDS[node.relation]}{words}{version}", *filter(None, more)))
