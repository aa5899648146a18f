import { deepEqual, equal, rejects } from "node:assert/strict";
import { isTerminal, type World } from "@perdure/core/world";
import { leasedRun, leaseIn, rowOf, write } from "../acts.ts";
import { checkInvariants, readStore, violationsOf } from "../invariants/index.ts";
import type { Law, Stage } from "../law.ts";
import { newRecord, readOne } from "../record-acts.ts";
import {
  ALICE,
  bytesOf,
  claiming,
  finishing,
  holding,
  newRun,
  START,
  stepCreated,
  TTL,
  toRun,
} from "../requests.ts";
import { same } from "../same.ts";
import { type Act, scenario } from "./crash-scenario.ts";

/**
 * A process may die before any store operation, and any answer may be lost: whoever sends the request again gets the
 * answer that the first sending would have got, and the store is as if nothing had happened.
 */
export const crashPoints: Law = {
  name: "crash-points",
  cases: {
    ...Object.fromEntries(
      scenario("")
        .filter(({ crash }) => crash !== "none")
        .map(({ title }, index) => [
          `a crash in: ${title}`,
          (stage: Stage) => crashEverywhere(stage, title, index),
        ]),
    ),

    "each verb that writes asks the probe first, and fails with it": async (stage) => {
      const probe = crashAt(0);
      const world = await stage.open(probe.beforeOperation);
      const run = await leasedRun(world);
      const verbs: Record<string, () => Promise<unknown>> = {
        createRuns: () => world.createRuns([newRun()], START),
        claim: () => world.claim(claiming({ now: START + TTL })),
        renew: () => world.renew({ leases: [leaseIn(run)], ttl: TTL, now: START + 1 }),
        commit: () => world.commit([holding(run, [stepCreated("step-1")])], START),
        deliver: () => world.deliver([toRun(run.runId, "m1")], START),
        deleteRuns: () => world.deleteRuns([run.runId]),
        writeRecords: () => world.writeRecords([newRecord("a", "1")], START),
      };
      if (world.capabilities.streams === true) {
        const stream = { runId: run.runId, name: "answer" };
        const append = { ...stream, writer: "a", n: 0, chunks: [bytesOf("a")] };
        verbs.appendChunks = () => world.appendChunks([append]);
        verbs.closeStream = () => world.closeStream(stream);
      }
      probe.arm();
      for (const [verb, call] of Object.entries(verbs)) {
        await rejects(call, () => true, `${verb} goes on when beforeOperation rejects, or does not call it`);
      }
      const other = await stage.open();
      same(await rowOf(other, run.runId), run);
      equal(await other.countRuns({}), 1);
      equal(await readOne(other, "a"), null);
    },

    "a crash in: claim": async (stage) => {
      for (let point = 0; ; point++) {
        const workflow = `workflow ${point}`;
        const clean = await stage.open();
        const runs = [newRun({ workflow }), newRun({ workflow })];
        await clean.createRuns(runs, START);
        const held = await write(
          clean,
          holding(await leasedRun(clean, { workflow }), [stepCreated("step-1")]),
        );
        const over = finishing(await leasedRun(clean, { workflow }), START, [], {
          lease: { type: "park", dueAt: START + 5 },
        });
        const all = [...runs, held, await write(clean, over)];
        const claim = claiming({ queues: [workflow], limit: 4, now: START + TTL });
        const crashed = await sendAndDie(stage, point, (world) => world.claim(claim));

        const other = await stage.open();
        const epochs = (await other.getRuns(all.map(({ runId }) => runId))).map((row) => row?.epoch ?? 0);
        const { runs: taken } = await other.claim({ ...claim, owner: ALICE, now: START + 3 * TTL });
        equal(taken.length, 4, `crash point ${point}: every run comes due again`);
        for (const { run, events } of taken) {
          const before = epochs[all.findIndex(({ runId }) => runId === run.runId)] ?? 0;
          equal(run.epoch, before + 1, "an epoch is never given twice");
          equal(events.length, run.seq);
          await write(other, holding(run, isTerminal(run.status) ? [] : [stepCreated("step-2")]));
        }
        await checkInvariants(other);
        if (!crashed) return;
      }
    },

    "a crash in: open, on a new store": async (stage) => {
      for (let point = 0; ; point++) {
        const fresh = await stage.another();
        const probe = crashAt(point);
        const world = await fresh.connect(probe.beforeOperation);
        probe.arm();
        await world.open().then(
          () => {},
          () => {},
        );
        await fresh.kill(world);
        const other = await fresh.open();
        const run = await leasedRun(other);
        equal((await rowOf(other, run.runId)).seq, 1);
        await checkInvariants(other);
        if (!probe.died()) return;
      }
    },
  },
};

