import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

// What docs/frameworks.md shows is in the fixtures, which are built and run.

const page = readFileSync(join(import.meta.dirname, "../../../docs/frameworks.md"), "utf8");
const fixtures = join(import.meta.dirname, "../fixtures");
const samples = [...page.matchAll(/^```js\n\/\/ (\S+)\n(.*?)^```$/gms)].map(([, file = "", code = ""]) => ({
  file,
  code,
}));

test("the page has samples, each with the name of its file", () => {
  expect(samples.length).toBeGreaterThan(5);
  expect(page.match(/^```js$/gm)).toHaveLength(samples.length);
});

test.each(samples)("$file is as a fixture has it", ({ file, code }) => {
  const candidates = globSync(`*/**/${file}`, { cwd: fixtures }).map((path) =>
    readFileSync(join(fixtures, path), "utf8"),
  );
  const wanted = lines(code);
  expect(
    candidates.some((text) => inOrder(wanted, lines(text))),
    code,
  ).toBe(true);
});

function lines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** Whether a text has these lines in this order, others between them. */
function inOrder(wanted: readonly string[], text: readonly string[]): boolean {
  let at = 0;
  for (const line of text) if (line === wanted[at]) at++;
  return at === wanted.length;
}
