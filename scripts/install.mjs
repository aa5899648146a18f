// Installs the workspace when it is missing or older than the manifests, with the pnpm that package.json names.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { writeNodeShim } from "./node-shim.mjs";
import { isExecutable, Mend, packagedNode, root, runAside } from "./process.mjs";

const stamp = join(root, "node_modules/.perdure-installed");

/**
 * What a failed install says about itself, and the line that mends it.
 *
 * @type {{ says: RegExp, mend: (pnpm: string) => string }[]}
 */
const mends = [
  {
    says: /ERR_PNPM_OUTDATED_LOCKFILE/,
    mend: (pnpm) => `pnpm-lock.yaml is behind a package.json: run "npx ${pnpm} install"`,
  },
  {
    says: /ENOSPC/,
    mend: () => "the disk is full: free about 1 GB and run the same command again",
  },
  {
    says: /EACCES|EPERM/,
    mend: () => `no permission to write in ${root}: make it yours (chown) and run the same command again`,
  },
  {
    says: /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_PNPM_META_FETCH_FAIL/,
    mend: () =>
      "no npm registry in reach: connect to the network (or set npm_config_registry) and run it again",
  },
];

/**
 * After this, `node_modules` matches the lockfile and holds a Node that runs. Costs some milliseconds when it already does.
 *
 * @param {(line: string) => void} say
 */
export async function ensureInstalled(say) {
  const manifests = workspaceManifests();
  const fingerprint = hash(manifests);
  if (!isInstalled(manifests, fingerprint)) {
    await install(say);
    await ensureNode(say);
    writeFileSync(stamp, fingerprint);
  }
}

/** @param {(line: string) => void} say */
async function install(say) {
  const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  say(`installing the workspace with ${packageManager} (a minute on a fresh machine)`);
  const npm = npmCli();
  const install = [packageManager, "install", "--frozen-lockfile", "--config.confirm-modules-purge=false"];
  const args = [...npm.args, "exec", "--yes", "--", ...install];
  const { code, output } = await runAside(npm.file, args, { show: true }).catch((error) => {
    throw error.code === "ENOENT" ? new Mend("npm was not found: install Node 18 or newer with npm") : error;
  });
  if (code !== 0) {
    const mend = mends.find(({ says }) => says.test(output))?.mend(packageManager);
    throw new Mend(
      mend ?? `the install failed: mend the error above, or run "npx ${packageManager} install"`,
    );
  }
}

/**
 * The binary comes by the install script of the `node` package, so an install can succeed without it.
 *
 * @param {(line: string) => void} say
 */
async function ensureNode(say) {
  if (!runs(packagedNode)) {
    say("fetching the workspace's own Node again");
    const pnpm = join(root, "node_modules/pnpm/bin/pnpm.cjs");
    await runAside(process.execPath, [pnpm, "rebuild", "node"], { show: true });
  }
  if (runs(packagedNode)) {
    writeNodeShim();
    return;
  }
  if (!thisNodeIsEnough()) {
    const platform = `${process.platform}-${process.arch}`;
    throw new Mend(
      `no packaged Node runs on ${platform}: install Node 22.13 or newer and run the same command again`,
    );
  }
  say(`no packaged Node runs here, so this Node ${process.versions.node} runs everything`);
}

function thisNodeIsEnough() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 13);
}

/** @param {string} node */
function runs(node) {
  try {
    execFileSync(node, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** npm as it was called, else the one in PATH. */
function npmCli() {
  const called = process.env.npm_execpath ?? "";
  if (basename(called) === "npm-cli.js") {
    return { file: process.execPath, args: [called] };
  }
  const beside = join(dirname(process.execPath), "node_modules/npm/bin/npm-cli.js");
  return existsSync(beside) ? { file: process.execPath, args: [beside] } : { file: "npm", args: [] };
}

/** The package.json files of the whole workspace, as pnpm-workspace.yaml lists them (`name/*` only). */
function workspaceManifests() {
  const yaml = readFileSync(join(root, "pnpm-workspace.yaml"), "utf8");
  const groups = [...yaml.matchAll(/^\s*- "?([\w-]+)\/\*"?\s*$/gm)].map(([, group = ""]) =>
    join(root, group),
  );
  const folders = groups
    .filter(existsSync)
    .flatMap((group) => readdirSync(group).map((name) => join(group, name)));
  return [root, ...folders].map((folder) => join(folder, "package.json")).filter(existsSync);
}

/** @param {string[]} manifests */
function hash(manifests) {
  const sum = createHash("sha256").update(`${process.platform}-${process.arch}\n`);
  const settings = ["pnpm-lock.yaml", "pnpm-workspace.yaml", ".npmrc"].map((name) => join(root, name));
  for (const file of [...settings, ...manifests].filter(existsSync)) {
    sum.update(`${file}\n`).update(readFileSync(file));
  }
  return sum.digest("hex");
}

/**
 * @param {string[]} manifests
 * @param {string} fingerprint
 */
function isInstalled(manifests, fingerprint) {
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== fingerprint) {
    return false;
  }
  if (!isExecutable(packagedNode) && !thisNodeIsEnough()) {
    return false;
  }
  return manifests.every((manifest) => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(manifest, "utf8"));
    const needs = Object.keys({ ...dependencies, ...devDependencies });
    return needs.every((name) => existsSync(join(dirname(manifest), "node_modules", name)));
  });
}
