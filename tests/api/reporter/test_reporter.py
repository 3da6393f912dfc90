"""The reporter against a real API server, with the rights that a pod's account has and no more."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from merkhet.contract.runs import REPORT_FILE, REPORT_KEY, RunReport
from tests.cluster.apiserver import ADMIN, ApiServer
from tests.cluster.machine import wait_for

ROOT = Path(__file__).parents[3]
ACCOUNT = "system:serviceaccount:people:income-mt"
MAP = "income-mt-report"
SECONDS = 120.0
RBAC = "rbac.authorization.k8s.io"


@dataclass(slots=True)
class Pod:
    """A namespace of the API server, and what a pod in it sees."""

    server: ApiServer
    namespace: str
    folder: Path
    reporters: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request of the administrator's."""
        request = urllib.request.Request(
            f"{self.server.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.server.token(ADMIN)}", "Content-Type": "application/json"},
        )
        trust = ssl.create_default_context(cafile=str(self.server.authority))
        with urllib.request.urlopen(request, context=trust, timeout=SECONDS) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found

    def make_map(self) -> None:
        body = {"metadata": {"name": MAP}, "data": {"kept": "by others"}}
        self.ask("POST", f"/api/v1/namespaces/{self.namespace}/configmaps", body)

    def allow(self) -> None:
        """What the operator gives to a run's account: to patch the one ConfigMap."""
        rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [MAP], "verbs": ["patch"]}
        roles = f"/apis/{RBAC}/v1/namespaces/{self.namespace}"
        self.ask("POST", f"{roles}/roles", {"metadata": {"name": "report"}, "rules": [rule]})
        subject = {"kind": "User", "name": ACCOUNT, "apiGroup": RBAC}
        role = {"apiGroup": RBAC, "kind": "Role", "name": "report"}
        self.ask("POST", f"{roles}/rolebindings", {"metadata": {"name": "r"}, "roleRef": role, "subjects": [subject]})

    def told(self) -> RunReport | None:
        """The report that the ConfigMap holds."""
        try:
            body = self.ask("GET", f"/api/v1/namespaces/{self.namespace}/configmaps/{MAP}")
        except urllib.error.HTTPError as error:
            error.close()
            return None
        assert body["data"]["kept"] == "by others"
        text = body["data"].get(REPORT_KEY)
        return None if text is None else RunReport.load(text)

    def write(self, phase: str, progress: str = "") -> RunReport:
        """What the work leaves, as it leaves it."""
        report = RunReport.model_validate({"key": "a" * 20, "phase": phase, "progress": progress})
        temporary = self.folder / "report" / ".temporary"
        temporary.write_text(report.dump(), encoding="utf-8")
        temporary.replace(self.folder / "report" / REPORT_FILE)
        return report

    def give_token(self, token: str) -> None:
        temporary = self.folder / "secrets" / ".token"
        temporary.write_text(token)
        temporary.replace(self.folder / "secrets" / "token")

    def start(self) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "operator"),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": self.server.url.rpartition(":")[2],
            "MERKHET_TOKEN": str(self.folder / "secrets"),
            "MERKHET_REPORT": str(self.folder / "report"),
            "MERKHET_REPORT_TO": MAP,
        }
        log = (self.folder / "log").open("ab")
        with log:
            process = subprocess.Popen([sys.executable, "-m", "merkhet", "report"], env=environment, stderr=log)
        self.reporters.append(process)
        return process

    def await_told(self, report: RunReport) -> None:
        wait_for(f"the ConfigMap tells {report.phase} {report.progress}", lambda: self.told() == report, SECONDS)

    def await_log(self, words: str) -> None:
        wait_for(f"the log says {words}", lambda: words in (self.folder / "log").read_text(), SECONDS)

    def end(self, process: subprocess.Popen[bytes]) -> int:
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=SECONDS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with ApiServer(tmp_path_factory.mktemp("apiserver"), users={ACCOUNT: ("system:serviceaccounts",)}) as running:
        yield running


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return count(1)


@pytest.fixture
def pod(server: ApiServer, numbers: Iterator[int], tmp_path: Path) -> Iterator[Pod]:
    made = Pod(server, f"report-{next(numbers)}", tmp_path)
    made.ask("POST", "/api/v1/namespaces", {"metadata": {"name": made.namespace}})
    for name in ("report", "secrets"):
        (tmp_path / name).mkdir()
    (tmp_path / "secrets" / "namespace").write_text(made.namespace)
    (tmp_path / "secrets" / "ca.crt").write_bytes(server.authority.read_bytes())
    made.give_token(server.token(ACCOUNT))
    yield made
    for process in made.reporters:
        process.kill()
        process.wait()


def test_each_report_arrives_and_the_rest_of_the_map_stays(pod: Pod) -> None:
    pod.make_map()
    pod.allow()
    process = pod.start()
    pod.await_told(pod.write("Running", "étape 1 👍"))
    pod.await_told(pod.write("Running", "step 2"))
    pod.await_told(pod.write("Succeeded"))
    assert pod.end(process) == 0


def test_a_report_written_just_before_the_end_arrives(pod: Pod) -> None:
    pod.make_map()
    pod.allow()
    process = pod.start()
    pod.await_told(pod.write("Running"))
    last = pod.write("Succeeded")
    assert pod.end(process) == 0
    assert pod.told() == last


def test_a_token_renewed_on_the_way_is_used(pod: Pod) -> None:
    pod.make_map()
    pod.allow()
    good = pod.server.token(ACCOUNT)
    pod.give_token("expired")
    process = pod.start()
    report = pod.write("Succeeded")
    pod.await_log("401 Unauthorized")
    pod.give_token(good)
    pod.await_told(report)
    assert pod.end(process) == 0


def test_what_is_missing_at_first_is_waited_for(pod: Pod) -> None:
    process = pod.start()
    report = pod.write("Succeeded")
    pod.await_log("403 Forbidden")
    pod.allow()
    pod.await_log("404 Not Found")
    pod.make_map()
    pod.await_told(report)
    assert pod.end(process) == 0


def test_a_reporter_started_again_tells_the_same_and_changes_nothing(pod: Pod) -> None:
    pod.make_map()
    pod.allow()
    first = pod.start()
    pod.await_told(pod.write("Succeeded"))
    assert pod.end(first) == 0
    path = f"/api/v1/namespaces/{pod.namespace}/configmaps/{MAP}"
    before = pod.ask("GET", path)["metadata"]["resourceVersion"]
    (pod.folder / "log").write_text("")
    second = pod.start()
    pod.await_log("has the report")
    assert pod.end(second) == 0
    assert pod.ask("GET", path)["metadata"]["resourceVersion"] == before
