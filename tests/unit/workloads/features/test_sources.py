"""Files of a source: found in the store or fetched over https, and what they say they are."""

from __future__ import annotations

import http.server
import io
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from merkhet.contract.features import Source
from merkhet.errors import MerkhetError, Missing, Refused, Unavailable
from merkhet.workloads.features.download import download
from merkhet.workloads.features.sources import Located, locate
from merkhet.workloads.run import RefusedForNow
from tests.unit.workloads.features.making import Workshop, workshop


def parquet(columns: dict[str, list[Any]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path)


def find(shop: Workshop, uri: str, said: str | None = None) -> Located:
    source = Source.model_validate({"name": "census", "uri": uri, "format": said})
    return locate(source, shop.places.store, shop.places.scratch, shop.said.append)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        pytest.param("store://raw/a/1.parquet", ["a/1.parquet"], id="one file"),
        pytest.param("store://raw/a/*.parquet", ["a/1.parquet", "a/2.parquet"], id="a star"),
        pytest.param("store://raw/**/*.parquet", ["a/1.parquet", "a/2.parquet", "a/b/3.parquet"], id="two stars"),
        pytest.param("store://raw/a/[2-9].parquet", ["a/2.parquet"], id="a range"),
    ],
)
def test_globs_find_files_in_order_and_no_hidden_ones(shop: Workshop, uri: str, expected: list[str]) -> None:
    for name in ("a/2.parquet", "a/1.parquet", "a/b/3.parquet"):
        shop.put(name, {"x": [1]})
    hidden = shop.places.store / "raw" / ".parts"
    hidden.mkdir()
    (hidden / "4.parquet").write_bytes(b"half")
    (shop.places.store / "raw/a/.tmp-5.parquet").write_bytes(b"half")
    raw = shop.places.store / "raw"
    assert [file.relative_to(raw).as_posix() for file in find(shop, uri).files] == expected


@pytest.mark.parametrize(
    ("name", "format"),
    [("x.parquet", "parquet"), ("x.CSV", "csv"), ("x.csv.gz", "csv"), ("x.y.tsv", "csv"), ("x.jsonl", "json")],
)
def test_the_ending_says_the_format(shop: Workshop, name: str, format: str) -> None:  # noqa: A002
    shop.put(name, parquet({"a": [1]}))
    assert find(shop, f"store://raw/{name}").format == format


def test_a_said_format_wins_over_the_ending(shop: Workshop) -> None:
    shop.put("x.dat", parquet({"a": [1]}))
    assert find(shop, "store://raw/x.dat", "parquet").format == "parquet"
    with pytest.raises(Refused, match=r"x\.dat does not say one format"):
        find(shop, "store://raw/x.dat")


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("store://raw/../runs/x.parquet", id="upwards"),
        pytest.param("store:///etc/passwd", id="absolute"),
        pytest.param("store://blobs/sha256/x.parquet", id="elsewhere in the store"),
        pytest.param("store://raw/.parts/x.parquet", id="hidden"),
        pytest.param("file:///etc/passwd", id="a local file"),
        pytest.param("http://example.com/x.parquet", id="without TLS"),
        pytest.param("/etc/passwd", id="no scheme"),
    ],
)
def test_an_address_that_is_not_ours_to_read_is_refused_for_good(shop: Workshop, uri: str) -> None:
    with pytest.raises(Refused, match="source census: ") as caught:
        find(shop, uri)
    assert not isinstance(caught.value, RefusedForNow)


def test_a_link_out_of_the_store_is_not_followed(shop: Workshop, tmp_path: Path) -> None:
    shop.put("x.csv", "a\n1\n")
    (tmp_path / "secret.csv").write_text("a\n1\n")
    (shop.places.store / "raw" / "link.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(RefusedForNow, match=r"raw/link\.csv is a link out of the store"):
        find(shop, "store://raw/*.csv")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param(b"<html>sign in</html>", r"begins with b'<html>sign in</html>'", id="a page"),
        pytest.param(b"", r"begins with b''", id="nothing"),
        pytest.param(b"PAR1", "cut short", id="the first letters alone"),
        pytest.param(parquet({"a": [1]})[:-3], "cut short: it ends with", id="a broken download"),
    ],
)
def test_a_file_that_is_no_parquet_is_named_with_its_first_bytes(shop: Workshop, content: bytes, found: str) -> None:
    shop.put("good.parquet", {"a": [1]})
    shop.put("other.parquet", content)
    with pytest.raises(RefusedForNow, match=f"store://raw/other.parquet .*{found}"):
        find(shop, "store://raw/*.parquet")


