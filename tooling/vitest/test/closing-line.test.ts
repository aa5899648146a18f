import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { closingLine } from "../closing-line.ts";
import { runFiles } from "./run-files.ts";

let folder = "";
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs the given test files with the reporter alone and returns what it printed. */
async function closingLinesOf(files: Record<string, string>): Promise<string[]> {
  folder = await mkdtemp(join(tmpdir(), "closing line "));
  const head = `const { test, describe, beforeAll } = globalThis;\n`;
  const whole = Object.fromEntries(Object.entries(files).map(([name, body]) => [name, head + body]));
  const printed: string[] = [];
  await runFiles(
    folder,
    whole,
    closingLine((line) => printed.push(line)),
  );
  return printed;
}

test("counts every test once, whatever file it is in", async () => {
  const lines = await closingLinesOf({
    "a.test.js": `
      test("passes", () => {});
      describe("group", () => { test("passes", () => {}); test.skip("skipped", () => {}); });
      test.todo("later");
    `,
    "b.test.js": `test("fails", () => { throw new Error("no"); });`,
  });
  expect(lines).toEqual(["2 passed, 1 failed, 2 skipped"]);
});

test("a file that does not load is a failure, although none of its tests ran", async () => {
  const lines = await closingLinesOf({
    "a.test.js": `test("passes", () => {});`,
    "b.test.js": `throw new Error("does not load");`,
  });
  expect(lines).toEqual(["1 passed, 1 failed, 0 skipped"]);
});

test("a hook that throws is a failure beside the tests it kept from running", async () => {
  const lines = await closingLinesOf({
    "a.test.js": `
      describe("group", () => { beforeAll(() => { throw new Error("no"); }); test("never runs", () => {}); });
    `,
  });
  expect(lines).toEqual(["0 passed, 1 failed, 1 skipped"]);
});
