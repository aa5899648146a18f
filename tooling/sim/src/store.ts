import { MemoryState, memoryWorld } from "@perdure/core/testing";
import type { RunCommit, RunRecord, World } from "@perdure/core/world";
import { checkCounted } from "./actors/counter.ts";
import { type CheckOptions, Checks } from "./checks.ts";
import type { Plant } from "./config.ts";
import { LawBroken } from "./failure.ts";
import { Payloads } from "./kinds/payloads.ts";
import { checkToldOnce } from "./messages.ts";
import { plantBug } from "./plants.ts";

/** The one store of a simulated cluster: the memory World, checked after every write. */
export interface Store {
  readonly world: World;
  readonly state: MemoryState;
  readonly checks: Checks;
  readonly payloads: Payloads;
}

export interface StoreOptions extends CheckOptions {
  readonly plant: Plant | undefined;
  /** Virtual time. */
  readonly time: () => number;
}

export function newStore(options: StoreOptions): Store {
  const { plant, time } = options;
  const state = new MemoryState();
  const memory = memoryWorld({ state, clock: time });
  const world = plant === undefined ? memory : plantBug(memory, state, plant);
  const checks = new Checks(state, options);
  const payloads = new Payloads(checks);
  return {
    state,
    checks,
    payloads,
    world: {
      ...world,
      async createRuns(batch, now) {
        const results = await world.createRuns(batch, now);
        for (const [index, request] of batch.entries()) {
          const { runId } = request;
          if (results[index]?.outcome === "created") payloads.starts(request);
          checks.written(runId, time());
          checks.started(runId);
        }
        return results;
      },
      async claim(request) {
        const due = new Map([...state.runs.values()].map(({ row }) => [row.runId, row]));
        const result = await world.claim(request);
        for (const { run, lost } of result.runs) {
          const before = due.get(run.runId);
          if (before === undefined || before.dueAt === null || before.dueAt > time()) {
            throw new LawBroken("fencing", `claimed while due at ${before?.dueAt}`, run.runId);
          }
          if (lost !== (before.owner !== null)) throw new LawBroken("fencing", `lost is ${lost}`, run.runId);
          checks.written(run.runId, time());
        }
        return result;
      },
      async renew(request) {
        const results = await world.renew(request);
        request.leases.forEach(({ runId }, index) => {
          if (results[index]?.outcome === "renewed") checks.renewed(runId, time());
        });
        return results;
      },
      async commit(batch, now) {
        const rows = batch.map(({ runId }) => state.runs.get(runId)?.row);
        const results = await world.commit(batch, now);
        batch.forEach((commit, index) => {
          const before = rows[index];
          const after = state.runs.get(commit.runId)?.row;
          const changed = after !== before;
          if (changed && before?.epoch !== commit.epoch) {
            throw new LawBroken(
              "fencing",
              `a commit under epoch ${commit.epoch} was written when the lease was that of epoch ${before?.epoch}`,
              commit.runId,
            );
          }
          if (changed && before !== undefined && after !== undefined) checkRestart(commit, before, after);
          checks.written(commit.runId, time());
        });
        return results;
      },
      async deliver(batch, now) {
        for (const message of batch) {
          checks.sent(message);
          payloads.sent(message);
        }
        const results = await world.deliver(batch, now);
        for (const message of batch) checkToldOnce(message, state);
        for (const result of results) if ("runId" in result) checks.written(result.runId, time());
        return results;
      },
      async readRecords(keys, now) {
        for (const key of keys) checks.recordAsked(key, time());
        return await world.readRecords(keys, now);
      },
      async writeRecords(batch, now) {
        for (const { key } of batch) checks.recordAsked(key, time());
        const before = batch.map(({ key }) => state.records.get(key, time()));
        const results = await world.writeRecords(batch, now);
        batch.forEach(({ key }, index) => {
          const [old, record] = [before[index] ?? null, state.records.get(key, time())];
          checks.recorded(key, old, record);
          if (!key.startsWith("lock")) checkCounted(old, record);
        });
        return results;
      },
    },
  };
}

/** What a restart leaves in the mailbox is there for the next generation. */
function checkRestart({ runId, restart, mailDone }: RunCommit, before: RunRecord, after: RunRecord): void {
  if (restart !== true || after.generation === before.generation) return;
  if (after.mailDone === Math.max(before.mailDone, mailDone) && after.mailSeq === before.mailSeq) return;
  const what = `messages up to ${after.mailDone} of ${after.mailSeq} are gone, ${mailDone} were read`;
  throw new LawBroken("a restart keeps mail", what, runId);
}
