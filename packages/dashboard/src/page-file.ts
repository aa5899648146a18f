import { gunzipSync } from "node:zlib";
import { files } from "#page-files";

/** The files of the page, as the build of `src/page` leaves them. */

/** One file, as it is sent. */
export interface PageFile {
  /** Such as `text/html; charset=utf-8`. */
  readonly type: string;
  readonly body: Uint8Array<ArrayBuffer>;
  /** The same body, compressed, for those that take `content-encoding: gzip`. */
  readonly gzip: Uint8Array<ArrayBuffer>;
  /** Its name changes with its content, so browsers may keep it for ever. */
  readonly immutable: boolean;
}

const read: Map<string, PageFile> = new Map();

/**
 * A file of the page by its path below the dashboard, such as `index.html` or `assets/index-1a2b.js`; `null` if there is none. What
 * the page shows is in the query of its address, so there are no other paths.
 */
export function pageFile(path: string): PageFile | null {
  const known = read.get(path);
  if (known !== undefined) return known;
  if (!Object.hasOwn(files, path)) return null;
  const { type = "", gzip: base64 = "" } = files[path] ?? {};
  const gzip = Uint8Array.from(Buffer.from(base64, "base64"));
  const file = { type, gzip, body: Uint8Array.from(gunzipSync(gzip)), immutable: path !== "index.html" };
  read.set(path, file);
  return file;
}
