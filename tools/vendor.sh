#!/usr/bin/env bash
# Fetch the vendored browser files again from npm; check them against vendor/SHA256SUMS.
# After a change of version here, make the sums again:
#   cd vendor && find mathjax widgets -type f | sort | xargs shasum -a 256 > SHA256SUMS
set -euo pipefail
cd "$(dirname "$0")/../vendor"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fetch() { # NAME@VERSION FOLDER
  mkdir "$work/$2"
  tar xzf "$work/$(npm pack --silent --pack-destination "$work" "$1")" -C "$work/$2" --strip-components 1
}

fetch mathjax@3.2.2 mathjax
mkdir -p mathjax/output/chtml/fonts/woff-v2
cp "$work"/mathjax/{LICENSE,es5/tex-mml-chtml.js} mathjax/
cp "$work"/mathjax/es5/output/chtml/fonts/woff-v2/*.woff mathjax/output/chtml/fonts/woff-v2/

fetch @jupyter-widgets/html-manager@1.0.15 widgets
mkdir -p widgets
cp "$work"/widgets/dist/{embed.js,embed.js.LICENSE.txt,*.woff2} widgets/

shasum -a 256 --check --quiet SHA256SUMS && echo "vendor/ is as recorded."
