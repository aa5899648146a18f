import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";

// docs/workflow-sdk.md compares: whatever it says to be here is shown by a test that exists.

const root = join(import.meta.dirname, "../../..");
const page = readFileSync(join(root, "docs/workflow-sdk.md"), "utf8");
const tests = new Map<string, string[]>();
for (const path of globSync(["packages/*/test/**/*.test.ts", "tooling/*/test/**/*.test.ts"], { cwd: root })) {
  tests.set(basename(path), [...(tests.get(basename(path)) ?? []), textOf(join(root, path))]);
}

/** The text of a file, with that of the tests that it shares with others. */
function textOf(path: string): string {
  const text = readFileSync(path, "utf8");
  const [, shared] = /from "(\.\.\/[\w-]+-tests\.ts)"/.exec(text) ?? [];
  return shared === undefined ? text : text + textOf(join(path, "..", shared));
}

/** Whether a file has a test of this name, or, in a table of expectations, an entry. */
function hasTest(text: string, name: string): boolean {
  const quoted = text.split("\n").some((line) => line.includes(name) && /["'`]/.test(line));
  return quoted || new RegExp(`^ {2}${name}:`, "m").test(text);
}

test("every test that the page names exists", () => {
  const named = [...page.matchAll(/`([\w.-]+\.test\.ts)` "([^"]+)"(?:, "([^"]+)")?/g)];
  expect(named.length).toBeGreaterThan(60);
  const missing = named.flatMap(([, file = "", ...names]) =>
    names
      .filter((name) => name !== undefined)
      .filter((name) => !(tests.get(file) ?? []).some((text) => hasTest(text, name)))
      .map((name) => `${file}: ${name}`),
  );
  expect(missing).toEqual([]);
});

test("every row of the page says which test shows it, or that it is missing", () => {
  const rows = page.split("\n").filter((line) => line.startsWith("| ") && line.split(" | ").length >= 3);
  const bare = rows.filter((row) => !/^\| (API|recipe|---)/.test(row) && !row.includes(".test.ts`"));
  expect(bare.filter((row) => !row.includes("**missing**"))).toEqual([]);
});
