// A fixture project as a user would have it: the workspace's packages as they are packed, everything else from the npm registry.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const fixtures = join(import.meta.dirname, "fixtures");

/** Where projects stay between executions, with what npm has installed: a second one is a matter of seconds. */
const kept = join(tmpdir(), `perdure-frameworks-${userInfo().uid}`);

/** The folders of `perdure` and of what it is made of. */
async function packages(folder = "perdure", found = new Set<string>()): Promise<ReadonlySet<string>> {
  found.add(folder);
  const manifest = await readFile(join(root, "packages", folder, "package.json"), "utf8");
  const { dependencies = {} } = JSON.parse(manifest) as { dependencies?: Readonly<Record<string, string>> };
  for (const name of Object.keys(dependencies)) {
    const [, ours = ""] = /^@perdure\/(.+)$/.exec(name) ?? [];
    if (ours !== "" && !found.has(ours)) await packages(ours, found);
  }
  return found;
}

/** Packs the workspace and the package with a marked step that every fixture depends on; gives the tarballs by package name. */
export async function packAll(): Promise<ReadonlyMap<string, string>> {
  const folder = join(kept, `tarballs-${process.pid}`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const name of await packages()) {
    await run("pnpm", ["pack", "--pack-destination", folder], { cwd: join(root, "packages", name) });
  }
  await run("npm", ["pack", "--pack-destination", folder], { cwd: join(fixtures, "acme-receipts") });
  const files = await readdir(folder);
  return new Map(
    files.map((file) => {
      const name = file.replace(/-\d+\.\d+\.\d+.*$/, "");
      return [name.replace(/^perdure-/, "@perdure/"), join(folder, file)];
    }),
  );
}

/** What a fixture is made of. */
export interface Fixture {
  /** The folder under `fixtures`. */
  readonly from: string;
  /** Where the shared files go: `perdure.ts` and `workflows`. */
  readonly sources: string;
  /** Versions in place of those of the fixture's own package.json. */
  readonly versions?: Readonly<Record<string, string>>;
}

const installed = new Set<string>();

/** Writes a project and installs it; gives its folder. */
export async function makeProject(fixture: Fixture, tarballs: ReadonlyMap<string, string>): Promise<string> {
  const source = join(fixtures, fixture.from);
  const manifest = JSON.parse(await readFile(join(source, "package.json"), "utf8"));
  Object.assign(manifest.dependencies, fixture.versions);
  const third = createHash("sha256").update(JSON.stringify(manifest)).digest("hex").slice(0, 8);
  const project = join(kept, `${fixture.from}-${third}`);
  await emptyBut(project, "node_modules");
  await cp(source, project, { recursive: true });
  await cp(join(fixtures, "shared"), join(project, fixture.sources), { recursive: true });

  const ours = Object.fromEntries([...tarballs].map(([name, file]) => [name, `file:${file}`]));
  const { perdure = "", "acme-receipts": acme = "", ...inner } = ours;
  manifest.dependencies = { ...manifest.dependencies, perdure, "acme-receipts": acme };
  manifest.overrides = { ...manifest.overrides, ...inner };
  await writeFile(join(project, "package.json"), JSON.stringify(manifest, null, 2));
  if (installed.has(project)) return project;
  // Of ours there is only one version: npm would take what it has for the same.
  for (const name of ["perdure", "@perdure", "acme-receipts", ".package-lock.json"]) {
    await rm(join(project, "node_modules", name), { recursive: true, force: true });
  }
  await run("npm", ["install", "--no-package-lock", "--no-audit", "--no-fund", "--prefer-offline"], {
    cwd: project,
    env: alone(),
    maxBuffer: 1 << 26,
  });
  installed.add(project);
  return project;
}

/** Copies what a build has made to a place where nothing else of the project is found; gives the folder. */
export async function moveAway(project: string, output: string): Promise<string> {
  const folder = `${project}-moved`;
  await rm(folder, { recursive: true, force: true });
  await cp(join(project, output), folder, { recursive: true, verbatimSymlinks: true });
  return folder;
}

/** Runs a program of the project to its end; what it said is in the error if it failed. */
export async function command(
  project: string,
  line: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const [name = "", ...args] = line;
  const { stdout, stderr } = await run(join(project, "node_modules/.bin", name), args, {
    cwd: project,
    env: { ...alone(), ...env },
    maxBuffer: 1 << 26,
  });
  return stdout + stderr;
}

/** An environment in which nothing of this repository is found, and whose Node is the one that executes the tests. */
export function alone(): NodeJS.ProcessEnv {
  const dirs = (process.env.PATH ?? "").split(delimiter).filter((dir) => !dir.startsWith(root));
  const env = Object.entries(process.env).filter(
    ([name]) => !/^(VITEST|npm_|NODE_ENV$|NODE_PATH$|TEST$|DEV$|PROD$)/.test(name),
  );
  return {
    ...Object.fromEntries(env),
    PATH: [dirname(process.execPath), ...dirs].join(delimiter),
    NEXT_TELEMETRY_DISABLED: "1",
    NUXT_TELEMETRY_DISABLED: "1",
    ASTRO_TELEMETRY_DISABLED: "1",
    DO_NOT_TRACK: "1",
  };
}

async function emptyBut(folder: string, stays: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    if (name !== stays) await rm(join(folder, name), { recursive: true, force: true });
  }
}
