/** The source that another compiler made a file from, as the source map of the file says. */
import { readFileSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** A source map, version 3. */
export interface SourceMap {
  version: number;
  sources: string[];
  sourcesContent?: (string | null)[];
  names: string[];
  mappings: string;
}

/** Where a file comes from. */
export interface Origin {
  /** Absolute path of the source, which need not be there any more. */
  readonly filename: string;
  /** The map from the file to it, with its URL as the only source. */
  readonly map: SourceMap;
}

// At the very end, as compilers write it: elsewhere it may be part of a string, or of what was bundled.
const COMMENT = /^\/\/# sourceMappingURL=(\S+)\s*$(?![\s\S])/m;
const DATA = /^data:application\/json;(?:charset=[^;,]+;)?base64,(.*)$/s;

/** The one source of a file; nothing for a file without a map, and for a bundle of several. */
export function originOf(code: string, filename: string): Origin | undefined {
  const url = COMMENT.exec(code)?.[1];
  if (url === undefined) return undefined;
  const inline = DATA.exec(url)?.[1];
  try {
    const mapFile = inline === undefined ? resolve(dirname(filename), decodeURI(url)) : filename;
    const text =
      inline === undefined ? readFileSync(mapFile, "utf8") : Buffer.from(inline, "base64").toString();
    const map = JSON.parse(text) as SourceMap & { sourceRoot?: string };
    const [source] = map.sources;
    if (source === undefined || map.sources.length > 1) return undefined;
    const path = pathOf(
      `${map.sourceRoot ? `${map.sourceRoot.replace(/\/$/, "")}/` : ""}${source}`,
      dirname(mapFile),
    );
    if (path === undefined) return undefined;
    const { sourceRoot: _, ...rest } = map;
    return { filename: path, map: { ...rest, sources: [pathToFileURL(path).href] } };
  } catch {
    // No file of that name, or no map in it: as if there were none.
    return undefined;
  }
}

function pathOf(source: string, folder: string): string | undefined {
  if (source.startsWith("file:")) return fileURLToPath(source);
  if (isAbsolute(source)) return source;
  // Such as `webpack://`: a name that only that tool understands.
  return /^[a-z][a-z\d+.-]+:/i.test(source) ? undefined : resolve(folder, source);
}
