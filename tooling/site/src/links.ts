// Finds links of the built site that lead nowhere, sections of pages included.

import { existsSync, globSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** Each broken link as `page.html -> target`. */
export function brokenLinks(dist: string): string[] {
  const anchors = new Map<string, ReadonlySet<string>>();
  const anchorsOf = (page: string): ReadonlySet<string> => {
    const known = anchors.get(page) ?? idsOf(readFileSync(join(dist, page), "utf8"));
    anchors.set(page, known);
    return known;
  };
  const pages = globSync("**/*.html", { cwd: dist }).map((page) => page.replaceAll("\\", "/"));
  return pages.sort().flatMap((page) => {
    const targets = new Set(hrefsOf(readFileSync(join(dist, page), "utf8")));
    return [...targets]
      .filter((target) => !leadsSomewhere(dist, page, target, anchorsOf))
      .map((target) => `${page} -> ${target}`);
  });
}

function leadsSomewhere(
  dist: string,
  page: string,
  target: string,
  anchorsOf: (page: string) => ReadonlySet<string>,
): boolean {
  const [path = "", hash] = target.split("#");
  const to =
    path === "" ? page : path.startsWith("/") ? path.slice(1) : posix.join(posix.dirname(page), path);
  const file = [to, `${to}.html`, posix.join(to, "index.html")].find(
    (candidate) => /\.\w+$/.test(candidate) && existsSync(join(dist, candidate)),
  );
  if (file === undefined) return false;
  return (
    hash === undefined ||
    hash === "" ||
    !file.endsWith(".html") ||
    anchorsOf(file).has(decodeURIComponent(hash))
  );
}

function hrefsOf(html: string): string[] {
  const hrefs = [...html.matchAll(/<a\b[^>]*?\shref="([^"]+)"/g)].map(([, href = ""]) =>
    href.replaceAll("&amp;", "&"),
  );
  return hrefs.filter((href) => !/^(\w+:|\/\/)/.test(href));
}

function idsOf(html: string): Set<string> {
  return new Set([...html.matchAll(/\sid="([^"]+)"/g)].map(([, id = ""]) => id));
}
