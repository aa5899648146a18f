// Writes the pages that VitePress reads: those of the repository, the API reference, and the texts for language models.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { HOME } from "./home.ts";
import { llmsFull, llmsIndex } from "./llms.ts";
import { type Page, pagesOf, ROOT } from "./pages.ts";
import { writeReference } from "./reference.ts";
import { REFERENCE } from "./sections.ts";

/** The folder that VitePress reads. Nothing in it is written by hand. */
export const PAGES: string = join(import.meta.dirname, "../pages");

/** Writes everything anew, and gives the pages that were made of files of the repository. */
export async function writePages(): Promise<Page[]> {
  rmSync(PAGES, { recursive: true, force: true });
  const pages = pagesOf(ROOT);
  write("index.md", HOME);
  for (const { path, text } of pages) write(`${path}.md`, text);
  for (const file of diagrams())
    write(`diagrams/${file}`, readFileSync(join(ROOT, "docs/diagrams", file), "utf8"));
  const entryPoints = await writeReference(ROOT, join(PAGES, "reference"));
  write("public/llms.txt", llmsIndex(pages));
  write("public/llms-full.txt", llmsFull(pages));
  write(
    "pages.json",
    JSON.stringify([
      ...pages.map(({ path, title, section }) => ({ path, title, section })),
      ...entryPoints.map((name) => ({ path: `reference/${name}`, title: name, section: REFERENCE })),
    ]),
  );
  return pages;
}

function write(path: string, text: string): void {
  const file = join(PAGES, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function diagrams(): string[] {
  return readdirSync(join(ROOT, "docs/diagrams")).filter((file) => file.endsWith(".svg"));
}
