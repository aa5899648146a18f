import { deepEqual, equal } from "node:assert/strict";
import type { Message, RunRecord, World } from "@perdure/core/world";
import {
  claimOne,
  commitOne,
  createOne,
  deliverOne,
  endMailOf,
  leasedRun,
  leaseIn,
  mailOf,
  only,
  rowOf,
  write,
} from "../acts.ts";
import { readStore } from "../invariants/index.ts";
import type { Law } from "../law.ts";
import {
  BOB,
  bytesOf,
  claiming,
  finishing,
  holding,
  newRun,
  parking,
  START,
  stepCreated,
  TTL,
  taking,
  toRun,
} from "../requests.ts";
import { same } from "../same.ts";

const NOW = START + 100;

/** End mail: kept for the end of the run without waking it, and never lost over the end. */
export const endMail: Law = {
  name: "end-mail",
  cases: {
    "it lies apart from the mail, under numbers of its own": async (stage) => {
      const world = await stage.open();
      const { runId } = await leasedRun(world);
      const batch: Message[] = [
        toRun(runId, "m1"),
        atEnd(runId, "e1", { at: START + 7, type: "of its own", data: bytesOf("payload") }),
        { ...atEnd(runId, "e2"), to: { runId, id: "step-1" } },
        toRun(runId, "m2"),
        atEnd(runId, "e3", { data: new Uint8Array() }),
      ];
      same(
        await world.deliver(batch, NOW),
        [null, null, "step-1", null, null].map((id) => ({ outcome: "delivered", runId, id })),
      );
      const other = await stage.open();
      same(await endMailOf(other, runId), [
        {
          mailSeq: 1,
          messageId: "e1",
          type: "of its own",
          id: null,
          at: START + 7,
          data: bytesOf("payload"),
        },
        { mailSeq: 2, messageId: "e2", type: "wake", id: "step-1", at: START, data: null },
        { mailSeq: 3, messageId: "e3", type: "wake", id: null, at: START, data: new Uint8Array() },
      ]);
      deepEqual(idsOf(await mailOf(other, runId)), ["m1", "m2"]);
      const { mailSeq, mailDone, endSeq, endDone } = await rowOf(other, runId);
      same({ mailSeq, mailDone, endSeq, endDone }, { mailSeq: 2, mailDone: 0, endSeq: 3, endDone: 0 });
      const leases = [leaseIn(await rowOf(world, runId))];
      same(await world.renew({ leases, ttl: TTL, now: NOW }), [{ outcome: "renewed", mailSeq: 2 }]);
      const { mail } = (await claimOne(world, { now: NOW + TTL })) ?? { mail: [] };
      deepEqual(idsOf(mail), ["m1", "m2"], "a claim does not bring it");
    },

    "it is read in pages, consumed or not": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const ids = Array.from({ length: 12 }, (_, index) => `e${index}`);
      await world.deliver(
        ids.map((id) => atEnd(run.runId, id)),
        NOW,
      );
      await write(world, holding(run, [], { run: { endDone: 5 } }));
      for (const limit of [1, 5, 12, 100]) {
        const pages = [];
        for (let after = 0; after < 12; after += limit) {
          pages.push(...(await world.listEndMail(run.runId, after, limit)));
        }
        deepEqual(idsOf(pages), ids);
        deepEqual(
          pages.map(({ mailSeq }) => mailSeq),
          ids.map((_, index) => index + 1),
        );
      }
      same(await world.listEndMail(run.runId, 12, 10), []);
      same(await world.listEndMail("wrun_unknown", 0, 10), []);
    },

    "it wakes nobody, and a run parks over it": async (stage) => {
      const world = await stage.open();
      const waits = await leasedRun(world);
      const waiting = await write(world, parking(waits, null, [taking("hook-1", "token-1")]));
      const sleeping = newRun({ dueAt: START + 9_000 });
      await createOne(world, sleeping);
      const held = await leasedRun(world);
      const before = await world.getRuns([waiting.runId, sleeping.runId, held.runId]);
      await world.deliver(
        before.map((row) => atEnd(row?.runId ?? "", `mail to ${row?.runId}`)),
        NOW,
      );
      const after = await world.getRuns([waiting.runId, sleeping.runId, held.runId]);
      same(
        after,
        before.map((row) => ({ ...row, endSeq: 1 })),
      );
      equal(await claimOne(world, { now: NOW }), undefined);
      const result = await commitOne(world, parking(held, null, [taking("hook-1", "token-2")]), NOW);
      same(result, { outcome: "committed", mailSeq: 0, endSeq: 1, conflicts: [] });
      equal((await rowOf(world, held.runId)).dueAt, null);
      equal(await claimOne(world, { now: NOW }), undefined);
    },

    "the same message is one, before and after the end": async (stage) => {
      const worlds = await stage.openMany(4);
      const [world] = worlds as [World];
      const run = await leasedRun(world);
      const message = atEnd(run.runId, "e1");
      const answer = { outcome: "delivered", runId: run.runId, id: null };
      same(await world.deliver([message, message], NOW), [answer, answer]);
      const answers = await Promise.all(
        [...worlds, ...worlds].map((sender) => deliverOne(sender, atEnd(run.runId, "e2"), NOW)),
      );
      for (const sent of answers) same(sent, answer);
      equal((await rowOf(world, run.runId)).endSeq, 2);
      await write(world, ending(run, { endDone: 2 }));
      const before = await readStore(world);
      same(await deliverOne(world, message, NOW), answer);
      same(await deliverOne(world, atEnd(run.runId, "e3"), NOW), { outcome: "finished", runId: run.runId });
      same(await deliverOne(world, atEnd("wrun_unknown", "e4"), NOW), { outcome: "no_such_run" });
      same(await readStore(world), before);
      equal(await world.deleteRuns([run.runId]), 1);
      same(await world.listEndMail(run.runId, 0, 10), []);
      same(await deliverOne(world, message, NOW), { outcome: "no_such_run" });
      const next = await leasedRun(world, { runId: run.runId });
      same(await deliverOne(world, message, NOW), answer, "nothing of it is left");
      equal((await rowOf(world, next.runId)).endSeq, 1);
    },

    "a run that ends over it is due at once, until a commit has consumed it": async (stage) => {
      const world = await stage.open();
      for (const dueAt of [null, NOW + 5_000]) {
        const run = await leasedRun(world);
        await world.deliver([atEnd(run.runId, `1 ${run.runId}`), atEnd(run.runId, `2 ${run.runId}`)], START);
        const ends = { ...ending(run, { endDone: 1 }), lease: { type: "park", dueAt } as const };
        const result = await commitOne(world, ends, NOW);
        same(result, { outcome: "committed", mailSeq: 0, endSeq: 2, conflicts: [] });
        const { owner, dueAt: due, endDone } = await rowOf(world, run.runId);
        same([owner, due, endDone], [null, NOW, 1]);
        const claimed = await claimOne(world, { now: NOW });
        same([claimed?.run.runId, claimed?.mail, claimed?.lost], [run.runId, [], false]);
        const row = claimed?.run ?? run;
        const still = await write(world, parking(row, null, []), NOW + 1);
        equal(still.dueAt, NOW + 1, "there is some left");
        const again = (await claimOne(world, { now: NOW + 1 }))?.run ?? row;
        const done = await write(world, parking(again, null, [], { run: { endDone: 2 } }), NOW + 2);
        same([done.dueAt, done.endDone, done.endSeq], [null, 2, 2]);
      }
    },

    "a run that ends and has consumed it, or holds its lease, is not due": async (stage) => {
      const world = await stage.open();
      const consumed = await leasedRun(world);
      await deliverOne(world, atEnd(consumed.runId, "e1"));
      equal((await write(world, ending(consumed, { endDone: 1 }), NOW)).dueAt, null);
      const held = await leasedRun(world);
      await deliverOne(world, atEnd(held.runId, "e2"));
      const row = await write(world, { ...ending(held), lease: { type: "hold", ttl: TTL } }, NOW);
      same([row.owner, row.dueAt], [held.owner, NOW + TTL]);
      const done = await write(world, parking(row, NOW + 50, [], { run: { endDone: 1 } }), NOW);
      equal(done.dueAt, NOW + 50, "parked as it asked");
      const late = parking({ ...row, epoch: row.epoch + 1, claimId: "the claim" }, null);
      await world.claim(claiming({ runIds: [row.runId], claimId: "the claim", now: NOW + 50 }));
      equal((await write(world, { ...late, run: { endDone: 0 } }, NOW + 51)).endDone, 1, "never less");
    },

    "delivery and end race: it is read at the end, or the sender hears of the end": async (stage) => {
      const [world, other] = (await stage.openMany(2)) as [World, World];
      for (let round = 0; round < 60; round++) {
        const run = await leasedRun(world);
        const acts = [
          () => deliverOne(other, atEnd(run.runId, `e${round}`), NOW),
          () => commitOne(world, round % 3 ? ending(run) : finishing(run, START, [stepCreated("1")]), NOW),
        ];
        if (round % 2) acts.reverse();
        const outcomes = (await Promise.all(acts.map((act) => act()))).map(({ outcome }) => outcome);
        const row = await rowOf(world, run.runId);
        const delivered = outcomes.includes("delivered");
        deepEqual(outcomes.sort(), ["committed", delivered ? "delivered" : "finished"], `round ${round}`);
        same([row.endSeq, row.dueAt], delivered ? [1, NOW] : [0, null], `round ${round}`);
        equal((await endMailOf(world, run.runId)).length, row.endSeq);
      }
    },

    "it lives through a restart of the journal, under the same numbers": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      await world.deliver([atEnd(run.runId, "e1"), atEnd(run.runId, "e2")], NOW);
      const mail = await endMailOf(world, run.runId);
      const consumes = holding(run, [stepCreated("step-1")], { restart: true, run: { endDone: 1 } });
      const again = await write(world, consumes);
      await deliverOne(world, atEnd(run.runId, "e3"));
      same(
        await deliverOne(world, atEnd(run.runId, "e1")),
        only(await world.deliver([atEnd(run.runId, "e2")], NOW)),
      );
      const whole = await endMailOf(world, run.runId);
      same(whole.slice(-2), [mail[1], { ...mail[1], messageId: "e3", mailSeq: 3 }]);
      const row = await write(world, ending(again, { endDone: 1 }), NOW);
      same([row.endSeq, row.endDone, row.dueAt], [3, 1, NOW]);
      equal((await claimOne(world, { owner: BOB, now: NOW }))?.run.runId, run.runId);
    },
  },
};

function atEnd(runId: string, messageId: string, change: Partial<Message> = {}): Message {
  return toRun(runId, messageId, { atEnd: true, ...change });
}

/** A commit that ends the run. */
function ending(run: RunRecord, change: { readonly endDone?: number } = {}) {
  return finishing(run, START, [], { run: { status: "completed", completedAt: START, ...change } });
}

function idsOf(mail: readonly { readonly messageId: string }[]): string[] {
  return mail.map(({ messageId }) => messageId);
}
