import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ERROR_KINDS } from "../src/errors/codes.ts";

// The address at the end of every message of ours is a page that says why it happens and what to do.

const pages = join(import.meta.dirname, "../../../docs/errors");

it.each(Object.entries(ERROR_KINDS))("%s has a page", (code, { name }) => {
  const page = readFileSync(join(pages, `${code}.md`), "utf8");
  expect(page).toMatch(new RegExp(`^# ${code}\n\n\`${name}\`\\. `));
  expect(page).toMatch(/\n## Why\n\n.+/);
  expect(page).toMatch(/\n## What to do\n\n.+/);
});

it("has no page of a code that is not there", () => {
  const codes = readdirSync(pages).map((file) => file.replace(/\.md$/, ""));
  expect(codes.filter((code) => !Object.hasOwn(ERROR_KINDS, code))).toEqual([]);
});
