/**
 * `pnpm test:postgres 16`: the tests of the Postgres World on a server of another major version. Its binaries come from
 * the registry into a temporary folder. More arguments are vitest's, in place of the package's folder.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeFolder } from "./folder.ts";
import { BINARIES, binariesOf, platformPackage } from "./postgres-binaries.ts";

const root = join(import.meta.dirname, "../../..");
const npm = process.platform === "win32" ? "npm.cmd" : "npm";

/** Installs the newest package of a major version and returns the folder of its programs. */
function fetchBinaries(major: string, folder: string): string {
  const name = platformPackage();
  const ask = (...args: string[]): string =>
    execFileSync(npm, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], cwd: folder });
  const versions = JSON.parse(ask("view", name, "versions", "--json")) as string[];
  const version = versions.filter((version) => version.startsWith(`${major}.`)).at(-1);
  if (version === undefined) throw new Error(`The registry's ${name} has no version of Postgres ${major}.`);
  process.stderr.write(`Postgres ${version} of ${name}\n`);
  ask("install", "--prefix", folder, "--no-audit", "--no-fund", `${name}@${version}`);
  const binaries = binariesOf(join(folder, "node_modules", name));
  if (binaries === undefined) throw new Error(`${name}@${version} has no initdb and postgres.`);
  return binaries.bin;
}

const [major = "", ...args] = process.argv.slice(2);
if (!/^\d+$/.test(major)) throw new Error("Say which major version of Postgres: `pnpm test:postgres 16`.");

const folder = mkdtempSync(join(tmpdir(), "perdure-postgres-version-"));
try {
  // The server is started by another user where this one is root.
  chmodSync(folder, 0o755);
  const bin = fetchBinaries(major, folder);
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const { PERDURE_TEST_POSTGRES_URL: _, ...env } = process.env;
  const { status } = spawnSync(
    process.execPath,
    [vitest, "run", ...(args.length === 0 ? ["packages/world-postgres"] : args)],
    { cwd: root, stdio: "inherit", env: { ...env, [BINARIES]: bin } },
  );
  process.exitCode = status ?? 1;
} finally {
  removeFolder(folder);
}
