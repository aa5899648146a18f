// The commands of a fresh machine: `npm run demo` and `npm test` (and `sim`, `bench`). Needs any Node >= 18 with npm and
// nothing else: it installs the workspace, builds it and hands over to the Node that the workspace brings along.
// Everything said here goes to stderr; stdout belongs to the command.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalled } from "./install.mjs";
import { Mend, root, run, runAside, workspaceNode } from "./process.mjs";

const started = Date.now();

/**
 * What each command says, and the folder whose package script it is.
 *
 * @type {Map<string, { says: string, folder?: string }>}
 */
const commands = new Map(
  Object.entries({
    demo: { says: "charging customers", folder: "apps/charging" },
    sim: { says: "simulating a cluster", folder: "tooling/sim" },
    bench: { says: "measuring", folder: "tooling/bench" },
    test: { says: "running the tests" },
  }),
);

/** @param {string} line */
function say(line) {
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stderr.write(`perdure [${seconds}s] ${line}\n`);
}

async function build() {
  say("building what changed (turbo)");
  const turbo = join(root, "node_modules/turbo/bin/turbo");
  const args = [turbo, "run", "build", "--output-logs=errors-only"];
  const { code, output } = await runAside(workspaceNode(), args, { show: false });
  if (code !== 0) {
    process.stderr.write(output);
    throw new Mend("the build failed: mend the error above and run the same command again", code);
  }
}

/**
 * @param {string} name
 * @param {string[]} args
 * @param {{ says: string, folder?: string }} command
 */
function handOver(name, args, { says, folder }) {
  if (folder === undefined) {
    say([`${says}: vitest run`, ...args].join(" "));
    return run(workspaceNode(), [join(root, "node_modules/vitest/vitest.mjs"), "run", ...args]);
  }
  const script = packageScript(folder, name);
  say([`${says}: ${folder}`, ...args].join(" "));
  return run(workspaceNode(), [...script, ...args], { cwd: join(root, folder) });
}

/**
 * The arguments of a package script of the form `node …`. It is run without pnpm, which would keep signals to itself.
 *
 * @param {string} folder
 * @param {string} name
 */
function packageScript(folder, name) {
  const manifest = join(root, folder, "package.json");
  const scripts = existsSync(manifest) ? JSON.parse(readFileSync(manifest, "utf8")).scripts : {};
  const [node, ...args] = (scripts?.[name] ?? "").split(" ");
  if (node !== "node") {
    throw new Mend(`${folder} has no script "${name}" of the form "node …": use a commit that has it`);
  }
  return args;
}

async function main() {
  const [name = "", ...rest] = process.argv.slice(2);
  const command = commands.get(name);
  if (command === undefined) {
    throw new Mend(`unknown command "${name}": use one of ${[...commands.keys()].join(", ")}`);
  }
  // npm swallows the `--` before a script's own flags, pnpm passes it on.
  const args = rest[0] === "--" ? rest.slice(1) : rest;
  await ensureInstalled(say);
  await build();
  return handOver(name, args, command);
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
