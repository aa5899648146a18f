// The commands of a fresh machine: `npm run demo` and `npm test` (and `sim`, `bench`). Needs any Node >= 18 with npm and
// nothing else: it installs the workspace, builds it and hands over to the Node that the workspace brings along.
// Everything said here goes to stderr; stdout belongs to the command.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalled } from "./install.mjs";
import { Mend, root, run, workspaceEnv, workspaceNode } from "./process.mjs";

const started = Date.now();

/** @type {Record<string, { says: string, folder?: string }>} */
const commands = {
  demo: { says: "charging customers", folder: "apps/charging" },
  sim: { says: "simulating a cluster", folder: "tooling/sim" },
  bench: { says: "measuring", folder: "tooling/bench" },
  test: { says: "running the tests" },
};

/** @param {string} line */
function say(line) {
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stderr.write(`perdure [${seconds}s] ${line}\n`);
}

async function build() {
  say("building what changed (turbo)");
  const turbo = join(root, "node_modules/turbo/bin/turbo");
  const code = await run(workspaceNode(), [turbo, "run", "build", "--output-logs=errors-only"], {
    env: workspaceEnv(),
    stdoutTo: "stderr",
  });
  if (code !== 0) {
    throw new Mend("the build failed: mend the error above, then run the same command again", code);
  }
}

/**
 * @param {string} name
 * @param {string[]} args
 */
async function handOver(name, args) {
  const { says, folder } = commands[name];
  if (folder === undefined) {
    say(`${says}: vitest run ${args.join(" ")}`.trimEnd());
    const vitest = join(root, "node_modules/vitest/vitest.mjs");
    return run(workspaceNode(), [vitest, "run", ...args], { env: workspaceEnv() });
  }
  if (!hasScript(folder, name)) {
    throw new Mend(`${folder} has no "${name}" script in this checkout: check out a commit that has it`);
  }
  say(`${says}: ${[folder, ...args].join(" ")}`);
  const pnpm = join(root, "node_modules/pnpm/bin/pnpm.cjs");
  const script = [pnpm, "--silent", "-C", join(root, folder), "run", name, ...args];
  return run(workspaceNode(), script, { env: workspaceEnv() });
}

/**
 * @param {string} folder
 * @param {string} name
 */
function hasScript(folder, name) {
  try {
    return name in JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")).scripts;
  } catch {
    return false;
  }
}

async function main() {
  const [name = "", ...rest] = process.argv.slice(2);
  if (!(name in commands)) {
    throw new Mend(`unknown command "${name}": use one of ${Object.keys(commands).join(", ")}`);
  }
  // npm swallows the `--` before a script's own flags, pnpm passes it on.
  const args = rest[0] === "--" ? rest.slice(1) : rest;
  await ensureInstalled(say);
  await build();
  return handOver(name, args);
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
