import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { killAll, launch, run, says } from "./project.ts";

// The program of fixtures/app, whichever way it was compiled.

/** What Node runs the source with. */
export const source: readonly string[] = ["--import", "perdure/register", "src/main.ts"];

const ids = [
  "workflow//./src/orders//order",
  "step//./src/ledger//write",
  "step//./src/orders//order/label",
  "step//./src/orders//Warehouse.pack",
  "step//./src/orders//refuse",
  "step//./src/ledger//entries",
];

/** What the run comes to, and the ids in its journal; `refusedAt` is where the source has the step's error. */
export function ended(refusedAt: string): unknown {
  return { value: { customer: "Ada", label: "parcel of Ada", parcels: 1, refusedAt }, ids };
}

/** Starts a run with one program, kills it in the middle of a step, and ends the run with the other. */
export async function killedAndEnded(
  folder: string,
  store: string,
  first: readonly string[],
  second: readonly string[],
): Promise<unknown> {
  const files = [`${store}.db`, `${store}.txt`];
  const child = launch(folder, ["node", ...first, "start", ...files]);
  await says(child, "packing");
  killAll(child);
  writeFileSync(join(folder, `${store}.txt.open`), "");
  const { stdout, stderr } = await run(folder, ["node", ...second, "end", ...files]);
  const line = stdout.split("\n").find((text) => text.startsWith("{"));
  return line === undefined ? stdout + stderr : JSON.parse(line);
}
