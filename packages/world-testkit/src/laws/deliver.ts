import { deepEqual, equal } from "node:assert/strict";
import type { RunRecord, World } from "@perdure/core/world";
import { claimOne, createOne, deliverOne, leasedRun, mailOf, rowOf, write } from "../acts.ts";
import { readStore } from "../invariants/index.ts";
import type { Law } from "../law.ts";
import {
  bytesOf,
  finishing,
  holding,
  newRun,
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

const NOW = START + 100;

/** `deliver`: each message once, in one dense order, with an honest answer; and it wakes the run. */
export const deliver: Law = {
  name: "deliver",
  cases: {
    "the answer tells what became of each message": async (stage) => {
      const world = await stage.open();
      const run = await withHook(world, "token-1");
      const ended = await withHook(world, "token-2");
      await write(world, finishing(ended));
      const answers = await world.deliver(
        [
          toName("no token", "m1"),
          toName("token-1", "m2"),
          toRun("wrun_unknown", "m3"),
          toRun(run.runId, "m4"),
          toRun(ended.runId, "m5"),
          toName("token-2", "m6"),
        ],
        NOW,
      );
      same(answers, [
        { outcome: "no_such_name" },
        { outcome: "delivered", runId: run.runId, id: "hook of token-1" },
        { outcome: "no_such_run" },
        { outcome: "delivered", runId: run.runId, id: null },
        { outcome: "finished", runId: ended.runId },
        { outcome: "no_such_name" },
      ]);
    },

    "messages lie in the mailbox as they were sent, in order": async (stage) => {
      const world = await stage.open();
      const run = await withHook(world, "token-1");
      await world.deliver(
        [
          toRun(run.runId, "m1", { type: "cancel_requested", at: START + 7, data: bytesOf("why") }),
          toName("token-1", "m2", { data: bytesOf("payload") }),
          toRun(run.runId, "m3"),
        ],
        NOW,
      );
      const mail = await mailOf(await stage.open(), run.runId);
      const first = {
        mailSeq: 1,
        messageId: "m1",
        type: "cancel_requested",
        id: null,
        at: START + 7,
      } as const;
      const second = {
        mailSeq: 2,
        messageId: "m2",
        type: "hook_received",
        id: "hook of token-1",
        at: START,
      };
      const third = {
        mailSeq: 3,
        messageId: "m3",
        type: "wake",
        id: null,
        at: START,
        data: null,
      } as const;
      same(mail, [{ ...first, data: bytesOf("why") }, { ...second, data: bytesOf("payload") }, third]);
      same(await mailOf(world, run.runId, 1), mail.slice(1), "after a message");
      await write(world, holding(run, [stepCreated("step-1")], { mailDone: 2 }));
      same(await mailOf(world, run.runId), mail.slice(2), "consumed messages are not listed");
      same(await mailOf(world, run.runId, 3), []);
      equal((await rowOf(world, run.runId)).mailSeq, 3);
    },

    "a message to something in a run says to what, whether or not it is there": async (stage) => {
      const world = await stage.open();
      const run = await withHook(world, "token-1");
      const ids = ["hook of token-1", "step-1", "", "🔑\u0000", "x".repeat(255)];
      const batch = ids.map((id, index) => ({
        ...toRun(run.runId, `m${index}`),
        to: { runId: run.runId, id },
      }));
      const answers = ids.map((id) => ({ outcome: "delivered", runId: run.runId, id }));
      same(await world.deliver(batch, NOW), answers);
      same(await (await stage.open()).deliver(batch, NOW), answers, "sent again");
      deepEqual(
        (await mailOf(world, run.runId)).map(({ id }) => id),
        ids,
      );
      const gone = await write(
        world,
        parking(run, null, [releasing("hook of token-1")], { mailDone: 5 }),
        NOW,
      );
      equal(gone.dueAt, null);
      const late = { ...toRun(run.runId, "m9"), to: { runId: run.runId, id: "hook of token-1" } };
      same(await deliverOne(world, late, NOW), answers[0]);
      same((await claimOne(world, { now: NOW }))?.mail[0]?.id, "hook of token-1");
      same(await deliverOne(world, { ...late, messageId: "m10", to: { runId: "", id: "step-1" } }), {
        outcome: "no_such_run",
      });
    },

    "the same message id is one message": async (stage) => {
      const world = await stage.open();
      const run = await withHook(world, "token-1");
      const message = toName("token-1", "m1");
      const answer = { outcome: "delivered", runId: run.runId, id: "hook of token-1" } as const;
      same(await world.deliver([message, message, toRun(run.runId, "m2"), message], NOW), [
        answer,
        answer,
        { ...answer, id: null },
        answer,
      ]);
      equal((await rowOf(world, run.runId)).mailSeq, 2);
      const before = await readStore(world);
      same(await deliverOne(await stage.open(), message, NOW + 1), answer);
      same(await readStore(world), before);
    },

    "the same message from twelve senders at once is one message": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      const run = await withHook(world, "token-1");
      for (let round = 0; round < 10; round++) {
        const message = round % 2 ? toName("token-1", `m${round}`) : toRun(run.runId, `m${round}`);
        const answers = await Promise.all(
          [...worlds, ...worlds, ...worlds].map((sender) => deliverOne(sender, message)),
        );
        for (const { outcome } of answers) equal(outcome, "delivered");
        equal((await rowOf(world, run.runId)).mailSeq, round + 1);
      }
      equal((await mailOf(world, run.runId)).length, 10);
    },

    "a consumed message sent again stays consumed": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      await deliverOne(world, toRun(run.runId, "m1"));
      await write(world, parking(run, START + 5_000, [stepCreated("step-1")], { mailDone: 1 }));
      const before = await readStore(world);
      const answer = await deliverOne(world, toRun(run.runId, "m1"), NOW);
      same(answer, { outcome: "delivered", runId: run.runId, id: null });
      same(await readStore(world), before, "and wakes nobody");
    },

    "a message sent again is `delivered` when its hook is gone": async (stage) => {
      const world = await stage.open();
      const run = await withHook(world, "token-1");
      await deliverOne(world, toName("token-1", "m1"));
      const answer = { outcome: "delivered", runId: run.runId, id: "hook of token-1" };
      const disposed = await write(world, holding(run, [releasing("hook of token-1")], { mailDone: 1 }));
      same(await deliverOne(world, toName("token-1", "m1")), answer, "after it was disposed");
      same(await deliverOne(world, toName("token-1", "m2")), { outcome: "no_such_name" });
      const other = await withHook(world, "token-1");
      same(await deliverOne(world, toName("token-1", "m1")), answer, "after another run took the token");
      equal((await rowOf(world, other.runId)).mailSeq, 0);
      await write(world, finishing(disposed));
      same(await deliverOne(world, toName("token-1", "m1")), answer, "after the run has ended");
    },

    "a message sent again to a run that has ended is `delivered`": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      await deliverOne(world, toRun(run.runId, "m1"));
      await write(world, finishing(run, START, [], { mailDone: 1 }));
      const before = await readStore(world);
      equal((await deliverOne(world, toRun(run.runId, "m1"))).outcome, "delivered");
      same(await deliverOne(world, toRun(run.runId, "m2")), { outcome: "finished", runId: run.runId });
      same(await readStore(world), before);
    },

    "a hundred messages from twelve senders get dense numbers": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      const [one, two] = [await leasedRun(world), await leasedRun(world)];
      await Promise.all(
        Array.from({ length: 12 }, async (_, sender) => {
          for (let index = 0; index < 9; index++) {
            const batch = [
              toRun(one.runId, `${sender}-${index}-1`),
              toRun(two.runId, `${sender}-${index}-2`),
            ];
            const answers = await (worlds[sender % 4] ?? world).deliver(
              sender % 2 ? batch : batch.reverse(),
              NOW,
            );
            for (const { outcome } of answers) equal(outcome, "delivered");
          }
        }),
      );
      for (const { runId } of [one, two]) {
        const mail = await mailOf(world, runId);
        deepEqual(
          mail.map(({ mailSeq }) => mailSeq),
          Array.from({ length: 108 }, (_, index) => index + 1),
        );
        equal(new Set(mail.map(({ messageId }) => messageId)).size, 108);
        equal((await rowOf(world, runId)).mailSeq, 108);
      }
    },

    "a message makes a run due that nobody holds": async (stage) => {
      const world = await stage.open();
      const waiting = await withHook(world, "token-1");
      await write(world, parking(waiting, null));
      const sleeping = await leasedRun(world);
      await write(world, parking(sleeping, NOW + 9_000));
      const later = newRun({ dueAt: NOW + 9_000 });
      await world.createRuns([later], START);
      await world.deliver(
        [toName("token-1", "m1"), toRun(sleeping.runId, "m2"), toRun(later.runId, "m3")],
        NOW,
      );
      for (const { runId } of [waiting, sleeping, later]) equal((await rowOf(world, runId)).dueAt, NOW);
      for (let index = 0; index < 3; index++) equal((await claimOne(world, { now: NOW }))?.mail.length, 1);
    },

    "a message does not move a run that is due already": async (stage) => {
      const world = await stage.open();
      const due = newRun({ dueAt: START });
      await createOne(world, due);
      const parked = await write(world, parking(await leasedRun(world), START + 1));
      await world.deliver([toRun(due.runId, "m1"), toRun(parked.runId, "m2")], NOW);
      const rows = await world.getRuns([due.runId, parked.runId]);
      same(
        rows.map((row) => row?.dueAt),
        [START, START + 1],
        "it keeps its place in the queue",
      );
    },

    "a message does not touch a lease": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      await deliverOne(world, toRun(run.runId, "m1"), NOW);
      same(await rowOf(world, run.runId), { ...run, mailSeq: 1 });
      await deliverOne(world, toRun(run.runId, "m2"), START + TTL + 50);
      same(await rowOf(world, run.runId), { ...run, mailSeq: 2 }, "nor one that ran out");
    },
  },
};

/** A held run with a live hook. */
async function withHook(world: World, token: string): Promise<RunRecord> {
  return write(world, holding(await leasedRun(world), [taking(`hook of ${token}`, token)]));
}
