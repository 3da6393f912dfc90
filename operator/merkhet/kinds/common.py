"""What several kinds have in common: what people may say of pods, the namespace's store, and faults of children."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, field_validator

from merkhet.api.base import Part
from merkhet.api.conditions import Fact, progressing, stalled
from merkhet.api.fields import AnyValue, Quantity
from merkhet.api.meta import Body
from merkhet.api.quantities import quantity
from merkhet.kinds.apis import CONFIGMAP
from merkhet.kinds.kind import Child, Live, Setup
from merkhet.manifests import names
from merkhet.manifests.labels import STORE
from merkhet.manifests.pods import REQUIRED

DOMAIN = "merkhet.dev/"
Word = Annotated[str, Field(max_length=253)]
LabelValue = Annotated[str, Field(max_length=63)]
Text = Annotated[str, Field(max_length=4096)]


class Amounts(Part):
    """An amount of each resource."""

    cpu: Quantity | None = Field(default=None, description="Cores: 500m is half a core.")
    memory: Quantity | None = Field(default=None, description="Bytes: 2Gi.")


class Resources(Part):
    """What each pod asks for and may use; what is left out has a default that fits a small machine."""

    requests: Amounts = Field(default=Amounts(), description="What is set aside for a pod on its node.")
    limits: Amounts = Field(default=Amounts(), description="What a pod may use; beyond its memory it is killed.")


class Toleration(Part):
    """A taint that the pods may be scheduled in spite of."""

    key: Word | None = Field(default=None, description="The taint's key; left out with Exists: any.")
    operator: Annotated[str, Field(max_length=16)] | None = Field(
        default=None, description="Equal (the default) or Exists."
    )
    value: LabelValue | None = Field(default=None, description="The taint's value, with Equal.")
    effect: Annotated[str, Field(max_length=32)] | None = Field(
        default=None, description="NoSchedule, PreferNoSchedule or NoExecute; left out: all."
    )
    toleration_seconds: int | None = Field(
        default=None, description="With NoExecute: how many seconds the pod stays after the taint came."
    )


class PodTemplate(Part):
    """Where pods run and how they are labelled; all else about them is Merkhet's."""

    node_selector: dict[Word, LabelValue] = Field(
        default_factory=dict, max_length=32, description="Labels that the node must carry."
    )
    tolerations: tuple[Toleration, ...] = Field(
        default=(), max_length=32, description="Taints that the pods may be scheduled in spite of."
    )
    affinity: AnyValue = Field(
        default=None, description="Where to run relative to nodes and other pods, as in any pod (pod.spec.affinity)."
    )
    priority_class_name: Word | None = Field(default=None, description="The PriorityClass of the pods.")
    labels: dict[Word, LabelValue] = Field(
        default_factory=dict, max_length=32, description="More labels on the pods, none under merkhet.dev/."
    )
    annotations: dict[Word, Text] = Field(
        default_factory=dict, max_length=32, description="More annotations on the pods, none under merkhet.dev/."
    )

    @field_validator("labels", "annotations")
    @classmethod
    def _leaves_our_names_alone(cls, value: dict[str, str]) -> dict[str, str]:
        ours = sorted(name for name in value if name.startswith(DOMAIN))
        if ours:
            raise ValueError(f"{', '.join(ours)} stands under {DOMAIN}, which is Merkhet's own; choose another name")
        return value

    @field_validator("affinity")
    @classmethod
    def _is_an_object(cls, value: Any) -> Any:
        if value is not None and not isinstance(value, dict):
            raise ValueError(f"affinity is {value!r}; write an object as in pod.spec.affinity")
        near = (value or {}).get("podAffinity") or {}
        if not isinstance(near, dict):
            raise ValueError(f"affinity.podAffinity is {near!r}; write an object as in pod.spec.affinity.podAffinity")
        # The store's own term is put beside these.
        terms = near.get(REQUIRED) or []
        if not isinstance(terms, list):
            raise ValueError(f"affinity.podAffinity.{REQUIRED} is {terms!r}; write a list of terms")
        return value


def decisive(part: Part) -> Body:
    """What decides a result, for its trigger: without defaults, so that a field added later starts nothing."""
    return part.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def filled(wished: Resources, default: Resources) -> Body:
    """Requests and limits for both cpu and memory: what is left out follows what was said, else the default."""
    pairs = {name: _pair(name, wished, default) for name in ("cpu", "memory")}
    return {
        "requests": {name: request for name, (request, _) in pairs.items()},
        "limits": {name: limit for name, (_, limit) in pairs.items()},
    }


def _pair(name: str, wished: Resources, default: Resources) -> tuple[str, str]:
    request, limit = getattr(wished.requests, name), getattr(wished.limits, name)
    usual_request, usual_limit = getattr(default.requests, name), getattr(default.limits, name)
    if request is None:
        return (min(usual_request, limit, key=quantity), limit) if limit else (usual_request, usual_limit)
    return request, limit or max(request, usual_limit, key=quantity)


def store_children(setup: Setup) -> tuple[Child, ...]:
    """What whoever needs the namespace's store asks for: the ConfigMap from which claim and gateway are made."""
    body: Body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": names.STORE, "labels": {STORE: "settings"}},
        "data": {"backend": "volume", "access": setup.store_access, "size": setup.store_size},
    }
    return (Child(CONFIGMAP, body, rule="create", owned=False, shared=True),)


def beside_store(setup: Setup) -> bool:
    """Whether all pods of the store must stand on one node, because its volume can be attached to one only."""
    return setup.store_access == "ReadWriteOnce"


def problem_facts(live: Live, *, still_ready: str | None = None) -> tuple[Fact, ...] | None:
    """What is said where children could not be made; None where all could."""
    if not live.problems:
        return None
    message = " ".join(f"{problem.api.kind} {problem.name}: {problem.message}" for problem in live.problems)
    return stalled(live.problems[0].reason, message, still_ready=still_ready)


def moving(reason: str, message: str, *, still_ready: str | None = None) -> tuple[Fact, ...]:
    """On its way; ``still_ready`` says what goes on working meanwhile."""
    facts = progressing(reason, message)
    return facts if still_ready is None else (Fact("Ready", "True", reason, still_ready), *facts[1:])


def short_figure(value: float) -> str:
    """A figure as a table shows it: four digits, and all of those before the point.

    Example:
        >>> short_figure(0.8632322814920387), short_figure(52341.7), short_figure(0.0)
        ('0.8632', '52342', '0')

    """
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e15 else f"{value:.4g}"


def parsed_time(text: str | None) -> datetime | None:
    """A time as Kubernetes or a pod writes it, with its zone; None where there is none or it is none."""
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo else None


def sooner(*delays: timedelta | None) -> timedelta | None:
    """The shortest of the delays that there are."""
    return min((delay for delay in delays if delay is not None), default=None)
