"""Look-ups of a FeatureSet by entity: what answers them, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from merkhet.api.conditions import Fact
from merkhet.api.meta import Body, Meta
from merkhet.api.quantities import duration
from merkhet.contract.features import FeaturesResult
from merkhet.contract.online import LookupTask
from merkhet.contract.runs import RunReport
from merkhet.kinds.apis import DEPLOYMENT, DISRUPTION, POD, SERVICE
from merkhet.kinds.common import Amounts, Resources, filled
from merkhet.kinds.featureset.types import FeatureSetSpec, FeatureSetStatus, Online, OnlineStatus
from merkhet.kinds.kind import Child, Live, Resource, Setup, World
from merkhet.kinds.servers import disruption_budget, servers_of, service
from merkhet.kinds.trouble import patience_left, trouble
from merkhet.manifests import names
from merkhet.manifests import online as manifests

FeatureSet = Resource[FeatureSetSpec, FeatureSetStatus]

ONLINE_READY = "OnlineReady"
CHILDREN = (DEPLOYMENT, SERVICE, DISRUPTION)
READS = (DEPLOYMENT, POD)
RESOURCES = "spec.online.resources"
# The rows themselves are the kernel's pages, which it takes back where memory is short; measured idle: 55 MB.
USUAL = Resources(requests=Amounts(cpu="100m", memory="128Mi"), limits=Amounts(cpu="1", memory="512Mi"))


@dataclass(frozen=True, slots=True)
class Servers:
    """What answers look-ups now."""

    deployment: Body | None = None
    pods: tuple[Body, ...] = ()


def wanted(spec: FeatureSetSpec) -> Online | None:
    """What is asked for; None where nothing is to be looked up."""
    return spec.online if spec.online is not None and spec.online.enabled else None


def deciding(spec: FeatureSetSpec, ended: int = 0) -> list[str | Body]:
    """What the trigger says: a file for look-ups is made. How they are answered starts no run.

    ``ended``: how often they were taken away. Versions since have no file, so that what was run before is run again.
    """
    if wanted(spec) is None:
        return []
    return [{"online": ended}] if ended else ["online"]


def observe(meta: Meta, spec: FeatureSetSpec, world: World) -> Servers:
    """Read what answers already."""
    if wanted(spec) is None:
        return Servers()
    owned = world.owned(DEPLOYMENT, meta.uid)
    return Servers(
        next((body for body in owned if body["metadata"]["name"] == names.online(meta.name)), None),
        tuple(world.select(POD, meta.namespace, manifests.selector(meta.name))),
    )


def children(features: FeatureSet, setup: Setup, servers: Servers, report: RunReport | None) -> tuple[Child, ...]:
    """Servers, once there is a version to be looked up: before that the store has no folder that they could see."""
    online, name = wanted(features.spec), features.meta.name
    if online is None or not _may_be_there(features, servers, report):
        return ()
    some = (_deployment(features, online, setup), service(manifests.service(name)))
    return (*some, disruption_budget(manifests.disruption_budget(name))) if online.replicas > 1 else some


def look_again(servers: Servers, now: datetime) -> timedelta | None:
    """When a pod that no node takes becomes trouble."""
    return patience_left(servers.pods, now)


def looked_up(spec: FeatureSetSpec, status: FeatureSetStatus, result: FeaturesResult | None) -> FeatureSetStatus:
    """The status with the version that can be looked up, which only grows."""
    if wanted(spec) is None:
        ended = status.online_ended if status.online is None else (status.online_ended or 0) + 1
        return status.model_copy(update={"online": None, "online_ended": ended})
    before = status.online or OnlineStatus()
    made = result.number if result is not None and result.online else None
    version = max((number for number in (before.version, made) if number is not None), default=None)
    return status.model_copy(update={"online": before.model_copy(update={"version": version})})


def counted(meta: Meta, status: FeatureSetStatus, setup: Setup, live: Live) -> FeatureSetStatus:
    """The status with how many servers answer, and where."""
    if status.online is None:
        return status
    deployment = live.get(DEPLOYMENT, names.online(meta.name))
    there = {"ready_replicas": _ready(deployment), "url": _url(meta, setup) if deployment is not None else ""}
    return status.model_copy(update={"online": status.online.model_copy(update=there)})


def online_facts(
    features: FeatureSet, status: FeatureSetStatus, servers: Servers, live: Live, now: datetime
) -> tuple[Fact, ...]:
    """``OnlineReady``; nothing is said where nothing is to be looked up."""
    online, known, name = wanted(features.spec), status.online, names.online(features.meta.name)
    if online is None or known is None:
        return ()
    problem = next((one for one in live.problems if one.name == name), None)
    if problem is not None:
        return _not_ready(problem.reason, f"{problem.api.kind} {problem.name}: {problem.message}")
    if known.version is None:
        told = "no version can be looked up yet: the next run makes one ready, and merkhet.dev/run asks for a run"
        return _not_ready("NotPublished", told)
    if known.ready_replicas:
        some = f"{known.ready_replicas} of {online.replicas} server{'s' if online.replicas > 1 else ''}"
        return (
            Fact(ONLINE_READY, "True", "Serving", f"version {known.version} is looked up at {known.url}, by {some}"),
        )
    found = trouble(live.get(DEPLOYMENT, name), servers.pods, now, RESOURCES)
    if found is not None:
        return _not_ready(found.reason, found.message)
    return _not_ready("Starting", f"version {known.version} can be looked up once a server is ready")


def _not_ready(reason: str, message: str) -> tuple[Fact, ...]:
    return (Fact(ONLINE_READY, "False", reason, message),)


def _may_be_there(features: FeatureSet, servers: Servers, report: RunReport | None) -> bool:
    if servers.deployment is not None:
        return True
    online = features.status.online
    told = report is not None and report.phase == "Succeeded" and report.result.get("online") is True
    return not features.spec.suspend and (told or (online is not None and online.version is not None))


def _deployment(features: FeatureSet, online: Online, setup: Setup) -> Child:
    task = LookupTask(
        namespace=features.meta.namespace,
        feature_set=features.meta.name,
        ttl_seconds=None if online.ttl is None else duration(online.ttl).total_seconds(),
    )
    body = manifests.deployment(
        task, servers_of(setup, features.spec.pod_template, filled(online.resources, USUAL), online.replicas)
    )
    return Child(DEPLOYMENT, body)


def _url(meta: Meta, setup: Setup) -> str:
    return manifests.url(meta.name, meta.namespace, setup.cluster_domain)


def _ready(deployment: Body | None) -> int:
    count: int = ((deployment or {}).get("status") or {}).get("readyReplicas", 0)
    return count
