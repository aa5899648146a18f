/** What the file system says about a source file: its project's root, its path there, the runtime it can import. */
import { existsSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join, relative, resolve, sep } from "node:path";

/** The folder of the nearest `package.json` at or above a folder, or the folder itself. */
export function projectRoot(folder: string): string {
  const start = realPath(folder);
  for (let at = start; ; at = dirname(at)) {
    if (existsSync(join(at, "package.json"))) return at;
    if (at === dirname(at)) return start;
  }
}

/** A path with its symbolic links resolved, as loaders and bundlers name files; one that does not exist stays. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

/** The path that ids name a file by: relative to the root, with `/`, without extension. */
export function idPath(filename: string, root: string): string {
  const path = relative(root, filename).split(sep).join("/");
  const bare = path.slice(0, path.length - extname(path).length);
  return bare.startsWith("../") ? bare : `./${bare}`;
}

const candidates = ["perdure/compiled", "workflow/compiled", "@perdure/core/compiled"];
const known = new Map<string, string>();

/** The first runtime module that resolves from a file; the usual one where none does, so that the bundler can say so. */
export function runtimeSpecifier(filename: string): string {
  const folder = dirname(filename);
  let found = known.get(folder);
  if (found === undefined) {
    const require = createRequire(filename);
    found = candidates.find((specifier) => resolves(require, specifier)) ?? "perdure/compiled";
    known.set(folder, found);
  }
  return found;
}

function resolves(require: NodeJS.Require, specifier: string): boolean {
  try {
    require.resolve(specifier);
    return true;
  } catch {
    return false;
  }
}
