import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { crashedFiles } from "../crashed-files.ts";
import { runFiles } from "./run-files.ts";

let folder = "";
afterEach(() => rm(folder, { recursive: true, force: true }));

const passes = `globalThis.test("passes", () => {});`;
const ends = (signal: string) =>
  `globalThis.test("ends", () => { process.kill(process.pid, "${signal}"); });`;

/** Runs the given test files with the reporter alone and returns the names that it wrote, if it wrote any. */
async function crashedAmong(files: Record<string, string>): Promise<string[] | undefined> {
  folder = await mkdtemp(join(tmpdir(), "crashed files "));
  const list = join(folder, "crashed");
  await runFiles(folder, files, crashedFiles(list));
  if (!existsSync(list)) return undefined;
  return (await readFile(list, "utf8")).split("\n").map((file) => file.replace(`${folder}/`, ""));
}

test("names the files in which Node crashed", async () => {
  expect(await crashedAmong({ "a.test.js": passes, "b.test.js": ends("SIGSEGV") })).toEqual(["b.test.js"]);
});

test("names none where a test failed as well, and none for a process that somebody killed", async () => {
  const fails = `globalThis.test("fails", () => { throw new Error("no"); });`;
  expect(await crashedAmong({ "a.test.js": fails, "b.test.js": ends("SIGSEGV") })).toBeUndefined();
  expect(await crashedAmong({ "a.test.js": passes, "b.test.js": ends("SIGKILL") })).toBeUndefined();
});
