"""The Open Inference Protocol, asked of a running server."""

from __future__ import annotations

import concurrent.futures
import json
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import pytest

from tests.unit.workloads.server.served import DEADLINE, Process, asking, mixed, numeric, slow

INFER = "/v2/models/m/infer"


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/v2", 200, {"name": "merkhet", "version": "2", "extensions": ["binary_tensor_data"]}),
        ("/v2/", 200, {"name": "merkhet", "version": "2", "extensions": ["binary_tensor_data"]}),
        ("/v2/health/live", 200, {"live": True}),
        ("/v2/health/ready", 200, {"live": True, "ready": True}),
        ("/v2/health/ready?verbose=1", 200, {"live": True, "ready": True}),
        ("/v2/models", 200, {"models": ["m"]}),
        ("/v2/models/m/ready", 200, {"name": "m", "ready": True}),
        ("/v2/models/%6D/ready", 200, {"name": "m", "ready": True}),
        ("/v2/models/m/versions/3/ready", 200, {"name": "m", "ready": True}),
        ("/v2/models/x", 404, {"error": 'there is no model "x" here; this server has "m"'}),
        ("/v2/models/x/ready", 404, {"error": 'there is no model "x" here; this server has "m"'}),
        ("/v2/models/m/versions/4", 404, {"error": 'model m has no version "4" here; this server has "3"'}),
        ("/nothing", 404, {"error": 'there is nothing at "/nothing"; /v2/openapi.json tells what there is'}),
        ("/metrics", 404, {"error": 'there is nothing at "/metrics"; /v2/openapi.json tells what there is'}),
        (INFER, 405, {"error": "GET is not for this path; use POST"}),
    ],
)
def test_each_path_answers_as_the_protocol_says(server: Process, path: str, status: int, body: Any) -> None:
    assert server.get(path) == (status, body)


def test_the_metadata_tell_inputs_columns_and_outputs(server: Process) -> None:
    for path in ("/v2/models/m", "/v2/models/m/versions/3"):
        status, told = server.get(path)
        assert status == 200
        assert (told["name"], told["versions"], told["platform"]) == ("m", ["3"], "onnx_onnxv1")
        columns = [f"c{i}" for i in range(30)]
        wanted = {"name": "X", "datatype": "FP32", "shape": [-1, 30], "parameters": {"columns": columns}}
        assert told["inputs"] == [wanted]
        assert [(out["name"], out["datatype"], out["shape"]) for out in told["outputs"]] == [
            ("label", "INT64", [-1]),
            ("score", "FP32", [-1, 2]),
        ]


def test_the_openapi_document_names_every_path(server: Process) -> None:
    _, document = server.get("/v2/openapi.json")
    assert INFER in document["paths"]
    for path, methods in document["paths"].items():
        for method in methods:
            status = server.get(path)[0] if method == "get" else server.post(path, {})[0]
            assert status in {200, 400}, path


@pytest.mark.parametrize("path", [INFER, "/v2/models/m/versions/3/infer"])
def test_an_answer_is_what_scikit_learn_says_with_the_threshold(server: Process, path: str) -> None:
    made = numeric(0.9)
    status, told = server.post(path, asking(made.rows[:20], id="seven"))
    assert status == 200
    assert (told["model_name"], told["model_version"], told["id"]) == ("m", "3", "seven")
    label, score = told["outputs"]
    assert (label["name"], label["datatype"], label["shape"]) == ("label", "INT64", [20])
    assert (score["name"], score["datatype"], score["shape"]) == ("score", "FP32", [20, 2])
    assert label["data"] == made.golden.outputs["label"]
    np.testing.assert_allclose(score["data"], np.ravel(made.golden.outputs["score"]), atol=1e-4)


def test_positive_means_that_the_score_reaches_the_threshold(server: Process) -> None:
    _, told = server.post(INFER, asking(numeric(0.9).rows))
    label, score = (output["data"] for output in told["outputs"])
    reached = [int(each >= 0.9) for each in score[1::2]]
    assert label == reached
    assert reached != [int(each >= 0.5) for each in score[1::2]]


def test_only_the_outputs_asked_for_are_given_in_their_order(server: Process) -> None:
    rows = numeric().rows[:1]
    _, one = server.post(INFER, asking(rows, outputs=[{"name": "label"}]))
    assert [output["name"] for output in one["outputs"]] == ["label"]
    assert "id" not in one
    _, both = server.post(INFER, asking(rows, outputs=[{"name": "score"}, {"name": "label"}]))
    assert [output["name"] for output in both["outputs"]] == ["score", "label"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "the body is no JSON"),
        ({"inputs": []}, 400, 'has no "inputs"'),
        (asking(np.zeros((601, 30))), 400, "601 rows are more than one request may have; send at most 600"),
        (b" " * (2 << 20), 413, "send at most"),
    ],
    ids=["no JSON", "no inputs", "too many rows", "too large"],
)
def test_an_error_has_a_status_and_words(server: Process, body: Any, status: int, words: str) -> None:
    found, told = server.post(INFER, body)
    assert found == status
    assert list(told) == ["error"]
    assert words in told["error"]


