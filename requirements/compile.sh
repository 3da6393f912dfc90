#!/bin/sh
# Pins what each image and the development environment install; needs uv on the PATH.
set -eu
cd "$(dirname "$0")/.."
pin() {
    out=$1
    shift
    uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url \
        --custom-compile-command requirements/compile.sh pyproject.toml "$@" -o "requirements/$out.txt"
}
# One resolution first, so that trainer, server and tests run the same versions.
pin dev --extra operator --extra trainer --extra server --extra dev
for role in operator trainer server; do
    pin "$role" --extra "$role" -c requirements/dev.txt
done
# A trainer that can also answer with Shapley values; nothing else of it differs.
pin trainer-shap --extra trainer --extra shap -c requirements/dev.txt
