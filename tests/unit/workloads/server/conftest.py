"""Servers that several tests ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.workloads.server.served import Process, mixed, numeric, running, slow, task_for


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="package")
def server(store: Path) -> Iterator[Process]:
    """A small model with the threshold 0.9, which runs on the event loop."""
    with running(task_for(numeric(0.9), store, max_batch_rows=600), store) as process:
        yield process


@pytest.fixture(scope="package")
def slow_server(store: Path) -> Iterator[Process]:
    """A forest, whose larger requests run in the worker thread."""
    with running(task_for(slow(), store), store) as process:
        yield process


@pytest.fixture(scope="package")
def mixed_server(store: Path) -> Iterator[Process]:
    """A model of a number and a text."""
    with running(task_for(mixed(), store), store) as process:
        yield process
