"""``make demo``: from an empty machine to predictions, each step shown while it runs.

Run again it finds what is there and changes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "employment"
LOG = ROOT / ".cluster" / "demo.log"
NAMESPACE = "demo"
NAME = "employment"
TRAINING_SECONDS = 600
SERVING_SECONDS = 180


def main() -> int:
    """Show everything; 1 where a step failed, with what it printed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--remove", action="store_true", help="take the demo's namespace away again")
    LOG.parent.mkdir(exist_ok=True)
    demo = Demo()
    try:
        if parser.parse_args().remove:
            demo.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
            print(f"namespace {NAMESPACE} is gone; `make cluster-down` stops the cluster")
            return 0
        demo.show()
    except StepFailed as failed:
        print(f"\n{failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; `make demo` goes on from here", file=sys.stderr)
        return 130
    return 0


class StepFailed(Exception):
    """A step of the demo did not work; the message says which and what was printed."""


@dataclass
class Demo:
    """The steps, and what they need of each other."""

    begun: float = field(default_factory=time.monotonic)
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def show(self) -> None:
        """All steps, then what came out."""
        print(f"Merkhet: from census records to predictions, in namespace {NAMESPACE}\n")
        self.python("a Kubernetes cluster", "tests.cluster.cluster", "up")
        self._use_the_cluster()
        self.python("three images", "images.build")
        self.python("the images on the node", "tests.cluster.cluster", "load")
        self.python("the operator, by Helm", "tests.cluster.install")
        with self.step("a namespace with the restricted Pod Security Standard"):
            self.make_namespace()
        with self.step("what governance asks of its models: governance/policy.yaml"):
            self.kubectl("apply", "-f", str(EXAMPLE / "governance" / "policy.yaml"))
        with self.step("four years of census records into its store"):
            self.merkhet("put", *map(str, sorted(EXAMPLE.glob("data/*.parquet"))), f"store://raw/{NAME}/")
        with self.step("features.yaml, training.yaml, serving.yaml"):
            self.kubectl("apply", *(word for file in _files() for word in ("-f", str(file))))
        with self.step("features: computed, checked, versioned") as say:
            features = self.until("featuresets", TRAINING_SECONDS, _settled, say)
        with self.step("training: four trials, the best one fitted, judged, proved as ONNX") as say:
            trained = self.until("modeltrainings", TRAINING_SECONDS, _settled, say)
        version = f"{NAME}-v{trained['status']['latestVersion']}"
        with self.step(f"approval of {version}, by you"):
            self.merkhet("approve", version, "--yes", "--reason", "make demo")
        with self.step("serving: two servers behind one address") as say:
            serving = self.until("modeldeployments", SERVING_SECONDS, _settled, say)
        with self.step("ten people whom the model has never seen"):
            people = self.unseen_people(10)
            answers = self.predict(people)
        record = self.get("modelversions", version)["spec"]["record"]
        print(f"\n{judged(features)}\n{summary(record, serving, people, answers)}\n\n{advice(version)}")
        print(f"\nAll of it took {time.monotonic() - self.begun:.0f} s.")

    def _use_the_cluster(self) -> None:
        self.environment.setdefault("KUBECONFIG", str(ROOT / ".cluster" / "kubeconfig"))
        tools = self.run([sys.executable, "-m", "tests.cluster.cluster", "path"]).strip()
        self.environment["PATH"] = os.pathsep.join((tools, self.environment["PATH"]))

    def make_namespace(self) -> None:
        """A tenant as a platform team would make it."""
        if self.run([*self.kubectl_command(), "get", "namespace", NAMESPACE, "--ignore-not-found"]).strip():
            return
        self.kubectl("create", "namespace", NAMESPACE)
        self.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")

    def unseen_people(self, count: int) -> pa.Table:
        """People of the test part, whom the split keeps out of training in each data version."""
        from merkhet.workloads.trainer.split import canonical_text, hashed_share  # noqa: PLC0415 - loads scikit-learn

        everybody = pq.read_table(EXAMPLE / "data" / "census-2018.parquet")
        unseen = everybody.filter(pa.array(hashed_share(canonical_text(everybody, ["person_id"]), seed=7) < 0.25))
        return unseen.slice(0, count * 40).take(list(range(0, count * 40, 40)))

    def predict(self, people: pa.Table) -> list[dict[str, Any]]:
        """Ask the served model."""
        hidden = ["person_id", "surveyed_at", "employed", "RAC1P"]
        rows = json.dumps(people.drop_columns(hidden).to_pylist())
        answers: list[dict[str, Any]] = json.loads(self.merkhet("predict", NAME, "-o", "json", stdin=rows))
        return answers

    def until(self, plural: str, seconds: float, reached: Any, say: Any) -> dict[str, Any]:
        """The object once it is as wanted; what it says of itself is shown meanwhile."""
        deadline = time.monotonic() + seconds
        while True:
            body = self.get(plural, NAME)
            if reached(body):
                return body
            ready, stalled = _condition(body, "Ready"), _condition(body, "Stalled")
            if stalled.get("status") == "True":
                raise StepFailed(f"{body['kind']} {NAMESPACE}/{NAME}: {stalled['reason']}: {stalled['message']}")
            if time.monotonic() > deadline:
                raise StepFailed(f"{body['kind']} {NAMESPACE}/{NAME} is not ready after {seconds:.0f} s: {ready}")
            say(ready.get("message", ""))
            time.sleep(0.3)

    def get(self, plural: str, name: str) -> dict[str, Any]:
        """An object of the demo."""
        body: dict[str, Any] = json.loads(self.kubectl("get", f"{plural}.merkhet.dev", name, "-o", "json"))
        return body

    def kubectl_command(self) -> list[str]:
        """Kubectl in the demo's namespace."""
        return ["kubectl", "--namespace", NAMESPACE]

    def kubectl(self, *words: str) -> str:
        """What kubectl prints."""
        return self.run([*self.kubectl_command(), *words])

    def merkhet(self, *words: str, stdin: str | None = None) -> str:
        """What ``kubectl merkhet`` prints."""
        command, *rest = words
        program = [sys.executable, "-m", "merkhet.plugin.main", command, "--namespace", NAMESPACE, *rest]
        return self.run(program, stdin=stdin)

    def run(self, command: Sequence[str], stdin: str | None = None) -> str:
        """Run a program; what it complains of goes into the log and, where it fails, before a person's eyes."""
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, input=stdin, capture_output=True, text=True, check=False
        )
        with LOG.open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}\n")
        if done.returncode:
            raise StepFailed(done.stderr.strip() or done.stdout.strip())
        return done.stdout

    def python(self, title: str, *words: str) -> None:
        """A step that is a script of the project; its latest line is shown while it runs."""
        with self.step(title) as say, LOG.open("a", encoding="utf-8") as log:
            script = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=ROOT,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            lines = []
            assert script.stdout is not None
            for line in script.stdout:
                lines.append(line)
                log.write(line)
                say(line.strip())
            if script.wait():
                raise StepFailed("".join(lines[-30:]))

    @contextmanager
    def step(self, title: str) -> Iterator[Any]:
        """A line with the time the step took; on a terminal it counts while the step runs."""
        line = Line(title)
        try:
            yield line.say
        except BaseException:
            line.end("failed")
            raise
        line.end("done")


