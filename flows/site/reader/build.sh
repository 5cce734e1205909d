#!/bin/sh
# Builds flows/site/static/parquet-reader.js: one script with the reader of Parquet, its licences as its first lines.
# Needs npm. The versions are those of package.json; what is installed is removed again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/package.json" "$here/entry.js" "$work"
cd "$work"
npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts
version() { node -p "require('./node_modules/$1/package.json').version"; }
{
  printf '/*!\nBuilt from flows/site/reader by `make reader`.\n'
  for name in hyparquet fzstd; do
    printf '\n%s %s\n\n' "$name" "$(version "$name")"
    cat "node_modules/$name/LICENSE"
    printf '\n'
  done
  printf '*/\n'
  node_modules/.bin/esbuild entry.js --bundle --minify --format=iife --global-name=parquetReader --target=es2020 --legal-comments=none --log-level=warning
} > "$here/../static/parquet-reader.js"
