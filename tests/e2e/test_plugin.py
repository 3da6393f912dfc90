"""What people do from a terminal, against a real cluster."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.e2e.access import EXAMPLE, Tenant


@pytest.fixture(scope="module")
def own(tenants: Callable[[str], Tenant]) -> Tenant:
    """A tenant that nobody has asked for a store yet."""
    return tenants("plugin")


def test_a_file_goes_up_comes_down_and_is_the_same(own: Tenant, tmp_path: Path) -> None:
    content = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(400_000))
    up, down = tmp_path / "up.bin", tmp_path / "down.bin"
    up.write_bytes(content)
    own.merkhet("put", str(up), "store://raw/folder/up.bin")
    own.merkhet("get", "store://raw/folder/up.bin", str(down))
    assert down.read_bytes() == content
    listed = json.loads(own.merkhet("ls", "store://raw/folder/", "-o", "json"))
    assert [(entry["path"], entry["size"]) for entry in listed] == [("raw/folder/up.bin", len(content))]


def test_a_file_that_is_there_is_not_sent_again(own: Tenant, tmp_path: Path) -> None:
    file = tmp_path / "again.csv"
    file.write_text("a,b\n1,2\n")
    own.merkhet("put", str(file), "store://raw/")
    command = f"{sys.executable} -m merkhet.plugin.main put -n {own.name} {file} store://raw/ 2>&1"
    done = own.cluster.run("sh", "-c", command)
    assert "there already" in done


WRONG = {
    "a file that is not here": (("put", "nowhere.csv", "store://raw/"), "nowhere.csv"),
    "an address outside the store": (("put", "README.md", "/etc/passwd"), "store://raw/"),
    "a way out of the folder": (("put", "README.md", "store://raw/../blobs/x"), "store://raw/"),
    "a file that is not in the store": (("get", "store://raw/nothing.csv"), "nothing.csv"),
    "a feature set that does not exist": (("get", "fs/nothing"), "nothing"),
    "an object that does not exist": (("why", "md/nothing"), "nothing"),
    "a row that is not JSON": (("predict", "nothing", "{"), "nothing"),
    "a version that does not exist": (("approve", "nothing-v1", "--yes"), "nothing-v1"),
}


@pytest.mark.parametrize(("words", "names"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(own: Tenant, words: tuple[str, ...], names: str) -> None:
    assert names in own.merkhet(*words, fails=True)


def test_the_first_yaml_for_a_file_trains_a_model(own: Tenant, tmp_path: Path) -> None:
    file = tmp_path / "Loan requests.csv"
    lines = [f"{n},{(n * 37) % 91},{'abc'[n % 3]},{'paid' if (n * 37) % 91 > 45 else 'owed'}" for n in range(2_000)]
    file.write_text("request_id,income,region,granted\n" + "\n".join(lines) + "\n")
    written = tmp_path / "loans.yaml"
    own.merkhet("init", str(file), "--target", "granted", "-o", str(written))
    own.merkhet("validate", str(written))
    features = next(iter(yaml.safe_load_all(written.read_text())))
    name = features["metadata"]["name"]
    own.merkhet("put", str(file), features["spec"]["sources"][0]["uri"])
    own.apply(written)
    own.settled("modeltrainings", name)
    own.merkhet("approve", f"{name}-v1", "--yes", "--reason", "a test")
    own.serves(name, 1)
    said = json.loads(
        own.merkhet("predict", name, '[{"income": 80, "region": "a"}, {"income": 5, "region": "b"}]', "-o", "json")
    )
    assert [answer["label"] for answer in said] == ["paid", "owed"]
    shown = json.loads(own.merkhet("get", f"fs/{name}", "--limit", "3", "-o", "json"))["items"]
    assert [row["income"] for row in shown] == [0, 37, 74]
    assert len({row["request_id"] for row in shown}) == 1, "the entity is personal, and masked"


def test_kubectl_finds_the_plugin_and_it_finds_the_operator(own: Tenant) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    said = own.cluster.run("env", f"PATH={path}", "kubectl", "merkhet", "version")
    assert "in namespace merkhet-system" in said


def test_why_tells_the_state_in_words(own: Tenant) -> None:
    own.apply(EXAMPLE / "training.yaml")
    own.waits("modeltrainings", "employment", "FeatureSetMissing")
    said = own.merkhet("why", "mt/employment")
    assert "FeatureSetMissing" in said
    assert f"{own.name}/employment" in said
    assert json.loads(own.merkhet("why", "mt/employment", "-o", "json"))["story"]
