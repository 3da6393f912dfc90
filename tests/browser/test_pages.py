"""Pages in a real browser: they show without a complaint, and their script finds and sorts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from merkhet.contract.profile import Profile
from merkhet.pages import card
from merkhet.pages.card import Known
from merkhet.pages.profile import render
from tests.cluster.machine import Progress, install_debian_packages
from tests.unit.pages.cards import amounts, awkward, binary, brought, classes, older
from tests.unit.pages.profiles import EVIL, plain, profile, wide

# Nothing but the page: no first-run pages, no updates, no requests to the browser's makers.
FLAGS = (
    *("--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--virtual-time-budget=5000"),
)
PAGES = {"everything": profile(), "nothing": plain(), "a thousand columns": wide()}
CARDS: dict[str, Callable[[], Known]] = {
    "two classes": lambda: binary().known,
    "three classes": lambda: classes().known,
    "a regression": lambda: amounts().known,
    "a record alone": older,
    "not even a record": brought,
    "names that want to be markup": lambda: awkward(EVIL),
}
# Narrow as a phone, and wide as a desk's screen. Units: pixels of the style.
WIDTHS = (390, 1280)


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser, from Debian's packages where it is not there yet."""
    names = ("chromium", "chromium-browser", "google-chrome")
    if not any(map(shutil.which, names)):
        install_debian_packages(Progress(), "chromium")
    return next(found for name in names if (found := shutil.which(name)))


def shown(page: str, chromium: str, folder: Path) -> tuple[str, list[str]]:
    """What became of a page once its scripts have run, and what the browser complained of."""
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    user = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = [
        chromium,
        *FLAGS,
        *user,
        "--allow-file-access-from-files",
        f"--user-data-dir={folder / 'browser'}",
        "--dump-dom",
        file.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("found", PAGES.values(), ids=PAGES)
def test_a_page_shows_all_its_columns_and_nothing_is_complained_of(
    found: Profile, chromium: str, tmp_path: Path
) -> None:
    page, complaints = shown(render(found), chromium, tmp_path)
    assert complaints == []
    assert page.count('<article id="c') == len(found.columns)
    assert '<html lang="en" class="live">' in page


def test_a_complaint_would_be_seen_and_no_other_script_runs(chromium: str, tmp_path: Path) -> None:
    page = render(plain()).replace("<h1>", "<script>document.title = 'taken over'</script><h1>")
    after, complaints = shown(page, chromium, tmp_path)
    assert any("Content Security Policy" in line for line in complaints)
    assert "<title>taken over" not in after


def test_columns_are_found_and_sorted(chromium: str, tmp_path: Path) -> None:
    # The same script, and after it what a person would do; the policy would forbid that to anybody else's.
    page = re.sub("<meta http-equiv=[^>]*>", "", render(profile()))
    acts = """<script>
        const [name, , , missing] = document.querySelectorAll("table.columns thead th");
        missing.querySelector("button").click();
        missing.querySelector("button").click();
        const first = document.querySelector("table.columns tbody tr").dataset.card;
        const input = document.querySelector("input[type=search]");
        input.value = "NUM ber";
        input.dispatchEvent(new Event("input"));
        const cards = [...document.querySelectorAll(".card:not([hidden])")].map((card) => card.id);
        document.title = `${first} ${missing.ariaSort} ${cards} ${document.querySelector("[data-shown]").textContent}`;
    </script></body>"""
    after, complaints = shown(page.replace("</body>", acts), chromium, tmp_path)
    assert complaints == []
    assert "<title>c4 descending c1 1 of 14</title>" in after


@pytest.mark.parametrize("known", CARDS.values(), ids=CARDS)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_model_card_fits_its_window_and_nothing_is_complained_of(
    known: Callable[[], Known], width: int, chromium: str, tmp_path: Path
) -> None:
    # In a frame, since a browser's own window may be no narrower than 500 pixels.
    (tmp_path / "card.html").write_text(card.render(known()), encoding="utf-8")
    measure = """
        const page = document.querySelector("iframe").contentDocument.documentElement;
        const wider = [...page.querySelectorAll(".panel")].filter((found) => found.scrollWidth > found.clientWidth);
        document.title = `${page.clientWidth} of ${page.scrollWidth} ${wider.map((found) => found.textContent)}`;
    """
    frame = f'<iframe src="card.html" style="width: {width}px; height: 900px; border: 0"></iframe>'
    script = f'<script>addEventListener("load", () => {{ {measure} }})</script>'
    after, complaints = shown(f"<!doctype html>{frame}{script}", chromium, tmp_path)
    assert complaints == []
    found = re.search("<title>([0-9]+) of ([0-9]+) (.*?)</title>", after, flags=re.DOTALL)
    assert found is not None
    assert (found[2], found[3]) == (found[1], "")
    assert width - 20 <= int(found[1]) <= width