/** Runs the scenario with a crash in one act, once for each of the act's store operations, and once after the last. */
async function crashEverywhere(stage: Stage, title: string, act: number): Promise<void> {
  const clean = await play(stage, `case-${act}-clean-`, title, null);
  for (let point = 0; ; point++) {
    const prefix = `case-${act}-p${String(point).padStart(4, "0")}-`;
    const crashed = await play(stage, prefix, title, point);
    equal(crashed.answers, clean.answers, `crash point ${point}: the answers`);
    equal(crashed.store, clean.store, `crash point ${point}: the store`);
    deepEqual(crashed.violations, [], `crash point ${point}: the invariants`);
    if (!crashed.died) return;
  }
}

interface Played {
  /** The answers and the store, with the prefix of the ids taken out. */
  readonly answers: string;
  readonly store: string;
  /** The invariants that the whole store breaks. */
  readonly violations: readonly string[];
  readonly died: boolean;
}

async function play(stage: Stage, prefix: string, title: string, point: number | null): Promise<Played> {
  const world = await stage.open();
  const answers: unknown[] = [];
  let died = false;
  let from: World = world;
  for (const act of scenario(prefix)) {
    if (point !== null && act.title === title) {
      died = await sendAndDie(stage, point, act.send);
      from = await stage.open();
      // Also when nobody sends the request again.
      if (act.crash === "same") await checkInvariants(from);
    }
    const answer = await act.send(from);
    if (act.crash !== "uncounted") answers.push(answer);
  }
  const store = await readStore(from);
  const mine = {
    runs: store.runs.filter(({ row }) => row.runId.startsWith(prefix)),
    names: store.names.filter(({ runId }) => runId.startsWith(prefix)),
  };
  return {
    answers: told(answers, prefix),
    store: told(mine, prefix),
    violations: violationsOf(store),
    died,
  };
}

/**
 * Sends a request from a World of its own that dies before the store operation with number `point`, or, when there are
 * not so many, with its answer. Tells whether it died before.
 */
export async function sendAndDie(stage: Stage, point: number, send: Act["send"]): Promise<boolean> {
  const probe = crashAt(point);
  const world = await stage.open(probe.beforeOperation);
  probe.arm();
  await send(world).then(
    () => {},
    () => {},
  );
  await stage.kill(world);
  return probe.died();
}

/** A probe that lets `point` operations pass once it is armed, and none after. */
function crashAt(point: number) {
  let left = Number.POSITIVE_INFINITY;
  return {
    arm: () => {
      left = point;
    },
    died: () => left < 0,
    beforeOperation: (operation: string) => {
      left--;
      if (left < 0) throw new Error(`the process dies before "${operation}"`);
    },
  };
}

/** A value as text that two scenarios with different prefixes have in common. */
function told(value: unknown, prefix: string): string {
  // A Buffer, which a World may give, is something else by the time that its replacer is called.
  function readable(this: Readonly<Record<string, unknown>>, name: string, entry: unknown): unknown {
    const bytes = this[name];
    return bytes instanceof Uint8Array ? `bytes ${new TextDecoder().decode(bytes)}` : entry;
  }
  const text = JSON.stringify(value, readable, 2);
  return text.replaceAll(prefix, "");
}
