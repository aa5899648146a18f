/** What the file system says about a source file: its project's root, its path there, the runtime it can import. */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, extname, join, relative, resolve, sep } from "node:path";

/** An installed package. */
export interface Installed {
  readonly name: string;
  /** The major version, `0` where there is none. */
  readonly major: string;
  readonly folder: string;
}

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

/**
 * The path that ids name a file by, with `/` and without extension: relative to the root, or for an installed package's file
 * its name, its major version, and the path in it, which are the same wherever the package manager puts it.
 */
export function idPath(filename: string, root: string, installed: Installed | undefined): string {
  const path = relative(installed?.folder ?? root, filename)
    .split(sep)
    .join("/");
  const bare = path.slice(0, path.length - extname(path).length);
  if (installed) return `${installed.name}@${installed.major}/${bare}`;
  return bare.startsWith("../") ? bare : `./${bare}`;
}

/** Packages that export the runtime as `./compiled`. */
const candidates = ["perdure", "workflow", "@perdure/core"];
const known = new Map<string, string>();

/** The first runtime module that an import in the file would find; the usual one where none is, so that the bundler can say so. */
export function runtimeSpecifier(filename: string): string {
  const folder = dirname(filename);
  let found = known.get(folder);
  if (found === undefined) {
    found = `${candidates.find((name) => hasRuntime(folder, name)) ?? "perdure"}/compiled`;
    known.set(folder, found);
  }
  return found;
}

/** Looks where an ES import would. `require.resolve` also looks in `NODE_PATH`, which pnpm sets and imports ignore. */
function hasRuntime(folder: string, name: string): boolean {
  const manifest = join(folder, "node_modules", name, "package.json");
  if (existsSync(manifest)) {
    const { exports } = JSON.parse(readFileSync(manifest, "utf8")) as { exports?: unknown };
    return typeof exports === "object" && exports !== null && "./compiled" in exports;
  }
  const parent = dirname(folder);
  return parent !== folder && hasRuntime(parent, name);
}