class Line:
    """A line of progress."""

    def __init__(self, title: str) -> None:
        self.title, self.begun, self.words = title, time.monotonic(), ""
        self.live = sys.stdout.isatty()
        self.ended = threading.Event()
        self.painter = threading.Thread(target=self._paint, daemon=True)
        if self.live:
            self.painter.start()

    def say(self, words: str) -> None:
        """What is going on inside the step."""
        self.words = words

    def end(self, how: str) -> None:
        """Leave the line as it is to stay."""
        self.ended.set()
        if self.live:
            self.painter.join()
        mark = {"done": "✓", "failed": "✗"}[how]
        print(
            f"{chr(13) + chr(27) + '[K' if self.live else ''}{mark} {self.title:<66} {self._seconds():6.1f} s",
            flush=True,
        )

    def _paint(self) -> None:
        while not self.ended.wait(0.2):
            print(f"\r\x1b[K… {self.title}  {self._seconds():.0f} s  {self.words[:60]}", end="", flush=True)

    def _seconds(self) -> float:
        return time.monotonic() - self.begun


def _files() -> list[Path]:
    return [EXAMPLE / name for name in ("features.yaml", "training.yaml", "serving.yaml")]


def _condition(body: dict[str, Any], type_: str) -> dict[str, Any]:
    conditions = (body.get("status") or {}).get("conditions") or []
    return next((found for found in conditions if found["type"] == type_), {})


def _settled(body: dict[str, Any]) -> bool:
    """Ready, said of the spec as it stands."""
    ready = _condition(body, "Ready")
    return ready.get("status") == "True" and ready.get("observedGeneration") == body["metadata"]["generation"]