def asked(server: Process, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(server.url(INFER), body, named, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def test_binary_tensors_may_be_mixed_with_json_both_ways(server: Process) -> None:
    blob = np.ascontiguousarray(numeric().rows[:2], "<f4").tobytes()
    tensor = {"name": "X", "datatype": "FP32", "shape": [2, 30], "parameters": {"binary_data_size": len(blob)}}
    outputs = [{"name": "label"}, {"name": "score", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": [tensor], "outputs": outputs}).encode()
    status, headers, content = asked(server, head + blob, Inference_Header_Content_Length=str(len(head)))
    assert (status, headers["content-type"]) == (200, "application/octet-stream")
    length = int(headers["inference-header-content-length"])
    label, score = json.loads(content[:length])["outputs"]
    assert label["data"] == [0, 0]
    assert score["parameters"] == {"binary_data_size": 16}
    np.testing.assert_allclose(struct.unpack("<4f", content[length:]), [1, 0, 1, 0], atol=1e-3)


@pytest.mark.parametrize("length", ["99999", "x", "-1"], ids=["beyond the body", "no number", "negative"])
def test_a_wrong_length_of_the_json_is_refused(server: Process, length: str) -> None:
    status, _, content = asked(server, b"{}", Inference_Header_Content_Length=length)
    assert status == 400
    assert "Inference-Header-Content-Length is" in json.loads(content)["error"]


def test_compressed_bodies_are_refused(server: Process) -> None:
    status, _, content = asked(server, b"\x1f\x8b", Content_Encoding="gzip")
    assert (status, json.loads(content)["error"]) == (415, "compressed bodies are not read; send the body as it is")


def test_a_text_column_and_a_number_are_answered(mixed_server: Process) -> None:
    def ask(job: str) -> tuple[int, Any]:
        inputs = [
            {"name": "job", "datatype": "BYTES", "shape": [1, 1], "data": [job]},
            {"name": "age", "datatype": "FP32", "shape": [1, 1], "data": [[60]]},
        ]
        return mixed_server.post(INFER, {"inputs": inputs})

    status, told = ask("clerk")
    assert (status, told["outputs"][0]) == (
        200, {"name": "label", "datatype": "BYTES", "shape": [1], "data": ["yes"]}
    )  # fmt: skip
    status, told = ask("astronaut")
    assert status == 400
    assert 'column "job" of row 0 is "astronaut", unknown in training' in told["error"]


TRITON = """
import json, sys
import numpy as np
import tritonclient.http as http
client = http.InferenceServerClient(sys.argv[1])
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("m", "3")
assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
assert client.get_model_metadata("m")["inputs"][0]["name"] == "age"
golden = json.loads(sys.argv[2])
age, job = np.array(golden["age"], np.float32)[:, None], np.array(golden["job"], object)[:, None]
rows = len(age)
answers = []
for sent in (True, False):
    for wanted in (None, True, False):
        inputs = [http.InferInput("age", [rows, 1], "FP32"), http.InferInput("job", [rows, 1], "BYTES")]
        inputs[0].set_data_from_numpy(age, binary_data=sent)
        inputs[1].set_data_from_numpy(job, binary_data=sent)
        names = ("label", "probabilities")
        outputs = None if wanted is None else [http.InferRequestedOutput(name, binary_data=wanted) for name in names]
        found = client.infer("m", inputs, outputs=outputs, request_id="r", model_version="3")
        assert found.get_response()["id"] == "r"
        labels = [each.decode() if isinstance(each, bytes) else each for each in found.as_numpy("label").tolist()]
        answers.append([labels, found.as_numpy("probabilities").round(5).tolist()])
assert all(answer == answers[0] for answer in answers), answers
try:
    client.infer("m", [http.InferInput("age", [rows, 1], "FP32").set_data_from_numpy(age)])
except http.InferenceServerException as error:
    assert 'missing: "job"' in error.message() and error.status() == "400", error
else:
    raise AssertionError("an incomplete request was answered")
print(json.dumps(answers[0][0]))
"""


def test_tritonclient_infers_in_json_and_binary_alike(mixed_server: Process) -> None:
    golden = mixed().golden
    command = [sys.executable, "-c", TRITON, f"127.0.0.1:{mixed_server.port}", json.dumps(golden.inputs)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == golden.outputs["label"]


def test_concurrent_callers_get_their_own_answers(slow_server: Process) -> None:
    made = slow()
    wanted = slow_server.post(INFER, asking(made.rows))[1]["outputs"][1]["data"]

    def ask(number: int) -> bool:
        first, count = number % 500, 1 + number % 60
        status, told = slow_server.post(INFER, asking(made.rows[first : first + count], id=str(number)))
        score = told["outputs"][1]["data"]
        same = np.allclose(score, wanted[2 * first : 2 * (first + count)], atol=1e-6)
        return status == 200 and told["id"] == str(number) and same

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(100)))


def test_the_metrics_count_requests_and_rows(server: Process) -> None:
    def figures() -> dict[str, float]:
        _, text = server.get("/metrics", admin=True)
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    before = figures()
    server.post(INFER, asking(numeric().rows[:7]))
    server.post(INFER, b"{")
    after = figures()
    good, bad = (f'merkhet_server_requests_total{{route="infer",code="{code}"}}' for code in (200, 400))
    assert after[good] - before.get(good, 0) == 1
    assert after[bad] - before.get(bad, 0) == 1
    assert after["merkhet_server_rows_total"] - before["merkhet_server_rows_total"] == 7
    assert after["merkhet_server_ready"] == 1
    count = "merkhet_server_request_duration_seconds_count"
    assert after[count] - before[count] == 1
    assert after['merkhet_server_request_duration_seconds_bucket{le="+Inf"}'] == after[count]
    assert any(name.startswith("merkhet_server_info{") and 'model_version="3"' in name for name in after)


def test_the_kubelet_is_answered_on_the_admin_port(server: Process) -> None:
    assert server.get("/live", admin=True) == (200, {"live": True})
    assert server.get("/ready", admin=True) == (200, {"live": True, "ready": True})
