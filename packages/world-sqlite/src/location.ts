/**
 * Where the database file is: what a user may give as `path`.
 */
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Where the database is when nothing is said. */
export const DEFAULT_PATH = ".perdure/perdure.db";

/**
 * The absolute path of the file, or `null` for a database in memory.
 *
 * @param path a path, a `file:` URL (relative ones too, such as `file:./app.db`), or `":memory:"`
 * @throws {TypeError} for anything else, such as a URL of another scheme
 */
export function fileAt(path: string): string | null {
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw new TypeError('path is the path of a file, a file: URL, or ":memory:".');
  }
  if (path === ":memory:") return null;
  // One letter before the colon is a drive of Windows.
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(path)?.[1]?.toLowerCase();
  if (scheme === undefined) return resolve(path);
  if (scheme === "file") return fileOfUrl(path);
  // A URL of another store may carry a password: only its scheme is shown.
  throw new TypeError(
    `path begins with "${scheme}:", which is no URL of a file. Write file:./app.db or the path itself; a file whose ` +
      `name begins so is "./${scheme}:…".`,
  );
}

function fileOfUrl(text: string): string {
  const url = new URL(text, pathToFileURL(resolve("_")));
  if (url.search !== "" || url.hash !== "" || /^file:+memory:/i.test(text)) {
    throw new TypeError(
      "path is a file: URL with parameters, which this World does not know. Leave out what follows the name; for a " +
        'database in memory write ":memory:".',
    );
  }
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new TypeError(
      "path is a file: URL that names no file of this machine. Write file:./app.db, or file:///data/app.db for an " +
        "absolute path.",
      { cause: error },
    );
  }
}
