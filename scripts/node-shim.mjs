// Makes `node` in every package script the packaged one (root `postinstall`). pnpm links binaries before the `node`
// package's install script has fetched its own, so on a fresh machine the link is missing; and the link it writes later
// keeps a shell between caller and Node, which swallows signals.

import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isExecutable, packagedNode, root } from "./process.mjs";

// While the `node` package is being installed its binary is missing, and it is a Node in PATH that fetches it.
const shim = `#!/bin/sh
here=\${0%/*}
if [ -x "$here/../node/bin/node" ]; then exec "$here/../node/bin/node" "$@"; fi
IFS=:
for folder in $PATH; do
  if [ -x "$folder/node" ] && ! [ "$folder" -ef "$here" ]; then exec "$folder/node" "$@"; fi
done
echo "node: not found beside $here or in PATH" >&2
exit 127
`;

/** Writes `node_modules/.bin/node`; leaves it alone where there is no packaged Node (or no POSIX shell). */
export function writeNodeShim() {
  if (process.platform === "win32" || !isExecutable(packagedNode)) {
    return;
  }
  const file = join(root, "node_modules/.bin/node");
  mkdirSync(dirname(file), { recursive: true });
  // A file and not a symlink: pnpm rewrites this path, and through a link it would overwrite the binary in its store.
  writeFileSync(file, shim);
  chmodSync(file, 0o755);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeNodeShim();
}
