import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { brokenLinks } from "../src/links.ts";
import { llmsFull, llmsIndex } from "../src/llms.ts";
import { pagesOf, ROOT } from "../src/pages.ts";
import { slugOf } from "../src/slug.ts";

/** A folder with these files. */
function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "perdure-site-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

test("every link between pages of this repository leads to a page and a section that are there", () => {
  const pages = pagesOf(ROOT);
  expect(pages.length).toBeGreaterThan(60);
  expect(new Set(pages.map(({ path }) => path)).size).toBe(pages.length);
});

test.each([
  ["a page", "[b](b.md)", /docs\/a\.md links to b\.md, which is not there/],
  ["a section", "[b](c.md#nowhere)", /docs\/a\.md links to c\.md#nowhere: there is no such section/],
  ["a section of its own", "[b](#nowhere)", /links to #nowhere: there is no such section/],
  ["a picture", "![b](b.svg)", /links to b\.svg, which is not there/],
])("a link to %s that is not there is an error that names both", (_what, link, message) => {
  const root = folderOf({ "docs/a.md": `# A\n\n${link}\n`, "docs/c.md": "# C\n\n## Here\n" });
  expect(() => pagesOf(root)).toThrow(message);
});

test("links lead to pages of the site, and to other files of the repository not at all", () => {
  const root = folderOf({
    "docs/a.md":
      "# A\n\n[c](guides/c.md#here-it-is), [sql](../packages/world-sqlite/README.md), [code](../packages/x.ts), `f[g](h)`\n\n```md\n[kept](z.md)\n```\n",
    "docs/guides/c.md": "# C\n\n## Here it is\n\n[a](../a.md)\n",
    "packages/world-sqlite/README.md": "# S\n",
    "packages/x.ts": "",
  });
  const texts = Object.fromEntries(pagesOf(root).map(({ path, text }) => [path, text]));
  expect(texts.a).toBe(
    "# A\n\n[c](./guides/c#here-it-is), [sql](./packages/world-sqlite), code, `f[g](h)`\n\n```md\n[kept](z.md)\n```\n",
  );
  expect(texts["guides/c"]).toContain("[a](../a)");
});

test("anchors are GitHub's", () => {
  expect(slugOf("Beside Stripe's rules, and the IETF draft")).toBe("beside-stripes-rules-and-the-ietf-draft");
  expect(slugOf("`readRecords`, `writeRecords`")).toBe("readrecords-writerecords");
});

test("a page that nobody placed is on the site all the same", () => {
  const root = folderOf({ "docs/new-thing.md": "# A new thing\n", "docs/runs.md": "# Runs\n" });
  expect(pagesOf(root).map(({ section, title }) => [section, title])).toEqual([
    ["Workflows and steps", "Runs"],
    ["More", "A new thing"],
  ]);
});

test("llms.txt lists every page, llms-full.txt has them", () => {
  const pages = pagesOf(ROOT);
  const index = llmsIndex(pages);
  expect(index).toMatch(/^# Perdure\n\n> /);
  for (const { path } of pages) expect(index).toContain(`](/${path}.md)`);
  expect(llmsFull(pages)).toContain("# LOCK_TIMEOUT");
});

test("links of the built site that lead nowhere are found, sections included", () => {
  const dist = folderOf({
    "index.html":
      '<a class="x" href="/guides/a#here">a</a> <a href="/guides/a#gone">a</a> <a href="https://x.test/">x</a>',
    "guides/a.html":
      '<h2 id="here">Here</h2> <a href="../index">back</a> <a href="./b">b</a> <a href="#here">up</a>',
  });
  expect(brokenLinks(dist)).toEqual(["guides/a.html -> ./b", "index.html -> /guides/a#gone"]);
});
