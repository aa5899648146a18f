// Which files of the repository are pages of the site, and what their links become there.

import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { SECTIONS } from "./sections.ts";
import { slugOf } from "./slug.ts";

/** A page of the site. */
export interface Page {
  /** The file that it is made of, from the root of the repository: `docs/runs.md`. */
  readonly file: string;
  /** Its path on the site, without ending: `runs`. */
  readonly path: string;
  /** Its first heading. */
  readonly title: string;
  readonly section: string;
  /** Its Markdown, with links as the site has them. */
  readonly text: string;
}

/** Every page, in reading order. Throws where a link leads nowhere. */
export function pagesOf(root: string): Page[] {
  const files = filesOf(root);
  const paths = new Map(files.map(({ file }) => [file, pathOf(file)]));
  return files.map(({ file, section }) => {
    const text = readFileSync(join(root, file), "utf8");
    const path = pathOf(file);
    return { file, path, section, title: titleOf(text, path), text: relinked(root, file, text, paths) };
  });
}

function filesOf(root: string): { file: string; section: string }[] {
  const named = SECTIONS.flatMap(({ title, files }) =>
    files.filter((file) => existsSync(join(root, file))).map((file) => ({ file, section: title })),
  );
  const known = new Set(named.map(({ file }) => file));
  const others = globSync("docs/**/*.md", { cwd: root })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => !known.has(file))
    .sort();
  const isError = (file: string): boolean => file.startsWith("docs/errors/");
  return [
    ...named,
    ...others.filter((file) => !isError(file)).map((file) => ({ file, section: "More" })),
    ...others.filter(isError).map((file) => ({ file, section: "Errors by code" })),
  ];
}

function pathOf(file: string): string {
  return file
    .replace(/^docs\//, "")
    .replace(/\/README\.md$/, "")
    .replace(/\.md$/, "")
    .replace(/^(ARCHITECTURE|CONTRIBUTING)$/, (name) => name.toLowerCase());
}

function titleOf(text: string, path: string): string {
  return /^# (.+)$/m.exec(text)?.[1]?.replaceAll("`", "") ?? path;
}

/** Links to pages lead to them on the site; those to other files of the repository become what they say. */
function relinked(root: string, file: string, text: string, paths: ReadonlyMap<string, string>): string {
  const own = pathOf(file);
  return prose(text, (piece) =>
    piece.replaceAll(
      // Code in a line may look like a link.
      /`[^`\n]*`|(!?)\[([^\]]*)\]\(([^)\s]+)\)/g,
      (whole, image: string | undefined, label: string, target: string) => {
        if (image === undefined) return whole;
        if (/^(https?:|mailto:|\/)/.test(target)) return whole;
        const [linked = "", hash] = target.split("#");
        const to = linked === "" ? file : posix.normalize(posix.join(posix.dirname(file), linked));
        if (!existsSync(join(root, to))) throw new Error(`${file} links to ${target}, which is not there.`);
        if (image !== "") return whole;
        const page = [to, posix.join(to, "README.md")].find((each) => paths.has(each));
        if (hash !== undefined && !anchorsOf(readFileSync(join(root, page ?? to), "utf8")).has(hash)) {
          throw new Error(`${file} links to ${target}: there is no such section.`);
        }
        if (linked === "") return whole;
        if (page === undefined) return label;
        const path = posix.relative(posix.dirname(own), paths.get(page) as string);
        return `[${label}](${path.startsWith(".") ? path : `./${path}`}${hash === undefined ? "" : `#${hash}`})`;
      },
    ),
  );
}

/** A text with what is no code replaced. */
function prose(text: string, replace: (piece: string) => string): string {
  return text
    .split(/(^```.*?^```$)/ms)
    .map((piece) => (piece.startsWith("```") ? piece : replace(piece)))
    .join("");
}

/** The anchors of a page's headings. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  prose(text, (piece) => {
    for (const [, heading = ""] of piece.matchAll(/^#{1,6} (.+)$/gm)) {
      const slug = slugOf(heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1"));
      const repeated = [...anchors].filter((each) => each === slug || each.startsWith(`${slug}-`)).length;
      anchors.add(anchors.has(slug) ? `${slug}-${repeated}` : slug);
    }
    return piece;
  });
  return anchors;
}

/** The folder of the repository. */
export const ROOT: string = join(dirname(import.meta.dirname), "../..");
