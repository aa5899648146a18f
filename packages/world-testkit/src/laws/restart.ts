import { deepEqual, equal } from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import type { CommitEvent, RunCommit, RunRecord, World } from "@perdure/core/world";
import {
  claimOne,
  commitOne,
  conflictsOf,
  deliverOne,
  holderOf,
  journalOf,
  leasedRun,
  mailOf,
  rowOf,
  write,
} from "../acts.ts";
import { readStore } from "../invariants/index.ts";
import type { Law } from "../law.ts";
import {
  bytesOf,
  claiming,
  eventOf,
  finishing,
  firstClaim,
  type Held,
  holding,
  parking,
  releasing,
  START,
  stepCreated,
  TTL,
  taking,
  toName,
  toRun,
} from "../requests.ts";
import { same } from "../same.ts";

const EXPIRY = START + TTL;

/** A journal that is begun anew: what came before is gone for every reader, and nothing else has changed. */
export const restart: Law = {
  name: "restart",
  cases: {
    "the journal begins with the commit's events, and numbers go on": async (stage) => {
      const world = await stage.open();
      const first = await leasedRun(world, { events: [eventOf("run_created", { data: bytesOf("old") })] });
      const run = await write(world, holding(first, [stepCreated("a"), stepCreated("b")]));
      const events = [
        eventOf("run_created", { at: START + 5, data: bytesOf("the new input") }),
        eventOf("of_any_type", { id: "c", data: bytesOf("1") }),
      ];
      const row = await write(world, restarting(run, events), START + 2);
      const bytes = "the new input".length + 1;
      same(row, { ...run, generation: 1, firstSeq: 4, seq: 5, bytes, dueAt: START + 2 + TTL });
      const other = await stage.open();
      const journal = events.map((event, index) => ({ ...event, seq: index + 4 }));
      for (const after of [0, 1, 3]) same(await other.listEvents(run.runId, after, 100), journal);
      same(await other.listEvents(run.runId, 0, 1), journal.slice(0, 1));
      same(await other.listEvents(run.runId, 4, 100), journal.slice(1));
      same(await other.listEvents(run.runId, 5, 100), []);
      const more = await write(
        world,
        parking(row, START + 5, [{ ...stepCreated("d"), data: bytesOf("234") }]),
      );
      same([more.generation, more.firstSeq, more.seq, more.bytes], [1, 4, 6, bytes + 3]);
      const claimed = await claimOne(other, { now: START + 5 });
      same(claimed?.events, [...journal, { ...stepCreated("d"), data: bytesOf("234"), seq: 6 }]);
      const again = await write(world, restarting(claimed?.run ?? more, [stepCreated("e")]), START + 6);
      same([again.generation, again.firstSeq, again.seq, again.bytes], [2, 7, 7, 0]);
      same(await journalOf(other, run.runId), [{ ...stepCreated("e"), seq: 7 }]);
    },

    "a long journal comes in pages from its first event on": async (stage) => {
      const world = await stage.open();
      const run = await write(world, holding(await leasedRun(world), steps("old", 40)));
      await write(world, restarting(run, steps("new", 23), { lease: { type: "park", dueAt: START } }));
      const claimed = await claimOne(world, { eventLimit: 10 });
      const whole = await journalOf(world, run.runId);
      deepEqual(
        whole.map(({ seq, id }) => [seq, id]),
        steps("new", 23).map(({ id }, index) => [42 + index, id]),
      );
      same(claimed?.events, whole.slice(0, 10));
      same(await world.listEvents(run.runId, 51, 10), whole.slice(10, 20));
      same(await world.listEvents(run.runId, 61, 10), whole.slice(20));
    },

    "who has the journal in memory gets none, and an old one is no use": async (stage) => {
      const world = await stage.open();
      const run = await write(world, holding(await leasedRun(world), steps("old", 3)));
      const parks = { lease: { type: "park", dueAt: START } } as const;
      const row = await write(world, restarting(run, steps("new", 2), parks));
      const copy = (claimId: string | null, seq: number) =>
        new Map([[run.runId, { claimId: claimId ?? "", seq }]]);
      const mine = await claimOne(world, { cached: copy(row.claimId, row.seq) });
      same([mine?.events, mine?.run.firstSeq, mine?.run.generation], [[], 5, 1]);
      await write(world, parking(mine?.run ?? row, START));
      for (const cached of [copy(row.claimId, row.seq), copy(mine?.run.claimId ?? "", run.seq)]) {
        const claimed = await claimOne(world, { cached });
        same(claimed?.events, await journalOf(world, run.runId));
        await write(world, parking(claimed?.run ?? row, START));
      }
    },

    "names, mail, attributes, state and lease stay as they are": async (stage) => {
      const world = await stage.open();
      const first = await leasedRun(world, {
        names: [firstClaim("order-1", { id: "start" })],
        attributes: { plan: "paid" },
        state: bytesOf("half"),
        idempotencyKey: "order-1",
      });
      const started = { status: "running", startedAt: START + 1 } as const;
      const events = [eventOf("run_started", { at: START + 1 }), taking("hook-1", "token-1")];
      const run = await write(world, holding(first, events, { run: started }));
      for (const id of ["m1", "m2", "m3"]) await deliverOne(world, toName("token-1", id));
      await deliverOne(world, toRun(run.runId, "e1", { atEnd: true }));
      const before = await rowOf(world, run.runId);
      const names = await world.getNames(["order-1", "token-1"], START);
      const row = await write(world, restarting(run, [stepCreated("new")], { mailDone: 1 }), START + 2);
      const { seq, firstSeq, bytes, generation, mailDone, dueAt } = row;
      same(row, { ...before, seq, firstSeq, bytes, generation, mailDone, dueAt });
      same([seq, firstSeq, mailDone, dueAt], [4, 4, 1, START + 2 + TTL]);
      same(await world.getNames(["order-1", "token-1"], START), names);
      deepEqual(
        (await mailOf(world, run.runId)).map(({ mailSeq, messageId }) => [mailSeq, messageId]),
        [
          [2, "m2"],
          [3, "m3"],
        ],
      );
      const answer = { outcome: "delivered", runId: run.runId, id: "hook-1" };
      for (const id of ["m1", "m2"])
        same(await deliverOne(world, toName("token-1", id)), answer, "sent again");
      same(await deliverOne(world, toName("token-1", "m4")), answer);
      equal((await mailOf(world, run.runId)).at(-1)?.mailSeq, 4);
      const parked = await write(world, parking(row, null), START + 3);
      equal(parked.dueAt, START + 3, "it parks over its mail");
      equal(await world.countRuns({ attributes: { plan: "paid" } }), 1);
    },

    "it takes and frees names, with conflicts, and changes the row": async (stage) => {
      const world = await stage.open();
      const owner = await leasedRun(world, { names: [firstClaim("taken")] });
      const first = await leasedRun(world);
      const run = await write(world, holding(first, [taking("hook-1", "a"), taking("hook-2", "b")]));
      const events = [releasing("hook-1"), taking("hook-3", "a"), taking("hook-4", "taken")];
      const change = {
        status: "diverged",
        error: bytesOf("a diff"),
        queue: "other",
        attributes: {},
      } as const;
      const commit = restarting(run, events, { run: change, lease: { type: "park", dueAt: START + 9 } });
      const conflicts = [{ id: "hook-4", runId: owner.runId }];
      const answer = { outcome: "committed", mailSeq: 0, endSeq: 0, conflicts };
      for (const from of [world, world, await stage.open()]) {
        same(await commitOne(from, commit), answer);
        const row = await rowOf(from, run.runId);
        const { bytes, claimId } = row;
        same(row, {
          ...run,
          ...change,
          generation: 1,
          firstSeq: 4,
          seq: 6,
          bytes,
          claimId,
          owner: null,
          dueAt: START + 9,
        });
        equal((await journalOf(from, run.runId)).length, 3);
      }
      deepEqual(
        (await world.getNames(["a", "b", "taken"], START)).map((held) => held?.id),
        ["hook-3", "hook-2", "taken"],
      );
      const claimed = await claimOne(world, { queues: ["other"], now: START + 9 });
      const freed = await write(world, holding(claimed?.run ?? run, [releasing("hook-2")]));
      equal(await holderOf(world, "b"), null, "a name of the generation before is freed by its id");
      await write(world, finishing(freed));
      equal(await holderOf(world, "a"), null);
    },

    "one that is refused leaves the journal as it is": async (stage) => {
      const world = await stage.open();
      const run = await write(world, holding(await leasedRun(world), steps("old", 3)));
      const ended = await write(world, finishing(await leasedRun(world), START, steps("old", 3)));
      const before = await readStore(world);
      const refusals: readonly (readonly [Held, string])[] = [
        [{ ...run, epoch: 7 }, "fenced"],
        [{ ...run, claimId: "another" }, "fenced"],
        [{ ...run, seq: 3 }, "out_of_step"],
        [{ ...run, seq: 9 }, "out_of_step"],
        [ended, "finished"],
        [{ ...run, runId: "wrun_unknown" }, "finished"],
      ];
      for (const [held, outcome] of refusals) {
        equal((await commitOne(world, restarting(held, steps("new", 5)))).outcome, outcome);
      }
      same(await readStore(world), before);
    },

    "two sendings at once, thirty times: one generation": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      let row = await leasedRun(world);
      for (let round = 1; round <= 30; round++) {
        const events = [...steps(`${round}`, 1 + (round % 3)), taking(`hook-${round}`, `name-${round}`)];
        const commit = restarting(row, events);
        const answers = await Promise.all([world, other, world].map((from) => commitOne(from, commit)));
        for (const answer of answers) same(conflictsOf(answer), []);
        row = await rowOf(other, row.runId);
        equal(row.generation, round);
        equal((await journalOf(world, row.runId)).length, events.length);
      }
    },

    "readers see one generation or the other, never parts of two": async (stage) => {
      const [world, reader] = (await stage.openMany(2)) as [World, World];
      const run = await leasedRun(world, { events: steps("0", 7) });
      let writing = true;
      const reading = async () => {
        while (writing) {
          const journal = await reader.listEvents(run.runId, 0, 100);
          const [generation] = journal.map(({ name }) => name);
          const expected = steps(generation ?? "", journal.length).map(({ id }) => id);
          deepEqual(
            journal.map(({ id }) => id),
            expected,
          );
          await turn();
        }
      };
      const write40 = async () => {
        let row: RunRecord = run;
        for (let round = 1; round <= 40; round++) {
          row = await write(world, restarting(row, steps(`${round}`, 1 + ((round * 5) % 9))));
          row = await write(world, holding(row, steps(`${round}`, 11).slice(row.seq - row.firstSeq + 1)));
        }
        await write(world, restarting(row, steps("", 1), { lease: { type: "park", dueAt: START } }));
      };
      await Promise.all([
        reading(),
        write40().finally(() => {
          writing = false;
        }),
      ]);
    },

    "a zombie's restart and a takeover race: the claim has one generation whole": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      for (let round = 0; round < 30; round++) {
        const run = await write(world, holding(await leasedRun(world), steps("old", 4)));
        const commit = restarting(run, steps("new", 2), { lease: { type: "park", dueAt: EXPIRY } });
        const early = round % 2 ? other.claim(claiming({ now: EXPIRY })) : undefined;
        const committing = commitOne(world, commit, EXPIRY);
        const { runs } = await (early ?? other.claim(claiming({ now: EXPIRY })));
        const { outcome } = await committing;
        const taken = runs[0] ?? (await claimOne(other, { now: EXPIRY }));
        equal(taken?.run.generation, outcome === "committed" ? 1 : 0, `round ${round}: ${outcome}`);
        same(taken?.events, await journalOf(world, run.runId));
        equal(taken?.events.length, outcome === "committed" ? 2 : 5);
        await write(other, finishing(taken?.run ?? run));
      }
    },

    "a deleted run leaves nothing of any generation behind": async (stage) => {
      const world = await stage.open();
      let row = await write(world, holding(await leasedRun(world), steps("0", 20)));
      for (const round of ["1", "2", "3"]) row = await write(world, restarting(row, steps(round, 5)));
      await write(world, finishing(row));
      equal(await world.deleteRuns([row.runId]), 1);
      same(await journalOf(world, row.runId), []);
      const next = await leasedRun(world, { runId: row.runId });
      same([next.generation, next.firstSeq, next.seq], [0, 1, 1]);
      const held = await write(world, holding(next, steps("of the next run", 30)));
      deepEqual(
        (await journalOf(world, row.runId)).slice(1).map(({ id, seq }) => [id, seq]),
        steps("of the next run", 30).map(({ id }, index) => [id, index + 2]),
      );
      await write(world, restarting(held, steps("again", 2)));
      equal((await journalOf(world, row.runId)).length, 2);
    },
  },
};

/** A commit that begins the journal anew and keeps the lease. */
function restarting(run: Held, events: readonly CommitEvent[], change: Partial<RunCommit> = {}): RunCommit {
  return holding(run, events, { restart: true, ...change });
}

/** Events of one generation, the first one of a kind that a journal may begin with. */
function steps(generation: string, count: number): CommitEvent[] {
  return Array.from({ length: count }, (_, index) =>
    eventOf(index === 0 && generation !== "old" ? "run_created" : "step_created", {
      id: `${generation}-${index}`,
      name: generation,
    }),
  );
}
