import { equal, ok } from "node:assert/strict";
import { deliverOne, journalOf, leasedRun, mailOf, rowOf, write } from "../acts.ts";
import type { Law } from "../law.ts";
import { bytesOf, eventOf, holding, START, stepCreated, toRun } from "../requests.ts";
import { same } from "../same.ts";

const GENERATIONS = 1_000;
const HOUR = 3_600_000;
/** What a store may keep that lets a few generations gather before it deletes them, or looks for them as it writes. */
const EVENTS = 300;
/** The same of messages, of which one comes in each hour: those of seven days, and some. */
const MESSAGES = 300;

/** A run that goes on for ever by beginning its journal anew takes no more room than what it needs at the moment. */
export const generations: Law = {
  name: "generations",
  cases: {
    "a thousand generations leave no more in the store than the last one": async (stage) => {
      const world = await stage.open();
      let row = await leasedRun(world);
      for (let generation = 1; generation <= GENERATIONS; generation++) {
        const now = START + generation * HOUR;
        const answer = await deliverOne(world, toRun(row.runId, `m${generation}`, { at: now }), now);
        equal(answer.outcome, "delivered");
        const events = [
          eventOf("run_created", { at: now, data: bytesOf(`input ${generation}`) }),
          stepCreated(`a of ${generation}`),
          stepCreated(`b of ${generation}`),
        ];
        row = await write(world, holding(row, events, { restart: true, mailDone: generation }), now);
      }
      same([row.generation, row.firstSeq, row.seq], [GENERATIONS, 3 * GENERATIONS - 1, 3 * GENERATIONS + 1]);
      same([row.bytes, row.mailSeq], [`input ${GENERATIONS}`.length, GENERATIONS]);
      equal((await journalOf(world, row.runId)).length, 3);
      same(await mailOf(world, row.runId), []);
      const last = toRun(row.runId, `m${GENERATIONS - 100}`);
      const sent = await deliverOne(world, last, START + GENERATIONS * HOUR);
      same(sent, { outcome: "delivered", runId: row.runId, id: null });
      equal((await rowOf(world, row.runId)).mailSeq, GENERATIONS, "a message of these seven days is known");
      const { events, messages } = await stage.stored();
      ok(events <= EVENTS, `${events} events are stored`);
      ok(messages <= MESSAGES, `${messages} messages are stored`);
    },
  },
};
