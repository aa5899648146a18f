// Builds the site: `npm run docs:build`. Needs no network.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "vitepress";
import { brokenLinks } from "./links.ts";
import { PAGES, writePages } from "./write-pages.ts";

const site = join(import.meta.dirname, "..");
const out = join(site, "dist");

const pages = await writePages();
await build(site);
for (const { path, text } of pages) writeFileSync(join(out, `${path}.md`), text);
const broken = brokenLinks(out);
if (broken.length > 0) {
  process.stderr.write(
    `${broken.join("\n")}\n${broken.length} links of the site lead nowhere: see ${PAGES}\n`,
  );
  process.exitCode = 1;
} else {
  process.stdout.write(`The site is in ${out}\n`);
}
