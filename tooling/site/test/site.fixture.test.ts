import { execFile } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";

// The site as it is published: `npm run docs:build`.

const run = promisify(execFile);
const site = join(import.meta.dirname, "..");
const dist = join(site, "dist");

beforeAll(async () => {
  // It fails where a link leads nowhere, and says which.
  await run(process.execPath, ["src/build.ts"], { cwd: site, maxBuffer: 1e8 });
}, 600_000);

test("has a page for each page of the repository, for each error and for each entry point", () => {
  for (const page of [
    "index",
    "get-started",
    "packages/world-redis",
    "errors/LOCK_TIMEOUT",
    "reference/perdure/api",
  ]) {
    expect(existsSync(join(dist, `${page}.html`)), page).toBe(true);
  }
  const page = readFileSync(join(dist, "reference/perdure/api.html"), "utf8");
  expect(page).toContain("listRuns");
  // Its place among the others is in the sidebar of every page.
  expect(page).toMatch(/href="\/reference\/@perdure\/core\/world"/);
});

test("has the texts for language models, and each page as Markdown", () => {
  const index = readFileSync(join(dist, "llms.txt"), "utf8");
  const links = [...index.matchAll(/\]\(\/(.+?)\)/g)].map(([, file = ""]) => file);
  expect(links.length).toBeGreaterThan(60);
  expect(links.filter((file) => !existsSync(join(dist, file)))).toEqual([]);
  expect(existsSync(join(dist, "llms-full.txt"))).toBe(true);
});

test("can be searched, and loads nothing from elsewhere", () => {
  expect(globSync("assets/chunks/*localSearchIndex*.js", { cwd: dist }).length).toBeGreaterThan(0);
  const loaded = globSync("**/*.html", { cwd: dist }).flatMap((page) =>
    [
      ...readFileSync(join(dist, page), "utf8").matchAll(
        /<(?:script|link|img)\b[^>]*?(?:src|href)="(https?:[^"]+)"/g,
      ),
    ].map(([, address]) => `${page}: ${address}`),
  );
  expect(loaded).toEqual([]);
});
