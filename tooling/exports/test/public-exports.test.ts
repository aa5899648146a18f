import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type PublicEntry, publicEntries } from "../public-exports.ts";

const packages = join(import.meta.dirname, "../../../packages");

describe.each(readdirSync(packages))("the public exports of %s", (folder) => {
  const entries = publicEntries(join(packages, folder));

  // A name that appears or goes here is a change for users: it wants a changeset. `npm test -- tooling/exports -u` accepts it.
  test("are those of the snapshot", async () => {
    await expect(`${entries.flatMap(linesOf).join("\n")}\n`).toMatchFileSnapshot(`./snapshots/${folder}.txt`);
  });

  test("have a doc comment each", () => {
    expect(entries.flatMap(undocumentedOf)).toEqual([]);
  });
});

test("a name without a doc comment is found, behind a re-export too", () => {
  const folder = mkdtempSync(join(tmpdir(), "perdure-exports-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "dist"));
  const manifest = {
    name: "shop",
    exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } },
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  writeFileSync(
    join(folder, "dist/index.d.ts"),
    `/** Sells. */
    export declare function sell(): void;
    /** @throws always */
    export declare function buy(): void;
    export { Price, Ware as Goods } from "./ware.js";`,
  );
  writeFileSync(
    join(folder, "dist/ware.d.ts"),
    "export type Price = number;\n/** What is sold. */\nexport type Ware = string;",
  );

  expect(publicEntries(folder).flatMap(undocumentedOf)).toEqual(["shop: Price", "shop: buy"]);
});

function linesOf({ specifier, exports }: PublicEntry): string[] {
  if (exports.length === 0) return [`${specifier}: nothing`];
  return exports.map(({ name, kind }) => `${specifier}: ${name} (${kind})`).sort();
}

function undocumentedOf({ specifier, exports }: PublicEntry): string[] {
  return exports.filter(({ documented }) => !documented).map(({ name }) => `${specifier}: ${name}`);
}
