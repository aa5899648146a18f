import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";

/** Verbs for the real processes of a test. A script prints one line per thing that happened, and waits for `go`. */
export interface Process {
  /** Every line printed so far. */
  readonly lines: readonly string[];
  /** Resolves with the first line that fits, printed already or later; rejects when the process ends without it. */
  line(fits: (line: string) => boolean): Promise<string>;
  go(): void;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Resolves when it has ended by itself; rejects unless it succeeded. */
  end(): Promise<void>;
}

/** Starts `test/processes/<script>.ts`, TypeScript as it is, in a Node of its own. */
export function start(script: string, ...args: readonly (string | number)[]): Process {
  const file = join(import.meta.dirname, `${script}.ts`);
  const child = spawn(process.execPath, [file, ...args.map(String)], { stdio: ["pipe", "pipe", "pipe"] });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  let errors = "";
  let ended = false;
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (line) => {
    lines.push(line);
    for (const look of waiting) look();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk;
  });
  const closed = once(child, "close").then(() => {
    ended = true;
    for (const look of waiting) look();
  });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await closed;
  });

  return {
    lines,
    line(fits) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          const found = lines.find(fits);
          if (found === undefined && !ended) return;
          waiting.delete(look);
          if (found !== undefined) resolve(found);
          else reject(new Error(`${script} ended without the line that was waited for.\n${errors}`));
        };
        waiting.add(look);
        look();
      });
    },
    go() {
      child.stdin.write("go\n");
    },
    async kill() {
      child.kill("SIGKILL");
      await closed;
    },
    async end() {
      await closed;
      if (child.exitCode !== 0) throw new Error(`${script} ended with ${child.exitCode}.\n${errors}`);
    },
  };
}
