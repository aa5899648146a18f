/**
 * The files of a database: created for their owner alone, and looked at again and again, since an open file that was
 * deleted or replaced is written without any error, into nothing.
 */
import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { WorldError } from "@perdure/core/errors";
import { fileOf, sqlite } from "./driver.ts";

/** Opens a database. What it creates of directories and files is open to this user alone; what is there stays so. */
export function openFile(file: string): DatabaseSync {
  const { DatabaseSync } = sqlite();
  const directory = dirname(file);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new WorldError(
      `The directory ${directory} for the SQLite World cannot be created. Check the path.`,
      { cause: error, retryable: false },
    );
  }
  const isNew = !existsSync(file);
  const database = new DatabaseSync(file);
  // Nothing is in it yet.
  if (isNew) makePrivate(file);
  return database;
}

/** SQLite gives the -wal and -shm files the mode of this one. */
function makePrivate(file: string): void {
  try {
    chmodSync(file, 0o600);
  } catch {
    // A file system without modes.
  }
}

interface OpenFile extends Identity {
  readonly path: string;
}

/** What tells a file from every other one. */
interface Identity {
  readonly dev: number;
  readonly ino: number;
}

/** What the files of an open database were when it was opened. */
export class OpenFiles {
  readonly #files: readonly OpenFile[];

  private constructor(files: readonly OpenFile[]) {
    this.#files = files;
  }

  /**
   * Remembers which files these are. The database is in WAL mode and has been read, so all of them are there.
   *
   * @param path the path by which it was opened; SQLite puts the other two beside the file that it leads to
   */
  static of(database: DatabaseSync, path: string | null): OpenFiles {
    const file = fileOf(database);
    if (path === null || file === null) return new OpenFiles([]);
    const files: OpenFile[] = [];
    for (const each of [path, `${file}-wal`, `${file}-shm`]) {
      const identity = identityOf(each);
      if (identity !== undefined) files.push({ path: each, dev: identity.dev, ino: identity.ino });
    }
    return new OpenFiles(files);
  }

  /** @throws {WorldError} if one of them is not there any more, or is another file now */
  check(): void {
    for (const { path, dev, ino } of this.#files) {
      const current = identityOf(path);
      if (current?.ino === ino && current.dev === dev) continue;
      throw new WorldError(
        `The file ${path} of an open SQLite World was ${current === undefined ? "deleted or moved" : "replaced"}. What ` +
          "is written now would not be found again, so nothing more is accepted. Stop every process that has the " +
          "database open, put the files back (or a backup in their place), and start again.",
        { retryable: false },
      );
    }
  }
}

/** Which file is there; `undefined` when none can be reached. */
function identityOf(path: string): Identity | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
