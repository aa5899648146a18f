import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { World } from "@perdure/core/world";
import { onTestFinished } from "vitest";
import { type SqliteWorldOptions, sqliteWorld } from "../src/index.ts";

/** Stores for the tests of this package. */

/** A directory that is removed after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "perdure-sqlite-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A path for a database that does not exist yet. */
export function temporaryFile(): string {
  return join(temporaryDirectory(), "perdure.db");
}

/** An open World that is closed after the test. It goes by the time that the test gives. */
export async function openWorld(options: SqliteWorldOptions): Promise<World> {
  const world = sqliteWorld({ clock: "caller", ...options });
  onTestFinished(() => world.close());
  await world.open();
  return world;
}
