// `llms.txt` and `llms-full.txt`: the site for language models, as llmstxt.org describes them.

import type { Page } from "./pages.ts";

const SUMMARY =
  'Durable workflows for TypeScript on the database you already run: async functions marked `"use workflow"` and `"use step"`, ' +
  "whose steps' results are recorded once, with one id per step over all attempts. A library, no server; SQLite by default, Postgres, " +
  "Redis and MongoDB by adapter.";

/** The list of all pages, by section, each with its address from the root of the site. */
export function llmsIndex(pages: readonly Page[]): string {
  const sections = [...new Set(pages.map(({ section }) => section))];
  const lists = sections.map((section) => {
    const links = pages
      .filter((page) => page.section === section)
      .map(({ title, path }) => `- [${title}](/${path}.md)`);
    return `## ${section}\n\n${links.join("\n")}\n`;
  });
  return `# Perdure\n\n> ${SUMMARY}\n\n${lists.join("\n")}`;
}

/** All pages in one text. */
export function llmsFull(pages: readonly Page[]): string {
  const texts = pages.map(({ path, text }) => `<!-- /${path} -->\n\n${text.trim()}\n`);
  return `# Perdure\n\n> ${SUMMARY}\n\n${texts.join("\n")}`;
}
