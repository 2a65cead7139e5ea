#!/usr/bin/env bash
# Installs the real clients that the tests drive, pinned, beside this file. Does nothing where they are there already.
set -euo pipefail
cd "$(dirname "$0")"

need() {
    command -v "$1" >/dev/null || { echo "setup: \`$1\` is missing; on Debian: apt-get install $2" >&2; exit 1; }
}

# python_clients FOLDER REQUIREMENTS: a copy of the list inside the folder says that it was installed to the end.
python_clients() {
    cmp -s "$2" "$1/installed" && return
    echo "setup: installing $2 into tests/clients/$1"
    rm -rf "$1"
    python3 -m venv "$1" || { echo "setup: on Debian: apt-get install python3-venv" >&2; exit 1; }
    "$1/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$2"
    cp "$2" "$1/installed"
}

node_clients() {
    cmp -s package-lock.json node_modules/installed && return
    echo "setup: installing package-lock.json into tests/clients/node_modules"
    npm ci --silent --no-audit --no-fund --ignore-scripts
    cp package-lock.json node_modules/installed
}

need python3 python3
need node nodejs
need npm npm
need curl curl
python_clients .venv requirements.txt
python_clients .venv-before requirements-before.txt
python_clients .venv-a2a requirements-a2a.txt
node_clients
