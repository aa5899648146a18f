import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startProcess, type TestProcess } from "@perdure/testbed/processes";
import { onTestFinished } from "vitest";

/** A directory for the store, ledger and gates of one test; removed after it. */
export interface Place {
  readonly directory: string;
  /** The database file. */
  readonly database: string;
  /** The lines that step bodies have written, by whatever process. */
  ledger(): readonly string[];
  /** Lets steps go on that wait for the gate. */
  open(gate: string): void;
  /** Starts `test/processes/<script>.ts` in a Node of its own. */
  start(script: string, ...args: readonly (string | number)[]): TestProcess;
  /** Starts any file, with flags of Node and more of an environment. */
  startFile(file: string, options?: StartOptions): TestProcess;
}

export interface StartOptions {
  readonly args?: readonly (string | number)[];
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export function place(): Place {
  const directory = mkdtempSync(join(tmpdir(), "perdure-processes-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const database = join(directory, "perdure.db");
  const ledger = join(directory, "ledger");
  writeFileSync(ledger, "");
  const startFile = (file: string, { args, flags, env }: StartOptions = {}): TestProcess =>
    startProcess(file, args, { ...env, PERDURE_SQLITE_PATH: database, PLACE: directory }, flags);
  return {
    directory,
    startFile,
    database,
    ledger: () =>
      readFileSync(ledger, "utf8")
        .split("\n")
        .filter((line) => line !== ""),
    open: (gate) => writeFileSync(join(directory, gate), ""),
    start: (script, ...args) => startFile(join(import.meta.dirname, "processes", `${script}.ts`), { args }),
  };
}
