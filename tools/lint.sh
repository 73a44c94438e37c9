#!/bin/sh
# ruff, mypy and import-linter over the package; runs all three, and fails if one did.   lint.sh [BIN]
set -u
cd "$(dirname "$0")/.."
root=$(pwd)
bin=${1:-$root/.venv/bin}
status=0

# The root is the package, but also holds .venv, tests and build: give the checkers a package of that name without those.
rm -rf build/lint
mkdir -p build/lint/spikeloom
for part in __init__.py py.typed spec sim hdl gen boards software; do
    ln -s "$root/$part" "build/lint/spikeloom/$part"
done

echo "ruff";          "$bin/ruff" check --quiet . || status=1
echo "mypy";          (cd build/lint && "$bin/mypy" --config-file "$root/pyproject.toml" --cache-dir "$root/.mypy_cache" -p spikeloom) || status=1
echo "import-linter"; (cd build/lint && PYTHONPATH=. "$bin/lint-imports" --config "$root/pyproject.toml" --cache-dir "$root/.import_linter_cache") || status=1
exit $status
