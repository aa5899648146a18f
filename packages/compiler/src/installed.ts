/** Installed packages: which file belongs to which, and which of them ship functions that are marked. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { containsDirective } from "./directive.ts";
import { type Installed, realPath } from "./project.ts";

interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly type?: string;
  readonly module?: string;
  readonly exports?: unknown;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  /** What the package's own project sets for this compiler. */
  readonly perdure?: { readonly exclude?: readonly string[] };
}

const folderOf = /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/.@][^\\/]*)[\\/]/s;
const manifests = new Map<string, Manifest | undefined>();

/** The installed package that a file is part of; nothing for a file of the project. */
export function installedPackage(filename: string): Installed | undefined {
  const folder = folderOf.exec(filename)?.[1];
  if (folder === undefined) return undefined;
  const parts = folder.split(/[\\/]node_modules[\\/]/);
  const path = (parts.at(-1) ?? "").replaceAll("\\", "/");
  const { name = path, version = "0" } = manifestIn(folder) ?? {};
  return { name, major: /^\d+/.exec(version)?.[0] ?? "0", folder };
}

/** Whether a path is in a folder of installed packages, or of what a tool made of them. */
export function isInstalled(path: string): boolean {
  return /[\\/]node_modules[\\/]/.test(path);
}

/** The packages whose files stay as they are: what the project's own manifest lists under `perdure.exclude`, and this one. */
export function excludedBy(root: string): readonly string[] {
  return manifestIn(root)?.perdure?.exclude ?? [];
}

/** Whether a package is one that the compiler never looks into: its own runtime. */
export function isOwnPackage(name: string): boolean {
  return name === "perdure" || name.startsWith("@perdure/");
}

/** The names of the packages that a project depends on, directly or through one of them, and that ship marked functions. */
export function markedDependencies(root: string, exclude: readonly string[]): string[] {
  const found = new Set<string>();
  const seen = new Set<string>();
  const visit = (folder: string, names: readonly string[]): void => {
    for (const name of names) {
      const at = isOwnPackage(name) || exclude.includes(name) ? undefined : dependencyFolder(folder, name);
      if (at === undefined || seen.has(at)) continue;
      seen.add(at);
      if (!shipsMarked(at)) continue;
      found.add(name);
      visit(at, Object.keys(manifestIn(at)?.dependencies ?? {}));
    }
  };
  const own = manifestIn(root);
  visit(root, Object.keys({ ...own?.devDependencies, ...own?.optionalDependencies, ...own?.dependencies }));
  return [...found];
}

/** The names by which a project depends on this program's own packages: `workflow` too, where that is another name of `perdure`. */
export function ownDependencies(root: string): string[] {
  const { dependencies, devDependencies, optionalDependencies } = manifestIn(root) ?? {};
  const names = Object.keys({ ...devDependencies, ...optionalDependencies, ...dependencies });
  const installed = (name: string): string | undefined => {
    const at = folderOfDependency(root, name);
    return at === undefined ? undefined : manifestIn(at)?.name;
  };
  return ["perdure", ...names.filter((name) => name !== "perdure" && isOwnPackage(installed(name) ?? name))];
}

/** Whether the package of this name, as a file in the folder would import it, ships marked functions. */
export function shipsMarkedCode(folder: string, name: string): boolean {
  const at = isOwnPackage(name) ? undefined : dependencyFolder(folder, name);
  return at !== undefined && shipsMarked(at);
}

/** The package that a bare import names: `@acme/media` for `@acme/media/workflows`. */
export function packageOf(specifier: string): string | undefined {
  return /^(?:@[\w.~-]+\/)?[\w~-][\w.~-]*/.exec(specifier)?.[0];
}

const shipping = new Map<string, boolean>();
/** More files than a package of workflows has; of a larger one the first so many are looked at. */
const MOST_FILES = 300;

function shipsMarked(folder: string): boolean {
  const known = shipping.get(folder);
  if (known !== undefined) return known;
  const manifest = manifestIn(folder);
  // Only ES modules can be compiled; most of what else is installed need not be read.
  const isModule =
    manifest?.type === "module" || manifest?.module !== undefined || manifest?.exports !== undefined;
  let left = MOST_FILES;
  const look = (at: string): boolean =>
    readdirSync(at, { withFileTypes: true }).some((entry) => {
      const path = join(at, entry.name);
      if (entry.isDirectory()) return entry.name !== "node_modules" && left > 0 && look(path);
      return /\.m?js$/.test(entry.name) && left-- > 0 && containsDirective(readFileSync(path, "utf8"));
    });
  const found = isModule && look(folder);
  shipping.set(folder, found);
  return found;
}

/** The folder of a package that is a dependency; nothing for a linked one of the same repository: it is source, as the project's own. */
function dependencyFolder(folder: string, name: string): string | undefined {
  const at = folderOfDependency(folder, name);
  return at !== undefined && isInstalled(at) ? at : undefined;
}

/** Looks where an import in the folder would. */
function folderOfDependency(folder: string, name: string): string | undefined {
  const at = join(folder, "node_modules", name);
  if (existsSync(join(at, "package.json"))) return realPath(at);
  const parent = dirname(folder);
  return parent === folder ? undefined : folderOfDependency(parent, name);
}

function manifestIn(folder: string): Manifest | undefined {
  if (!manifests.has(folder)) {
    const path = join(folder, "package.json");
    manifests.set(
      folder,
      existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Manifest) : undefined,
    );
  }
  return manifests.get(folder);
}
