import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { World } from "@perdure/core/world";
import { sqliteWorld } from "@perdure/world-sqlite";

/** What the processes of one test share: a ledger of what step bodies did, and gates that the test opens. */

const { PLACE: directory = "", PERDURE_SQLITE_PATH: path = ":memory:" } = process.env;

/** The store of the test; the configured one, where a program configures any. */
export const world: World = sqliteWorld({ path });

/** Writes a line that survives this process. */
export function note(line: string): void {
  appendFileSync(join(directory, "ledger"), `${line}\n`);
}

/** Whether the test has opened the gate. */
export function isOpen(name: string): boolean {
  return existsSync(join(directory, name));
}

/** Waits until the test opens the gate. */
export async function gate(name: string): Promise<void> {
  while (!isOpen(name)) await pause(20);
}
