/** The files of the page, as the build of `src/page` leaves them. */

/** One file, as it is sent. */
export interface PageFile {
  /** Such as `text/html; charset=utf-8`. */
  readonly type: string;
  readonly body: Uint8Array<ArrayBuffer>;
  /** Its name changes with its content, so browsers may keep it for ever. */
  readonly immutable: boolean;
}

/**
 * A file of the page by its path below the dashboard, such as `index.html` or `assets/index-1a2b.js`; `null` if there is none. Paths
 * that are neither a file nor below `api/` get `index.html`: the page has routes of its own.
 */
export function pageFile(_path: string): PageFile | null {
  return null;
}
