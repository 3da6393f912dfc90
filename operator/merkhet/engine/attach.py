"""How do changes in the cluster reach the cache? Kopf watches and hands on events, nothing else of it is used."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import kopf
from kopf._core.reactor import processing

from merkhet.api.meta import Api, Body
from merkhet.engine.access import login
from merkhet.engine.resync import Watched
from merkhet.kinds.kind import Kind
from merkhet.manifests import labels

OURS = f"{labels.MANAGED_BY}={labels.MANAGER}"
# What Kopf hands on: how the state of the object came (None: listed), and the object.
Seen = Callable[[Api, str | None, Body], None]
_log = logging.getLogger(__name__)


def watched(kinds: Iterable[Kind]) -> list[Watched]:
    """What has to be watched: our own kinds whole, of Kubernetes' kinds what carries our label."""
    kinds = list(kinds)
    custom = {kind.api for kind in kinds if kind.custom}
    apis = {api: None for kind in kinds for api in (kind.api, *kind.children, *kind.reads) if api.namespaced}
    return [Watched(api, "" if api in custom else OURS) for api in apis]


def registry(what: Iterable[Watched], seen: Seen) -> kopf.OperatorRegistry:
    """Kopf's handlers: a login, and one that hands on events for each kind."""
    handlers = kopf.OperatorRegistry()
    kopf.on.login(registry=handlers, id="login")(login)
    for watched_ in what:
        _register(handlers, watched_.api, seen)
    return handlers


def _register(handlers: kopf.OperatorRegistry, api: Api, seen: Seen) -> None:
    @kopf.on.event(api.group, api.version, api.plural, registry=handlers, id=api.plural)
    async def hand_on(event: Any, **_: Any) -> None:
        _hand_on(api, event, seen)


def _hand_on(api: Api, event: Any, seen: Seen) -> None:
    # Kopf swallows what a handler raises; here it would be a change that nobody learns of.
    try:
        seen(api, event["type"], event["object"])
    except Exception:
        _log.exception("an event of %s was lost; the next full list repairs that", api.plural)


@contextmanager
def short_cut(what: Iterable[Watched], seen: Seen) -> Iterator[None]:
    """Hand events on as soon as Kopf has them; Kopf must be started meanwhile.

    For each event, Kopf looks for what changed since it last handled the object, for finalizers, timers and patches:
    a quarter of our CPU time for nothing. Should Kopf no longer ask this function, its handlers do the same, slower.
    """
    apis = {(one.api.group, one.api.version, one.api.plural): one.api for one in what}

    async def hand_on(*, resource: Any, raw_event: Any, **_: Any) -> None:
        _hand_on(apis[resource.group, resource.version, resource.plural], raw_event, seen)

    former = processing.process_resource_event
    processing.process_resource_event = hand_on  # type: ignore[assignment]
    try:
        yield
    finally:
        processing.process_resource_event = former


def settings(what: Iterable[Watched]) -> kopf.OperatorSettings:
    """Kopf without all that it would do on its own."""
    kopf_settings = kopf.OperatorSettings()
    kopf_settings.peering.standalone = True
    # No list and watch of CRDs and namespaces: the chart installs the one, a setting names the other.
    kopf_settings.scanning.disabled = True
    kopf_settings.posting.enabled = False
    kopf_settings.posting.loggers = False
    kopf_settings.networking.request_timeout = 30
    kopf_settings.networking.connect_timeout = 5
    kopf_settings.watching.server_timeout = 300
    kopf_settings.watching.inactivity_timeout = 70
    kopf_settings.watching.chunk_size = 500
    kopf_settings.queueing.idle_timeout = 1
    kopf_settings.process.ultimate_exiting_timeout = 20
    kopf_settings.execution.max_workers = 1
    kopf_settings.persistence.finalizer = "merkhet.dev/never"
    for watched_ in what:
        if watched_.labels:
            api = watched_.api
            kopf_settings.watching.label_selectors[api.group, api.version, api.plural] = watched_.labels
    return kopf_settings
