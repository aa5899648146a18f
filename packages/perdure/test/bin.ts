import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { startProcess, type TestProcess } from "@perdure/testbed/processes";
import { onTestFinished } from "vitest";

/** The command as it is built, in a project of its own: a folder with the package linked and some files. */

const home = join(import.meta.dirname, "..");
export const bin: string = join(home, "bin/perdure.js");

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

export interface ProjectFolder {
  readonly folder: string;
  /** Runs `perdure` in it and waits for its end. */
  perdure(...args: readonly string[]): Promise<Ended>;
  /** Starts `perdure` in it, for commands that go on. */
  start(...args: readonly string[]): TestProcess;
}

/** @param files copied into the folder, from `test/` */
export function projectFolder(...files: readonly string[]): ProjectFolder {
  const folder = mkdtempSync(join(tmpdir(), "perdure-cli-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(home, join(folder, "node_modules/perdure"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  for (const file of files) {
    copyFileSync(join(import.meta.dirname, file), join(folder, file.split("/").at(-1) as string));
  }
  const env = { NODE_PATH: "", DATABASE_URL: "", PERDURE_WORLD_URL: "", NO_COLOR: "1" };
  const { FORCE_COLOR: _, ...inherited } = process.env;
  return {
    folder,
    async perdure(...args) {
      const child = spawn(process.execPath, [bin, ...args], { cwd: folder, env: { ...inherited, ...env } });
      child.stdin.end();
      const [out, error, [code]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, "close"),
      ]);
      return { code, out, error };
    },
    start: (...args) => startProcess(bin, args, env, [], folder),
  };
}
