"""Where things stand in a store, and which names may stand there."""

from __future__ import annotations

import re

from merkhet.errors import InvalidSpec

SCHEME = "store://"
BLOBS = "blobs/sha256"
RAW = "raw"  # users' files
CAPTURE = "capture"  # what servers write
ROOTS = "roots"
TRIALS = "trials"
COLLECTOR = "collector.json"  # what the collector found last

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_KEY = re.compile(r"[0-9a-f]{20}")
_VERSION = re.compile(r"[A-Za-z0-9]([-.A-Za-z0-9]{0,30}[A-Za-z0-9])?")
_ROOT = re.compile(r"[a-z0-9][-.a-z0-9]{0,252}")
_GLOB = re.compile(r"[*?\[]")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\\]")

LONGEST_WORD = 240  # bytes; file systems end at 255, a temporary file's name is a little longer than its target's
LONGEST_PATH = 1024  # bytes; S3's limit for a key


def blob(digest: str) -> str:
    """Bytes by content."""
    return f"{BLOBS}/{_matched(_DIGEST, digest, 'digest', 'sha256: and 64 hex digits')[7:]}"


def run_claim(key: str) -> str:
    """The claim of a run: who began it."""
    return f"runs/{_key(key)}/claim.json"


def run_record(key: str) -> str:
    """The record of a finished run: its last report."""
    return f"runs/{_key(key)}/record.json"


def trials(key: str) -> str:
    """The folder of what the trials of a run's search found."""
    return f"{TRIALS}/{_key(key)}"


def trial(key: str, asked: str, number: int) -> str:
    """What a trial found, written once; ``asked`` is the digest of what it was asked. Trials are counted from 0."""
    if number < 0:
        raise InvalidSpec(f"trial {number} cannot be: trials are counted from 0")
    return f"{trials(key)}/{_key(asked)}-{number}.json"


def feature_sets(name: str) -> str:
    """The folder of a FeatureSet's versions."""
    return f"featuresets/{_name(name)}"


def feature_manifest(name: str, number: int) -> str:
    """The manifest of a FeatureSet's version, written last."""
    return f"{feature_sets(name)}/{_number(number)}.manifest.json"


def feature_profile(name: str, number: int) -> str:
    """The data profile of a FeatureSet's version, written before its manifest."""
    return f"{feature_sets(name)}/{_number(number)}.profile.json"


def online_pointer(name: str) -> str:
    """Which file answers look-ups of a FeatureSet's entities: written anew with each version."""
    return f"{feature_sets(name)}/online.json"


def components(name: str) -> str:
    """The folder of a component's versions."""
    return f"components/{_name(name)}"


def component(name: str, version: str) -> str:
    """A version of a component: written once, and for ever."""
    return f"{components(name)}/{_matched(_VERSION, version, 'version', 'letters, digits, - and .')}.json"


def models(model: str) -> str:
    """The folder of a model's versions."""
    return f"models/{_name(model)}"


def claimed_number(folder: str, number: int) -> str:
    """The claim of a version number in ``feature_sets(…)`` or ``models(…)``."""
    return f"{check(folder)}/{_number(number)}.json"


def root(identity: str) -> str:
    """A mark that keeps what it names from the collector."""
    return f"{ROOTS}/{_matched(_ROOT, identity, 'root', 'letters, digits, - and .')}"


def of_uri(uri: str) -> str:
    """The path that ``store://raw/…`` names; a glob stays a glob."""
    if not uri.startswith(SCHEME):
        raise InvalidSpec(f"{uri} is no address in the store; write store://raw/<path>")
    return check(uri.removeprefix(SCHEME))


def raw(path: str) -> str:
    """A user's file: ``raw/…`` or ``store://raw/…``; raises ``InvalidSpec`` for what is elsewhere."""
    checked = of_uri(path) if path.startswith(SCHEME) else check(path)
    if not checked.startswith(f"{RAW}/"):
        raise InvalidSpec(f"{path} is not below store://raw/, where users' files stand; write store://raw/{checked}")
    return checked


def file(path: str) -> str:
    """A user's file of that very name; raises ``InvalidSpec`` also where readers would take the name for a glob."""
    checked = raw(path)
    if _GLOB.search(checked):
        raise InvalidSpec(f"{path} has *, ? or [, which stand for other names in an address; name the file without")
    return checked


def check(path: str) -> str:
    """The path itself, if it is relative and cannot leave the store; raises ``InvalidSpec``."""
    if not path or len(path.encode()) > LONGEST_PATH:
        raise InvalidSpec(f"a path in the store has 1 to {LONGEST_PATH} bytes, {path[:80]!r} has {len(path.encode())}")
    for word in path.split("/"):
        if word.startswith(".") or not word or _UNPRINTABLE.search(word) or len(word.encode()) > LONGEST_WORD:
            raise InvalidSpec(
                f"{path!r} is no path in the store: {word!r} between its slashes is empty, begins with a dot, "
                f"has a backslash or control character, or is longer than {LONGEST_WORD} bytes"
            )
    return path


def _name(name: str) -> str:
    return _matched(_NAME, name, "name", "lower-case letters, digits and -")


def _key(key: str) -> str:
    return _matched(_KEY, key, "run key", "20 hex digits")


def _number(number: int) -> int:
    if number < 1:
        raise InvalidSpec(f"version {number} cannot be: versions are counted from 1")
    return number


def _matched(pattern: re.Pattern[str], text: str, what: str, wanted: str) -> str:
    if not pattern.fullmatch(text):
        raise InvalidSpec(f"{text[:80]!r} is no {what}: wanted {wanted}")
    return text
