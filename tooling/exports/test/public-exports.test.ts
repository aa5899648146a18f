import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { publicExports } from "../public-exports.ts";

const packages = join(import.meta.dirname, "../../../packages");

// A name that appears or goes here is a change for users: it wants a changeset. `npm test -- tooling/exports -u` accepts it.
test.each(readdirSync(packages))("the public exports of %s", async (folder) => {
  const lines = publicExports(join(packages, folder));
  await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot(`./snapshots/${folder}.txt`);
});
