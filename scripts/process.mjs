// The boundary to other processes: which Node runs them, with which environment, and how their end becomes ours.

import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { constants as os } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's own folder. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** A failure that the reader can mend; its message is the one line that says how. */
export class Mend extends Error {
  /**
   * @param {string} message
   * @param {number} [exitCode]
   */
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Where the registry's `node` package keeps its binary. */
export const packagedNode = join(
  root,
  "node_modules/node/bin",
  process.platform === "win32" ? "node.exe" : "node",
);

/** The Node that runs everything of this workspace: the packaged one, else this one where it is new enough. */
export function workspaceNode() {
  return isExecutable(packagedNode) ? packagedNode : process.execPath;
}

/** @param {string} file */
export function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The environment of every child: the workspace's Node and tools first in PATH, nothing asked, nothing reported. */
export function workspaceEnv() {
  const env = { ...process.env };
  for (const name of Object.keys(env)) {
    // What npm tells about *its* script would be taken by a nested npm or pnpm for settings of their own.
    if (
      /^(INIT_CWD|npm_(lifecycle_|package_|command$|execpath$|node_execpath$|config_(local_prefix|user_agent)$))/.test(
        name,
      )
    ) {
      delete env[name];
    }
  }
  const path = Object.keys(env).find((name) => name.toUpperCase() === "PATH") ?? "PATH";
  env[path] = [dirname(workspaceNode()), join(root, "node_modules/.bin"), env[path]]
    .filter(Boolean)
    .join(delimiter);
  env.TURBO_TELEMETRY_DISABLED = "1";
  env.DO_NOT_TRACK = "1";
  env.npm_config_update_notifier = "false";
  return env;
}

/**
 * Runs a program without a shell, with our stdout and stderr, and resolves to its exit code (128 + n when signal n ended
 * it). Signals that reach this process are passed on.
 *
 * @param {string} file
 * @param {string[]} args
 * @param {{ cwd?: string | undefined, env?: Record<string, string> }} [options]
 * @returns {Promise<number>}
 */
export function run(file, args, { cwd = root, env = {} } = {}) {
  return ended(
    spawn(file, args, { cwd, env: { ...workspaceEnv(), ...env }, stdio: ["ignore", "inherit", "inherit"] }),
  );
}

/**
 * Like `run`, for work that is not the command itself: its output goes to our stderr, or nowhere, and is returned.
 *
 * @param {string} file
 * @param {string[]} args
 * @param {{ show: boolean }} options
 * @returns {Promise<{ code: number, output: string }>}
 */
export async function runAside(file, args, { show }) {
  const child = spawn(file, args, { cwd: root, env: workspaceEnv(), stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
      if (show) {
        process.stderr.write(chunk);
      }
    });
  }
  return { code: await ended(child), output };
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @returns {Promise<number>}
 */
function ended(child) {
  // A terminal's Ctrl-C reaches the whole foreground group; passing it on would make it two.
  const fromTerminal = process.stderr.isTTY || process.stdout.isTTY;
  /** @param {NodeJS.Signals} signal */
  const pass = (signal) => {
    if (!(signal === "SIGINT" && fromTerminal)) {
      child.kill(signal);
    }
  };
  /** @type {NodeJS.Signals[]} */
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) {
    process.on(signal, pass);
  }
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      for (const each of signals) {
        process.off(each, pass);
      }
      resolve(code ?? 128 + os.signals[signal ?? "SIGTERM"]);
    });
  });
}
