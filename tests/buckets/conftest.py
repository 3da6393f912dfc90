"""The S3 server of the session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.buckets.server import Server, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real S3 server on loopback."""
    with running(tmp_path_factory.mktemp("s3")) as started:
        yield started
