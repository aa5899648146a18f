import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

// docs/bundlers.md shows the configurations that the fixtures are built with.

const fixtures = join(import.meta.dirname, "fixtures");
const configurations = readdirSync(fixtures).flatMap((folder) =>
  readdirSync(join(fixtures, folder))
    .filter((file) => /^build\.mjs$|\.config\.(mjs|ts)$/.test(file))
    .map((file) => join(folder, file)),
);

test.each(configurations)("the page has %s", (path) => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/bundlers.md"), "utf8");
  const text = readFileSync(join(fixtures, path), "utf8");
  expect(unbroken(page)).toContain(unbroken(`// ${path.split(/[\\/]/).at(-1)}\n${text}\`\`\``));
});

/** Lines of a page are broken where those of a program are not. */
function unbroken(text: string): string {
  return text.replace(/\s+/g, "").replace(/,([\])}])/g, "$1");
}
