"""Links and images lead somewhere, and no file of the repository speaks of the place where it was written."""

from __future__ import annotations

import re
import sys
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree as ET

import pytest
from docs_reading import PAGES, ROOT, anchors, links, tracked

REGISTRIES = (
    ("pypi", "org"),
    ("python" + "hosted", "org"),
    ("npmjs", "org"),
    ("npmjs", "com"),
    ("docker", "io"),
    ("ghcr", "io"),
    ("gcr", "io"),
    ("quay", "io"),
    ("proxy.golang", "org"),
)
PLACES = (ROOT, Path.home(), Path(sys.prefix))
"""Where this checkout, its user and its environment happen to be: no file may say so."""
FORBIDDEN = re.compile(
    "|".join(
        [
            *(rf"\b{re.escape('.'.join(host))}\b" for host in REGISTRIES),
            *(rf"(?<![\w.]){re.escape(str(place))}\b" for place in PLACES if len(place.parts) > 2),
        ]
    )
)
"""Put together here, so that this file does not contain what it looks for."""


@pytest.mark.parametrize("page", PAGES)
def test_links_and_images_resolve(page: str) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), f"{page}: {target}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(str(file.resolve().relative_to(ROOT))), f"{page}: {target}"


def test_the_index_names_every_page_of_the_folder() -> None:
    named = {PurePosixPath(target.partition("#")[0]).name for target in links("docs/README.md")}
    written = {Path(page).name for page in PAGES if Path(page).parent == Path("docs")} - {"README.md", "errors.md"}
    assert written <= named


def test_decisions_are_numbered_once_and_without_a_gap() -> None:
    numbers = sorted(int(Path(page).name[:4]) for page in PAGES if Path(page).parent == Path("docs/decisions"))
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("picture", tracked("*.svg"))
def test_pictures_are_well_formed(picture: str) -> None:
    root = ET.parse(ROOT / picture).getroot()  # noqa: S314 - our own file
    assert root.tag.endswith("svg")


def test_no_file_names_a_registry_or_a_place_on_the_machine_it_was_written_on() -> None:
    found = []
    for name in tracked():
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:  # a picture or the like
            continue
        found += [f"{name}: {match[0]}" for match in FORBIDDEN.finditer(text)]
    assert not found


def test_that_search_finds_something() -> None:
    assert FORBIDDEN.search("https://" + ".".join(REGISTRIES[0]) + "/simple")
    assert FORBIDDEN.search("cd " + str(PLACES[0]))
