#!/bin/sh
# Writes requirements/*.txt from pyproject.toml: every version pinned, every file hashed, no index named.
set -eu
cd "$(dirname "$0")/.."
compile() {
  uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --quiet \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links "$@"
}
compile --all-extras --group dev --output-file requirements/lock.txt
compile --output-file requirements/sdk.txt
