// The demo as a user runs it, in a process of its own.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { DemoResult } from "../src/run-demo.ts";

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

export function demo(...flags: string[]): Promise<Ended> {
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const args = ["--import", "perdure/register", "src/demo.ts", ...flags];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

export function resultOf({ stdout, stderr }: Ended): DemoResult {
  const line = stdout.trimEnd().split("\n").at(-1) ?? "";
  if (!line.startsWith("{")) throw new Error(`The demo printed no result:\n${stdout}\n${stderr}`);
  return JSON.parse(line) as DemoResult;
}
