"""The list of who lives: what stands in it, when it is written anew, and when it says that it is not whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from merkhet.api.meta import Body
from merkhet.contract.live import KINDS, LiveList, PinnedVersion
from merkhet.kinds.apis import COMPONENT, CONFIGMAP, DEPLOYMENT, FEATURESET, MODELTRAINING, MODELVERSION
from merkhet.kinds.featureset.types import History
from merkhet.kinds.namespacestore.living import KEEP, Objects, bounded, live_map, told
from tests import make
from tests.unit.kinds.runs.scene import Scene

STORE = make.body(CONFIGMAP, "merkhet-store", metadata={"labels": {"app.kubernetes.io/managed-by": "merkhet"}})
RUN = "0123456789abcdef0123"


def listed(*bodies: Body) -> LiveList:
    """The list that a pass over the store writes."""
    scene = Scene(STORE, *bodies).look()
    live = told(scene.bodies["ConfigMap", "merkhet-live"])
    assert live is not None
    return live


def status(phase: str, **more: Any) -> Body:
    return {"runs": [{"key": RUN, "phase": phase, **more}]}


def test_all_that_keeps_something_is_listed_with_its_uid() -> None:
    live = listed(make.featureset(), make.modeltraining(), make.modelversion(3), make.body(COMPONENT, "scale", spec={}))
    assert live.complete
    assert {(one.kind, one.name, one.uid) for one in live.objects} == {
        (FEATURESET.kind, "employment", "uid-employment"),
        (MODELTRAINING.kind, "employment", "uid-employment"),
        (MODELVERSION.kind, "employment-v3", "uid-employment-v3"),
        (COMPONENT.kind, "scale", "uid-scale"),
    }


def test_a_version_needs_its_artifact_its_reports_and_its_data() -> None:
    assert set(listed(make.modelversion(3)).needed) == {make.DIGEST, "sha256:" + "b" * 64, f"sha256:{1:064x}"}


def test_a_version_that_was_brought_needs_what_its_evaluation_found() -> None:
    found = {"reports": {"golden": "sha256:" + "d" * 64}, "data": [{"digest": "sha256:" + "e" * 64}]}
    body = {**make.modelversion(3), "status": {"evaluation": found}}
    assert {"sha256:" + "d" * 64, "sha256:" + "e" * 64} <= set(listed(body).needed)


def test_the_rows_that_a_version_is_judged_on_are_pinned() -> None:
    body = make.modelversion(3)
    body["spec"]["evaluation"] = {"featureSet": {"name": "employment", "version": 4}, "target": "employed"}
    assert listed(body).pins == (PinnedVersion(feature_set="employment", version=4),)


def test_each_feature_set_says_how_many_versions_it_keeps() -> None:
    live = listed(make.featureset("adults", spec={"history": {"keep": 3}}), make.featureset("regions"))
    assert live.keep == {"adults": 3, "regions": KEEP}
    assert History().keep == KEEP


PHASES: dict[str, tuple[Body, bool]] = {
    "starting": (status("Starting"), True),
    "at work": (status("Running"), True),
    "ended well, its version not made yet": (status("Succeeded"), True),
    "ended well and all done": (status("Succeeded", settled=True), False),
    "refused": (status("Refused"), False),
    "failed": (status("Failed"), False),
}


@pytest.mark.parametrize(("said", "unfinished"), PHASES.values(), ids=PHASES)
def test_a_run_is_listed_until_all_that_follows_from_it_is_done(said: Body, unfinished: bool) -> None:
    for body in (make.featureset(status=said), make.modeltraining(status=said)):
        (one,) = listed(body).objects
        assert one.runs == ((RUN,) if unfinished else ())


def reference(**more: Any) -> Body:
    return {"featureSet": {"name": "regions", **more}}


SPECS: dict[str, tuple[Body, tuple[tuple[str, int], ...]]] = {
    "a training on a version": (
        make.modeltraining(spec={"data": {**reference(version=4), "target": "employed"}}),
        (("regions", 4),),
    ),
    "a training on the latest": (make.modeltraining(), ()),
    "a run that is being started on a version": (
        make.modeltraining(status=status("Starting", dataVersion=7)),
        (("employment", 7),),
    ),
    "a run that failed, and is tried again on the same with other means": (
        make.modeltraining(status=status("Failed", dataVersion=7)),
        (("employment", 7),),
    ),
    "a run that is over": (make.modeltraining(status=status("Refused", dataVersion=7)), ()),
    "a source": (make.featureset(spec={"sources": [{"name": "r", **reference(version=2)}]}), (("regions", 2),)),
    "a source of another namespace": (
        make.featureset(spec={"sources": [{"name": "r", **reference(version=2, namespace="sales")}]}),
        (),
    ),
    "a source of its own namespace, which is named": (
        make.featureset(spec={"sources": [{"name": "r", **reference(version=2, namespace=make.NAMESPACE)}]}),
        (("regions", 2),),
    ),
    "a join": (make.featureset(spec={"join": [{**reference(version=5), "by": ["region"]}]}), (("regions", 5),)),
}


@pytest.mark.parametrize(("body", "pins"), SPECS.values(), ids=SPECS)
def test_versions_that_specs_name_are_listed(body: Body, pins: tuple[tuple[str, int], ...]) -> None:
    assert listed(body).pins == tuple(PinnedVersion(feature_set=name, version=version) for name, version in pins)


def test_a_pinned_version_is_needed_by_its_digest_too() -> None:
    published = make.featureset("regions", status=make.featureset_status(2))
    digest = published["status"]["versions"][0]["digest"]
    pinning = make.modeltraining(spec={"data": {**reference(version=2), "target": "employed"}})
    assert digest in listed(published, pinning).needed
    assert digest not in listed(published, make.modeltraining()).needed


def test_what_a_deployment_serves_is_needed_although_its_version_is_gone() -> None:
    marks = {"merkhet.dev/kind": "modeldeployment"}
    task = {"name": "MERKHET_TASK", "value": f'{{"digest":"{make.DIGEST}"}}'}
    template = {"spec": {"containers": [{"name": "server", "env": [task]}]}}
    serving = make.body(DEPLOYMENT, "income-abc", metadata={"labels": marks}, spec={"template": template})
    assert listed(serving).needed == (make.DIGEST,)


def test_the_list_says_whose_it_is_and_what_it_is_about() -> None:
    live = listed()
    assert (live.namespace, live.kinds) == (make.NAMESPACE, KINDS)


def objects(*versions: Body) -> Objects:
    return {FEATURESET: (make.featureset(),), COMPONENT: (), MODELTRAINING: (), MODELVERSION: versions}


def test_the_list_is_written_anew_only_when_it_changes() -> None:
    later = make.NOW + timedelta(hours=1)
    first = live_map(objects(), None, make.NOW)
    assert live_map(objects(), first, later) == first
    before, after = told(first), told(live_map(objects(make.modelversion(3)), first, later))
    assert before is not None
    assert after is not None
    assert (before.made, after.made) == ("2026-11-22T12:00:00Z", "2026-11-22T13:00:00Z")


def test_a_list_that_nobody_can_read_is_written_anew() -> None:
    former = make.body(CONFIGMAP, "merkhet-live", data={"live.json": "{"})
    objects = dict.fromkeys((FEATURESET, COMPONENT, MODELTRAINING, MODELVERSION), ())
    assert told(live_map(objects, former, make.NOW)) is not None


def test_a_list_that_is_too_long_says_so_and_names_nobody() -> None:
    live = listed(make.featureset(), make.modelversion(3))
    assert bounded(live) == live
    short = bounded(live, most=200)
    assert not short.complete
    assert "2 objects" in short.message
    assert (short.objects, short.pins, short.needed) == ((), (), ())
