"""The settings in docs/pii.md are such as the gateway and Presidio take. (The programs there are run with the others of the documentation.)"""

from __future__ import annotations

import re
from pathlib import Path

from lockgate_schemas.content import parse_content
from lockgate_workers.dlp.presidio.loading import from_registry
from lockgate_workers.dlp.presidio.operators import CIPHER_BYTES, SALT_BYTES, prepared

PAGE = Path(__file__).parents[2] / "docs" / "pii.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_registry_is_one(tmp_path: Path) -> None:
    path = tmp_path / "registry.yaml"
    path.write_text(BLOCKS[0])
    assert {entity for one in from_registry(path) for entity in one.supported_entities} == {"BADGE", "US_SSN"}


def test_operators_and_names_are_content_policy(scanner) -> None:
    operators, names = (parse_content(text) for text in BLOCKS[1:])
    assert prepared(operators.operators, {"pii-key": bytes(16)}, scanner.rules).of("name-person")
    assert names.names.mode == "required"
    assert min(CIPHER_BYTES) == SALT_BYTES == 16
