import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";

/** How a child process ended. */
export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

const fixtures = join(import.meta.dirname, "fixtures");
const modules = join(import.meta.dirname, "../node_modules");

/** A copy of fixture folders, one over the other, outside of this repository. Removed when the test ends. */
export function makeProject(...names: string[]): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "perdure-bundlers-")));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  for (const name of names) cpSync(join(fixtures, name), folder, { recursive: true });
  symlinkSync(modules, join(folder, "node_modules"));
  return folder;
}

/** Starts a command of the project's tools, or `node`; it is killed when the test ends. */
export function launch(folder: string, [command, ...args]: readonly string[]): ChildProcess {
  const { PATH = "", ...rest } = process.env;
  const env = Object.fromEntries(Object.entries(rest).filter(([key]) => !/^VITEST|^NODE_/.test(key)));
  env.PATH = [dirname(process.execPath), join(modules, ".bin"), PATH].join(delimiter);
  // A group of its own, since tools have processes of their own.
  const child = spawn(command ?? "node", args, {
    cwd: folder,
    env,
    stdio: "pipe",
    detached: true,
    timeout: 120_000,
    killSignal: "SIGKILL",
  });
  onTestFinished(() => killAll(child));
  return child;
}

/** Kills a process and its children, as `kill -9` does. */
export function killAll({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** Runs a command to its end. */
export async function run(folder: string, command: readonly string[]): Promise<Outcome> {
  const child = launch(folder, command);
  if (!child.stdout || !child.stderr) throw new Error("A child without pipes.");
  const closed = new Promise<number | null>((resolve) => child.on("close", resolve));
  const [code, stdout, stderr] = await Promise.all([closed, text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

/** Resolves as soon as a process has printed the words; fails with all that it said if it ends before. */
export async function says(child: ChildProcess, words: string): Promise<void> {
  let said = "";
  await new Promise<void>((resolve, reject) => {
    const hear = (chunk: Buffer): void => {
      said += chunk;
      if (said.includes(words)) resolve();
    };
    child.stdout?.on("data", hear);
    child.stderr?.on("data", hear);
    child.on("close", (code) =>
      reject(new Error(`It ended with ${code} and never said "${words}":\n${said}`)),
    );
  });
}

/** Bun's binary: the package's own command is there only where its install script may run. */
export function bunBinary(): string {
  // Its binaries are beside the package itself, not beside the link to it.
  const bun = createRequire(realpathSync(join(modules, "bun/package.json")));
  const arch = process.arch === "arm64" ? "aarch64" : process.arch;
  return bun.resolve(`@oven/bun-${process.platform}-${arch}/bin/bun`);
}
