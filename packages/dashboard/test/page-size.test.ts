import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { files } from "#page-files";
import { pageFile } from "../src/page-file.ts";

// The page as it is built: small, and of nothing that a strict Content-Security-Policy forbids.

const MOST = 150_000;
const html = new TextDecoder().decode(pageFile("index.html")?.body);

test("all files of the page are at most 150 kB, compressed", () => {
  const sizes = Object.keys(files).map((path) => pageFile(path)?.gzip.length ?? 0);
  expect(sizes.length).toBeGreaterThanOrEqual(3);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(MOST);
});

test("the page has no script and no style in itself, and names its files by relative paths", () => {
  expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/);
  const paths = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path);
  const named = paths.filter((path) => !path.startsWith("data:image/"));
  expect(named.length).toBeGreaterThanOrEqual(2);
  for (const path of named) expect(pageFile(path.replace("./", ""))?.immutable).toBe(true);
});

test("a path that is no file has none, whatever it is called", () => {
  for (const path of ["", "index", "../package.json", "constructor", "__proto__"])
    expect(pageFile(path)).toBeNull();
});

test("the licenses of what is in the page are beside it", () => {
  const licenses = readFileSync(new URL("../dist/page-licenses.md", import.meta.url), "utf8");
  for (const name of ["preact", "@preact/signals", "uplot", "@tanstack/virtual-core"])
    expect(licenses).toContain(name);
});
