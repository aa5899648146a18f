import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Run } from "@perdure/core/api";
import {
  Client,
  coldReplay,
  EngineWorker,
  MemoryState,
  memoryWorld,
  seededIds,
  virtualClock,
} from "@perdure/core/testing";
import type { JournalEvent } from "@perdure/core/world";
import { expect, test } from "vitest";
import { flows } from "./flows.ts";

// Journals of earlier versions, replayed by this one. One that is missing is recorded; none is ever recorded anew.

type Feature = keyof typeof flows;

interface Golden {
  readonly runId: string;
  readonly workflow: string;
  readonly journal: readonly (Omit<JournalEvent, "data"> & { readonly data: string | null })[];
}

/** What others do to the run while it is under way. */
const acts: Partial<Record<Feature, (client: Client, run: Run) => Promise<unknown>>> = {
  hooks: async (client) => {
    for (const payload of ["one", "two", "three"]) await client.resumeHook("golden", payload);
  },
  cancelled: (_client, run) => run.cancel({ reason: "golden" }),
};

const args: Partial<Record<Feature, unknown[]>> = {
  steps: ["cus_1"],
  values: [
    {
      map: new Map([["a", new Set([1, 2n])]]),
      date: new Date(0),
      bytes: new Uint8Array([0, 255]),
      odd: [undefined, Number.NaN, -0, "\0😀"],
      url: new URL("https://example.com/?q=1"),
      error: Object.assign(new RangeError("kept"), { stack: "" }),
    },
  ],
};

async function record(feature: Feature): Promise<Golden> {
  const clock = virtualClock();
  const state = new MemoryState();
  const world = memoryWorld({ state });
  let seed = 1;
  const random = (): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed / 2 ** 31;
  };
  const ids = seededIds(random);
  const client = new Client({ world, clock, ids, logger: "silent" });
  const worker = new EngineWorker({ world, clock, ids, random, logger: "silent" });
  await worker.start();
  const run = await client.start(flows[feature], args[feature] ?? []);
  await clock.advance(0);
  await acts[feature]?.(client, run);
  await clock.advance(24 * 3_600_000);
  const closed = worker.close({ timeout: 0 });
  await clock.advance(0);
  await closed;
  const stored = state.runs.get(run.runId);
  // The error of a run that did not complete has a stack, with the paths of the machine that recorded it; nobody replays it.
  const journal = (stored?.journal ?? []).map((event) => ({
    ...event,
    data:
      event.data === null || event.type === "run_failed" || event.type === "run_cancelled"
        ? null
        : Buffer.from(event.data).toString("base64"),
  }));
  return { runId: run.runId, workflow: stored?.row.workflow ?? "", journal };
}

test.each(Object.keys(flows) as Feature[])("the journal of %s is replayed", async (feature) => {
  const file = new URL(`journals/${String(feature)}.json`, import.meta.url);
  if (!existsSync(file)) {
    expect(process.env.CI, `${file.href} is missing`).toBeUndefined();
    writeFileSync(file, `${JSON.stringify(await record(feature), null, 2)}\n`);
  }
  const { runId, workflow, journal }: Golden = JSON.parse(readFileSync(file, "utf8"));
  const events = journal.map((event) => ({
    ...event,
    data: event.data === null ? null : new Uint8Array(Buffer.from(event.data, "base64")),
  }));
  const last = events.at(-1);
  expect(last?.type).toMatch(/^run_(completed|failed|cancelled)$/);
  const { outcome, output } = await coldReplay({ runId, workflow }, events, virtualClock());
  expect(outcome).toBe(last?.type === "run_completed" ? "returned" : "threw");
  if (outcome === "returned") expect(Buffer.from(output ?? [])).toEqual(Buffer.from(last?.data ?? []));
});
