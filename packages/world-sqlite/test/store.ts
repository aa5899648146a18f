import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CreateRun, NewEvent, RunCommit, World } from "@perdure/core/world";
import { onTestFinished } from "vitest";
import { type SqliteWorldOptions, sqliteWorld } from "../src/index.ts";

/** Stores and requests for the tests of this package. */

export const NOW = 1_700_000_000_000;
export const WORKFLOW = "workflow//./test//main";

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

/** An open World that is closed after the test. */
export async function openWorld(options: SqliteWorldOptions): Promise<World> {
  const world = sqliteWorld(options);
  onTestFinished(() => world.close());
  await world.open();
  return world;
}

export function event(
  type: NewEvent["type"],
  id: string | null = null,
  name: string | null = null,
): NewEvent {
  return { type, at: NOW, id, name, data: new TextEncoder().encode(`"${type}"`) };
}

export function newRun(runId: string, change: Partial<CreateRun> = {}): CreateRun {
  return {
    runId,
    workflow: WORKFLOW,
    event: event("run_created"),
    dueAt: NOW,
    startKey: null,
    lease: null,
    ...change,
  };
}

export function hold(runId: string, seq: number, events: readonly NewEvent[]): RunCommit {
  return { runId, epoch: 1, seq, events, mailDone: 0, run: {}, lease: { type: "hold", ttl: 30_000 } };
}

export function finish(runId: string, seq: number, completedAt: number): RunCommit {
  return {
    ...hold(runId, seq, [event("run_completed")]),
    run: { status: "completed", completedAt },
    lease: { type: "finish" },
  };
}
