import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "../../..");

/** Each way to read the machine's time or randomness, and the rule that reports it. */
const readings = {
  "date-now": { code: "export const at: number = Date.now();", rule: "plugin" },
  "date-now-as-value": { code: "export const clock: () => number = Date.now;", rule: "plugin" },
  "new-date": { code: "export const at: Date = new Date();", rule: "plugin" },
  "math-random": { code: "export const chance: number = Math.random();", rule: "plugin" },
  performance: { code: "export const at: number = performance.now();", rule: "noRestrictedGlobals" },
  "set-timeout": { code: "setTimeout(() => {}, 1000);", rule: "noRestrictedGlobals" },
  "set-interval": { code: "setInterval(() => {}, 1000);", rule: "noRestrictedGlobals" },
  "set-immediate": { code: "setImmediate(() => {});", rule: "noRestrictedGlobals" },
};

const deepImports = [
  "@perdure/core/src/engine/tick.ts",
  "@perdure/core/dist/index.js",
  "perdure/src/index.ts",
  "../../core/src/index.ts",
  "../../../packages/core/src/index.ts",
];

const files: Record<string, string> = {
  "packages/core/src/clock.ts": Object.values(readings)
    .map(({ code }, index) => code.replace(/const \w+/, `const reading${index}`))
    .join("\n"),
  "packages/world-sqlite/src/watch.ts": `${readings["set-timeout"].code}\n${readings["date-now"].code}`,
  "packages/core/src/passed.ts": "export const at = (now: number): Date => new Date(now);",
  "packages/core/src/a.ts": `import { b } from "./b.ts";\nexport const a = (): unknown => b;`,
  "packages/core/src/b.ts": `import { a } from "./a.ts";\nexport const b = (): unknown => a;`,
  "packages/core/src/type-a.ts": `import type { B } from "./type-b.ts";\nexport type A = B | null;`,
  "packages/core/src/type-b.ts": `import type { A } from "./type-a.ts";\nexport type B = { readonly a: A };`,
  "packages/core/test/own.test.ts": `export { at } from "../src/passed.ts";\nexport { w } from "@perdure/core/world";`,
};
for (const [name, { code }] of Object.entries(readings)) {
  for (const folder of [
    "packages/core/src",
    "packages/world-sqlite/src",
    "packages/core/test",
    "apps/a/src",
  ]) {
    files[`${folder}/${name}.ts`] = code;
  }
}
for (const [index, specifier] of deepImports.entries()) {
  files[`packages/world-sqlite/src/deep-${index}.ts`] = `export { thing } from "${specifier}";`;
}

let folder = "";
const reports = new Map<string, string[]>();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "perdure-rules-"));
  for (const name of ["biome.json", ".gitignore", "tooling/biome"]) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  for (const [path, code] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `${code}\n`);
  }
  const biome = join(root, "node_modules/@biomejs/biome/bin/biome");
  const args = [biome, "lint", "--reporter=json", "--max-diagnostics=none", "packages", "apps"];
  const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { category: string; location: { path: string } }[];
  };
  for (const { category, location } of diagnostics) {
    const rule = category.split("/").at(-1) ?? category;
    reports.set(location.path, [...(reports.get(location.path) ?? []), rule]);
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(Object.entries(readings))("%s", (name, { rule }) => {
  test.each(["packages/core/src", "packages/world-sqlite/src"])("is forbidden in %s", (where) => {
    expect(reports.get(`${where}/${name}.ts`)).toEqual([rule]);
  });

  test.each(["packages/core/test", "apps/a/src"])("is allowed in %s", (where) => {
    expect(reports.get(`${where}/${name}.ts`)).toBeUndefined();
  });
});

test("the clock module reads the machine's time, and a passed time is no reading", () => {
  expect(reports.get("packages/core/src/clock.ts")).toBeUndefined();
  expect(reports.get("packages/core/src/passed.ts")).toBeUndefined();
});

test("the module that watches a store has timers, but no clock", () => {
  expect(reports.get("packages/world-sqlite/src/watch.ts")).toEqual(["plugin"]);
});

test.each([...deepImports.entries()])("deep import %i, of %s, is forbidden", (index) => {
  expect(reports.get(`packages/world-sqlite/src/deep-${index}.ts`)).toContain("noRestrictedImports");
});

test("a package's own module and another package's export are allowed", () => {
  expect(reports.get("packages/core/test/own.test.ts")).toBeUndefined();
});

test.each(["a", "b", "type-a", "type-b"])("an import cycle, of types too, is found in %s.ts", (name) => {
  expect(reports.get(`packages/core/src/${name}.ts`)).toEqual(["noImportCycles"]);
});
