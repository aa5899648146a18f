import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";

/** Verbs for the real processes of a test. A script prints one line per thing that happened. */
export interface Process {
  /** Every line printed so far. */
  readonly lines: readonly string[];
  /** Resolves when this line has been printed; rejects when the process ends without it. */
  line(line: string): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves when the process is gone: its exit code, or the signal that ended it. */
  ended(): Promise<number | NodeJS.Signals>;
}

/** A directory for the store, ledger and gates of one test; removed after it. */
export interface Place {
  /** The database file. */
  readonly database: string;
  /** The lines that step bodies have written, by whatever process. */
  ledger(): readonly string[];
  /** Lets steps go on that wait for the gate. */
  open(gate: string): void;
  /** Starts `test/processes/<script>.ts` in a Node of its own. */
  start(script: string, ...args: readonly (string | number)[]): Process;
}

export function place(): Place {
  const directory = mkdtempSync(join(tmpdir(), "perdure-processes-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const database = join(directory, "perdure.db");
  const ledger = join(directory, "ledger");
  writeFileSync(ledger, "");
  return {
    database,
    ledger: () =>
      readFileSync(ledger, "utf8")
        .split("\n")
        .filter((line) => line !== ""),
    open: (gate) => writeFileSync(join(directory, gate), ""),
    start: (script, ...args) =>
      start(script, args.map(String), { PERDURE_SQLITE_PATH: database, PLACE: directory }),
  };
}

function start(script: string, args: readonly string[], env: Record<string, string>): Process {
  const file = join(import.meta.dirname, "processes", `${script}.ts`);
  const child = spawn(process.execPath, [file, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
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
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await closed;
  });
  return {
    lines,
    line(expected) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          const found = lines.includes(expected);
          if (!found && !over) return;
          waiting.delete(look);
          if (found) resolve();
          else
            reject(
              new Error(`${script} ended without the line "${expected}".\n${lines.join("\n")}\n${errors}`),
            );
        };
        waiting.add(look);
        look();
      });
    },
    signal: (signal) => void child.kill(signal),
    async ended() {
      await closed;
      if (child.exitCode !== null && child.exitCode !== 0) throw new Error(`${script} failed.\n${errors}`);
      return child.signalCode ?? (child.exitCode as number);
    },
  };
}
