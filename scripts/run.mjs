// The root scripts, on a fresh machine too: `npm test`, `npm run demo`, `npm run check` … Needs any Node >= 18 with npm and
// nothing else: it installs the workspace, builds it and hands over to the Node that the workspace brings along.
// Everything said here goes to stderr; stdout belongs to the command.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { ensureInstalled } from "./install.mjs";
import { Mend, root, run, runAside, workspaceNode } from "./process.mjs";

const started = Date.now();

const biome = join(root, "node_modules/@biomejs/biome/bin/biome");
const turbo = [join(root, "node_modules/turbo/bin/turbo"), "run", "--output-logs=errors-only"];
const vitest = join(root, "node_modules/vitest/vitest.mjs");
const fixtures = ["--config", "vitest.fixtures.config.ts"];
const heavyFrameworks = "tooling/frameworks/test/frameworks.fixture.test.ts";

/**
 * What each command says, and what Node then executes, one after the other.
 *
 * @type {Record<string, { says: string, runs: (args: string[]) => { args: string[], cwd?: string }[] }>}
 */
const commands = {
  demo: { says: "charging customers", runs: (args) => [packageScript("apps/charging", "demo", args)] },
  sim: { says: "simulating clusters", runs: (args) => [packageScript("tooling/sim", "sim", args)] },
  bench: { says: "measuring", runs: (args) => [packageScript("tooling/bench", "bench", args)] },
  test: { says: "running the tests (vitest)", runs: (args) => [{ args: [vitest, "run", ...args] }] },
  "test:fixtures": {
    says: "running the tests that take long (vitest)",
    runs: (args) => [{ args: [vitest, "run", ...fixtures, "--exclude", heavyFrameworks, ...args] }],
  },
  "test:frameworks": {
    says: "building and killing a server of each framework (vitest, npm)",
    runs: (args) => [{ args: [vitest, "run", ...fixtures, "tooling/frameworks", ...args] }],
  },
  "test:postgres": {
    says: "running the Postgres World's tests on version",
    runs: (args) => [packageScript("tooling/testbed", "test:postgres", args)],
  },
  build: { says: "everything is built", runs: () => [] },
  "docs:build": {
    says: "building the documentation site",
    runs: (args) => [packageScript("tooling/site", "docs:build", args)],
  },
  size: { says: "measuring the packages", runs: (args) => [packageScript("tooling/packed", "size", args)] },
  types: { says: "checking types", runs: () => [{ args: [...turbo, "types", "types:root"] }] },
  check: {
    says: "checking format, lint, types and packages",
    runs: () => [
      { args: [biome, "check", "."] },
      { args: [...turbo, "types", "types:root", "check:package"] },
    ],
  },
};

/**
 * A package script of the form `node …`. It is run without pnpm, which would keep signals to itself.
 *
 * @param {string} folder
 * @param {string} name
 * @param {string[]} args
 */
function packageScript(folder, name, args) {
  const manifest = join(root, folder, "package.json");
  const scripts = existsSync(manifest) ? JSON.parse(readFileSync(manifest, "utf8")).scripts : {};
  const [node, ...words] = (scripts?.[name] ?? "").split(" ");
  if (node !== "node") {
    throw new Mend(`${folder} has no script "${name}" of the form "node …": use a commit that has it`);
  }
  return { args: [...words, ...args], cwd: join(root, folder) };
}

/** @param {string} line */
function say(line) {
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stderr.write(`perdure [${seconds}s] ${line}\n`);
}

async function build() {
  say("building what changed (turbo)");
  const { code, output } = await runAside(workspaceNode(), [...turbo, "build"], { show: false });
  if (code !== 0) {
    process.stderr.write(output);
    throw new Mend("the build failed: mend the error above and run the same command again", code);
  }
}

async function main() {
  const [name = "", ...rest] = process.argv.slice(2);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    throw new Mend(`unknown command "${name}": use one of ${Object.keys(commands).join(", ")}`);
  }
  // npm swallows the `--` before a script's own flags, pnpm passes it on.
  const args = rest[0] === "--" ? rest.slice(1) : rest;
  await ensureInstalled(say);
  await build();
  const runs = command.runs(args);
  say([command.says, ...args].join(" "));
  for (const { args: nodeArgs, cwd } of runs) {
    const code =
      nodeArgs[0] === vitest ? await test(nodeArgs) : await run(workspaceNode(), nodeArgs, { cwd });
    if (code !== 0) {
      return code;
    }
  }
  return 0;
}

/**
 * Runs vitest, and where nothing failed but Node itself crashed in some files, those once more.
 *
 * @param {string[]} args
 */
async function test(args) {
  const folder = mkdtempSync(join(tmpdir(), "perdure-crashed-"));
  try {
    const list = join(folder, "files");
    const code = await run(workspaceNode(), args, { env: { PERDURE_CRASHED_FILES: list } });
    if (code === 0 || !existsSync(list)) {
      return code;
    }
    const files = readFileSync(list, "utf8")
      .split("\n")
      .map((file) => relative(root, file));
    say(`nothing failed, but Node crashed in ${files.join(", ")}: running again`);
    return await run(workspaceNode(), [...args, ...files]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    say(error instanceof Mend ? error.message : String(error?.stack ?? error));
    process.exitCode = error instanceof Mend ? error.exitCode : 1;
  },
);
