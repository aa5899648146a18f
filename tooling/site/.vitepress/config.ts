import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DefaultTheme, UserConfig } from "vitepress";
import { REFERENCE, SECTIONS } from "../src/sections.ts";
import { slugOf } from "../src/slug.ts";

// The pages are written by src/write-pages.ts, which leaves a list of them.

interface Listed {
  readonly path: string;
  readonly title: string;
  readonly section: string;
}

const pages = JSON.parse(readFileSync(join(import.meta.dirname, "../pages/pages.json"), "utf8")) as Listed[];
const sections = [...SECTIONS.map(({ title }) => title), "More", "Errors by code", REFERENCE];
const closed = new Set([REFERENCE, "Errors by code", "Packages", "How it works", "Moving here"]);

const config: UserConfig<DefaultTheme.Config> = {
  title: "Perdure",
  description: "Durable workflows for TypeScript on the database you already run",
  lang: "en",
  srcDir: "./pages",
  outDir: "./dist",
  cacheDir: "./.cache",
  cleanUrls: true,
  lastUpdated: false,
  metaChunk: true,
  // Diagrams stay files, so that the theme can turn them over in the dark.
  vite: { build: { assetsInlineLimit: 0, chunkSizeWarningLimit: 2000 } },
  markdown: { anchor: { slugify: slugOf }, theme: { light: "github-light", dark: "github-dark" } },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "Start", link: "/get-started" },
      { text: "Reference", link: "/reference/" },
      { text: "Errors", link: "/errors" },
      { text: "llms.txt", link: "/llms.txt", target: "_blank" },
    ],
    sidebar: [
      ...sections
        .map((section) => ({
          text: section,
          collapsed: closed.has(section),
          ...(section === REFERENCE && { link: "/reference/" }),
          items: pages
            .filter((page) => page.section === section)
            .map(({ title, path }) => ({ text: title, link: `/${path}` })),
        }))
        .filter(({ items }) => items.length > 0),
    ],
  },
};

export default config;
