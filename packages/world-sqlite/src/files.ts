/**
 * The files of a database: created for their owner alone, and looked at again and again, since an open file that was
 * deleted or replaced is written without any error, into nothing.
 */
import { chmodSync, existsSync, mkdirSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { WorldError } from "@perdure/core/errors";
import { monotonicNow } from "./clock.ts";
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

/** A directory, with the times that change when an entry of it is made, moved or deleted. */
interface Directory extends Identity {
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

// Longer than the step of any file system's clock, in milliseconds.
const CLOCK_STEP = 100;

/** What the files of an open database were when it was opened. */
export class OpenFiles {
  readonly #files: readonly OpenFile[];
  /** Where their names are. */
  readonly #paths: readonly string[];
  #directories: readonly (Directory | undefined)[] = [];
  /** When the directories were first seen as they are. */
  #seenAt = 0;
  /** The files were looked at when no change could have the time of the last one any more: the next one shows by its time. */
  #settled = false;

  private constructor(files: readonly OpenFile[]) {
    this.#files = files;
    this.#paths = [...new Set(files.map(({ path }) => dirname(path)))];
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
      const identity = statOf(each);
      if (identity !== undefined) files.push({ path: each, dev: identity.dev, ino: identity.ino });
    }
    return new OpenFiles(files);
  }

  /**
   * Looks at the directory alone while nothing changes in it.
   *
   * @throws {WorldError} if one of the files is not there any more, or is another file now
   */
  check(): void {
    const directories = this.#paths.map(statOf);
    const changed = directories.some((directory, index) => !isSame(directory, this.#directories[index]));
    if (!changed && this.#settled) return;
    this.#settled = false;
    const now = monotonicNow();
    if (changed) {
      this.#directories = directories;
      this.#seenAt = now;
    }
    this.#checkFiles();
    // Windows keeps no such times on some file systems, and deletes no open file.
    this.#settled = process.platform !== "win32" && now - this.#seenAt > CLOCK_STEP;
  }

  #checkFiles(): void {
    for (const { path, dev, ino } of this.#files) {
      const current = statOf(path);
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

/** Whether nothing was made, moved or deleted in it. */
function isSame(now: Directory | undefined, then: Directory | undefined): boolean {
  if (now === undefined || then === undefined) return false;
  return (
    now.ino === then.ino &&
    now.dev === then.dev &&
    now.mtimeMs === then.mtimeMs &&
    now.ctimeMs === then.ctimeMs
  );
}

/** What is there; `undefined` when it cannot be reached. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