def judged(features: dict[str, Any]) -> str:
    """What was found of the rows, and of groups in them: a line each."""
    rules = features["status"].get("quality", {}).get("rules", [])
    findings = features["status"].get("bias", {}).get("findings", [])
    beyond = sorted({f"{one['metric']} of {one['column']}" for one in findings if one["result"] == "Failed"})
    figures = sum(one.get("limit") is not None for one in findings)
    told = f"beyond the limit: {', '.join(beyond)}" if beyond else "all within their limits"
    held = sum(rule["passed"] for rule in rules)
    return f"quality    {held} of {len(rules)} rules hold\nbias       {figures} figures on groups, {told}"


def summary(record: dict[str, Any], serving: dict[str, Any], people: pa.Table, answers: list[dict[str, Any]]) -> str:
    """What came out: the version, its figures, where it answers, and ten answers beside the truth."""
    figures = ", ".join(f"{metric['name']} {metric['value']:.3f}" for metric in record["metrics"])
    gates = "\n           ".join(map(kept, record["gates"]))
    rows = record.get("rows", {})
    parts = [
        f"model      {record['model']} version {record['version']}, {record['artifact']['digest'][:19]}…",
        f"rows       {rows.get('train', 0):,} to learn from, {rows.get('test', 0):,} kept for testing",
        *searched(record.get("search")),
        f"metrics    {figures}",
        f"gates      {gates}",
        f"url        {serving['status']['url']}",
        "",
        "  age  schooling  sex  employed  predicted  probability",
    ]
    for person, answer in zip(people.to_pylist(), answers, strict=True):
        probability, said = answer["probabilities"][-1], answer["label"]
        mark = " " if said == person["employed"] else "  ← wrong"
        parts.append(
            f"{person['AGEP']:>5}{person['SCHL']:>11}{person['SEX']:>5}{person['employed']:>10}"
            f"{said:>11}{probability:>13.3f}{mark}".rstrip()
        )
    return "\n".join(parts)


def searched(search: dict[str, Any] | None) -> list[str]:
    """The winner of the search, in a line."""
    if search is None:
        return []
    parameters = ", ".join(f"{name} {value:.4g}" for name, value in search["parameters"].items())
    tried = f"best of {search['finished']} trials, {search['metric']} {search['value']:.3f} on rows for learning"
    return [f"search     {parameters}: {tried}"]


def kept(gate: dict[str, Any]) -> str:
    """A gate, what was found and what was asked."""
    mark = {"Passed": "✓", "Failed": "✗"}.get(gate["result"], "?")
    found = f" {gate['value']:.3g}, the limit is {gate['limit']:g}" if "value" in gate and "limit" in gate else ""
    whose = " (policy)" if gate.get("source") == "policy" else ""
    return f"{mark} {gate['name']}{found}{whose}"


def advice(version: str) -> str:
    """What to try next, and how to be rid of it all."""
    path = '"$(.venv/bin/python -m tests.cluster.cluster path):$PWD/.venv/bin:$PATH"'
    commands = {
        f"kubectl -n {NAMESPACE} get merkhet": "everything at a glance",
        f"kubectl -n {NAMESPACE} get modelversion {version} -o yaml": "the record of the model",
        f"kubectl merkhet open mv/{version} -n {NAMESPACE} -o model.html": "its card as a page",
        f"kubectl merkhet lineage mv/{version} -n {NAMESPACE}": "what it was made from",
        f"kubectl merkhet why md/{NAME} -n {NAMESPACE}": "a state in words",
        f"kubectl merkhet get fs/{NAME} -n {NAMESPACE}": "rows, personal columns masked",
        f"kubectl merkhet open fs/{NAME} -n {NAMESPACE} -o data.html": "the data as a page",
        f"kubectl -n {NAMESPACE} annotate mt {NAME} merkhet.dev/run=again": "train again",
        "kubectl merkhet -h": "what else people do from a terminal",
    }
    remove = {
        ".venv/bin/python examples/demo.py --remove": "the demo's namespace",
        "make cluster-down": "the cluster",
    }
    shell = ["export KUBECONFIG=$PWD/.cluster/kubeconfig", f"export PATH={path}"]
    return "\n".join(("Try next", *(f"  {line}" for line in shell), *_listed(commands), "Remove", *_listed(remove)))


def _listed(commands: dict[str, str]) -> list[str]:
    return [f"  {command:<62} {purpose}" for command, purpose in commands.items()]


if __name__ == "__main__":
    sys.exit(main())