@pytest.mark.parametrize(
    ("files", "found"),
    [
        pytest.param(
            {"a.parquet": {"x": [1]}, "b.parquet": {"y": [1]}}, r"store://raw/b\.parquet", id="parquet of other columns"
        ),
        pytest.param({"a.csv": "x,y\n1,2\n", "b.csv": "x\n1\n"}, r"store://raw/b\.csv", id="CSV of other columns"),
        pytest.param({"a.jsonl": '{"x": 1}\n{"x":'}, r"store://raw/a\.jsonl", id="JSON cut short"),
        pytest.param({"a.parquet": b"PAR1" + b"x" * 40 + b"PAR1"}, r"store://raw/a\.parquet", id="parquet of rubbish"),
    ],
)
def test_files_that_cannot_be_read_together_are_refused_by_name(
    shop: Workshop, files: dict[str, Any], found: str
) -> None:
    for name, content in files.items():
        shop.put(name, content)
    ending = next(iter(files)).rpartition(".")[2]
    with pytest.raises(RefusedForNow, match=found):
        shop.make({"census": f"store://raw/*.{ending}"})


# What the server answers, by path: status, headers, body.
Answer = tuple[int, dict[str, str], bytes]
ANSWERS: dict[str, Answer] = {
    "/rows.parquet": (200, {}, parquet({"a": [1, 2]})),
    "/rows.csv": (200, {"Content-Length": "4"}, b"a\n1\n"),
    "/moved.csv": (302, {"Location": "/rows.csv"}, b""),
    "/down.csv": (302, {"Location": "http://127.0.0.1:1/rows.csv"}, b""),
    "/gone.csv": (404, {}, b""),
    "/login.csv": (403, {}, b""),
    "/broken.csv": (503, {}, b""),
    "/cut.csv": (200, {"Content-Length": "100"}, b"a\n1\n"),
    "/page.parquet": (200, {}, b"<html>please sign in"),
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, headers, body = ANSWERS[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {folder}/key.pem "
        f"-out {folder}/cert.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost".split(),
        check=True,
        capture_output=True,
    )
    return folder / "cert.pem"


@pytest.fixture(scope="module")
def site(certificate: Path) -> Iterator[str]:
    """A server over https that answers as above."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def trusted(site: str, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return site


@pytest.mark.parametrize("path", ["rows.parquet", "rows.csv", "moved.csv"])
def test_a_source_over_https_becomes_a_table(shop: Workshop, trusted: str, path: str) -> None:
    shop.make({"census": f"{trusted}/{path}"})
    assert shop.table().column("a").to_pylist()[0] == 1


def test_a_server_that_nobody_vouches_for_is_not_believed(shop: Workshop, site: str) -> None:
    with pytest.raises(Unavailable, match="certificate"):
        find(shop, f"{site}/rows.csv")


@pytest.mark.parametrize(
    ("path", "error", "found"),
    [
        pytest.param("down.csv", RefusedForNow, "not https", id="a redirect to plain http"),
        pytest.param("gone.csv", Missing, "404", id="nothing there"),
        pytest.param("login.csv", Missing, "403", id="a login"),
        pytest.param("broken.csv", Unavailable, "503", id="a server in trouble"),
        pytest.param("cut.csv", Unavailable, "4 of 100 bytes", id="a connection that ends early"),
        pytest.param("page.parquet", RefusedForNow, "begins with b'<html>please", id="a page instead of parquet"),
    ],
)
def test_an_answer_that_is_no_file_says_what_it_was(
    shop: Workshop, trusted: str, path: str, error: type[MerkhetError], found: str
) -> None:
    with pytest.raises(error, match=f"source census: .*{found}|{found}") as caught:
        find(shop, f"{trusted}/{path}")
    assert type(caught.value) is error


def test_a_file_larger_than_allowed_is_not_fetched(shop: Workshop, trusted: str) -> None:
    with pytest.raises(RefusedForNow, match="more than 3 bytes"):
        download(f"{trusted}/rows.csv", shop.places.scratch / "x", shop.said.append, name="census", largest=3)


def test_nobody_listening_is_worth_another_try(shop: Workshop) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        find(shop, "https://localhost:1/rows.csv")


def test_an_address_with_a_password_is_refused_without_telling_it(shop: Workshop) -> None:
    with pytest.raises(Refused) as caught:
        find(shop, "https://dana:hunter2@localhost/rows.csv")
    assert "hunter2" not in str(caught.value)


def test_a_file_whose_name_the_database_would_take_for_a_glob_is_refused(shop: Workshop) -> None:
    for name in ("a1.csv", "a*.csv"):
        shop.put(name, "x\n1\n")
    with pytest.raises(RefusedForNow, match=r"source census: .*a\*\.csv has \*, \? or \[, which stand for other names"):
        find(shop, "store://raw/a*.csv")
