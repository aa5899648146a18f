import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { alone } from "../alone.ts";
import { PERDURE, pack } from "../pack.ts";

// The packed packages, installed by each package manager into an empty project, run a charge and bring their command.

const run = promisify(execFile);
const root = join(import.meta.dirname, "../../..");
let folder: string;
let tarballs: Record<string, string>;

/** Tools that come from the registry, under exact versions; each is a JavaScript file, but for Bun's. */
const TOOLS = { yarn: "1.22.22", "yarn-berry": "npm:@yarnpkg/cli-dist@4.18.1", [bunPackage()]: "1.4.5" };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "perdure managers "));
  tarballs = await pack(PERDURE, join(folder, "tarballs"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, dependencies: TOOLS }));
  await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"], {
    cwd: folder,
  });
}, 600_000);

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Manager {
  readonly name: string;
  /** The command, and the arguments that install. */
  command(): [file: string, ...args: string[]];
  /** What the manifest says so that packages of ours that packages of ours need are the packed ones. */
  overrides(packed: Record<string, string>): object;
  readonly files?: Readonly<Record<string, string>>;
}

const node = process.execPath;
const managers: Manager[] = [
  {
    name: "npm",
    command: () => ["npm", "install", "--no-audit", "--no-fund", "--prefer-offline"],
    overrides: (packed) => ({ overrides: packed }),
  },
  {
    name: "pnpm",
    command: () => [node, join(root, "node_modules/pnpm/bin/pnpm.cjs"), "install", "--prefer-offline"],
    overrides: (packed) => ({ pnpm: { overrides: packed } }),
  },
  {
    name: "yarn 1",
    command: () => [node, join(folder, "node_modules/yarn/bin/yarn.js"), "install", "--no-progress"],
    overrides: (packed) => ({ resolutions: packed }),
  },
  {
    name: "yarn 4",
    command: () => [node, join(folder, "node_modules/yarn-berry/bin/yarn.js"), "install"],
    overrides: (packed) => ({ resolutions: packed }),
    // Where it finds `CI` in its environment, it would refuse to write the lockfile.
    files: {
      "yarn.lock": "",
      ".yarnrc.yml": "nodeLinker: node-modules\nenableTelemetry: false\nenableImmutableInstalls: false\n",
    },
  },
  {
    name: "bun",
    command: () => [join(folder, "node_modules", bunPackage(), "bin/bun"), "install"],
    overrides: (packed) => ({ overrides: packed }),
  },
];

test.each(managers)(
  "$name installs what runs",
  async ({ name, command, overrides, files = {} }) => {
    const cwd = await mkdtemp(join(folder, `${name} `));
    const { perdure, ...packed } = Object.fromEntries(
      Object.entries(tarballs).map(([each, file]) => [each, `file:${file}`]),
    );
    const manifest = { name: "shop", private: true, type: "module", dependencies: { perdure } };
    await writeFile(join(cwd, "package.json"), JSON.stringify({ ...manifest, ...overrides(packed) }));
    for (const [file, text] of Object.entries(files)) await writeFile(join(cwd, file), text);
    await cp(join(import.meta.dirname, "fixtures/install.ts"), join(cwd, "app.ts"));

    const [file, ...args] = command();
    await run(file, args, { cwd, env: alone() }).catch((error) => {
      // Some say on the standard output what they could not do.
      throw new Error(`${error.message}\n${error.stdout}`, { cause: error });
    });

    const charge = await run(node, ["--import", "perdure/register", "app.ts"], { cwd, env: alone() });
    expect(charge.stdout).toBe("cus_1 step_ 1\n");
    const { version } = JSON.parse(await readFile(join(root, "packages/perdure/package.json"), "utf8"));
    const { stdout } = await run(join(cwd, "node_modules/.bin/perdure"), ["--version"], { cwd });
    expect(stdout).toBe(`${version}\n`);
    const page = await readFile(join(cwd, "node_modules/perdure/docs/errors/RUN_FAILED.md"), "utf8");
    expect(page).toContain("WorkflowRunFailedError");
  },
  300_000,
);

/** The package with Bun's binary for this machine: the package `bun` itself would fetch it in a script. */
function bunPackage(): string {
  const cpu = process.arch === "arm64" ? "aarch64" : process.arch;
  return `@oven/bun-${process.platform === "win32" ? "windows" : process.platform}-${cpu}`;
}
