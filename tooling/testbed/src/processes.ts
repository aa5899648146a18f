/**
 * Real processes for tests: a script prints one line per thing that happened, and the test waits for lines and sends
 * signals. Whatever a test starts is gone when it ends.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";

/** Verbs for one process. */
export interface TestProcess {
  /** Every line printed so far. */
  readonly lines: readonly string[];
  /** What it has written to its standard error so far. */
  readonly errors: string;
  /** Resolves with the first line that fits, printed already or later; rejects when the process ends without it. */
  line(fits: string | ((line: string) => boolean)): Promise<string>;
  /** Lets a script go on that waits for its standard input. */
  go(): void;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Resolves when it has ended by itself; rejects unless it succeeded. */
  end(): Promise<void>;
  /** Resolves when the process is gone: its exit code, or the signal that ended it. Rejects if it failed. */
  ended(): Promise<number | NodeJS.Signals>;
}

/** The scripts of a folder: `start("claimer", path, 4)` starts `claimer.ts` in it. */
export function scriptsIn(
  folder: string,
): (script: string, ...args: readonly (string | number)[]) => TestProcess {
  return (script, ...args) => startProcess(join(folder, `${script}.ts`), args);
}

/** Starts a script, TypeScript as it is, in a Node of its own, with flags of Node before it, in a folder. */
export function startProcess(
  file: string,
  args: readonly (string | number)[] = [],
  env: Readonly<Record<string, string>> = {},
  flags: readonly string[] = [],
  cwd?: string,
): TestProcess {
  const name = basename(file);
  const child = spawn(process.execPath, [...flags, file, ...args.map(String)], {
    stdio: ["pipe", "pipe", "pipe"],
    ...(cwd !== undefined && { cwd }),
    env: { ...process.env, ...env },
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  let errors = "";
  let over = false;
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    for (const look of waiting) look();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk;
  });
  const closed = once(child, "close").then(() => {
    over = true;
    for (const look of waiting) look();
  });
  const failure = (): Error =>
    new Error(`${name} ended with ${child.exitCode ?? child.signalCode}.\n${errors}`);
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await closed;
  });

  return {
    lines,
    get errors() {
      return errors;
    },
    line(wanted) {
      const fits = typeof wanted === "string" ? (line: string): boolean => line === wanted : wanted;
      return new Promise((resolve, reject) => {
        const look = (): void => {
          const found = lines.find(fits);
          if (found === undefined && !over) return;
          waiting.delete(look);
          if (found !== undefined) resolve(found);
          else reject(new Error(`${name} ended without ${wanted}.\n${lines.join("\n")}\n${errors}`));
        };
        waiting.add(look);
        look();
      });
    },
    go: () => void child.stdin.write("go\n"),
    signal: (signal) => void child.kill(signal),
    async kill() {
      child.kill("SIGKILL");
      await closed;
    },
    async end() {
      await closed;
      if (child.exitCode !== 0) throw failure();
    },
    async ended() {
      await closed;
      if (child.exitCode !== null && child.exitCode !== 0) throw failure();
      return child.signalCode ?? (child.exitCode as number);
    },
  };
}
