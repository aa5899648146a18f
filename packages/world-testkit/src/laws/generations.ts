import { equal, ok } from "node:assert/strict";
import { commitOne, deliverOne, journalOf, leasedRun, mailOf, rowOf } from "../acts.ts";
import type { Law } from "../law.ts";
import { bytesOf, eventOf, holding, START, stepCreated, toRun } from "../requests.ts";
import { same } from "../same.ts";

const GENERATIONS = 1_000;
const HOUR = 3_600_000;
/** What a store may keep that lets a few generations gather before it deletes them, or looks for them as it writes. */
const EVENTS = 300;
/** So often a message comes. */
const HOURS = 4;
/** As many messages as come in some more than seven days. */
const MESSAGES = 100;

/** A run that goes on for ever by beginning its journal anew takes no more room than what it needs at the moment. */
export const generations: Law = {
  name: "generations",
  cases: {
    "a thousand generations leave no more in the store than the last one": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      let { seq, mailDone } = run;
      for (let generation = 1; generation <= GENERATIONS; generation++) {
        const now = START + generation * HOUR;
        if (generation % HOURS === 0) {
          const answer = await deliverOne(world, toRun(run.runId, `m${generation}`, { at: now }), now);
          equal(answer.outcome, "delivered");
          mailDone++;
        }
        const events = [
          eventOf("run_created", { at: now, data: bytesOf(`input ${generation}`) }),
          stepCreated(`a of ${generation}`),
          stepCreated(`b of ${generation}`),
        ];
        const commit = holding({ ...run, seq, mailDone }, events, { restart: true });
        equal((await commitOne(world, commit, now)).outcome, "committed", `generation ${generation}`);
        seq += events.length;
      }
      const row = await rowOf(world, run.runId);
      same([row.generation, row.firstSeq, row.seq], [GENERATIONS, 3 * GENERATIONS - 1, 3 * GENERATIONS + 1]);
      same([row.bytes, row.mailSeq], [`input ${GENERATIONS}`.length, GENERATIONS / HOURS]);
      equal((await journalOf(world, row.runId)).length, 3);
      same(await mailOf(world, row.runId), []);
      const last = toRun(row.runId, `m${GENERATIONS - 100}`);
      const sent = await deliverOne(world, last, START + GENERATIONS * HOUR);
      same(sent, { outcome: "delivered", runId: row.runId, id: null });
      equal((await rowOf(world, row.runId)).mailSeq, row.mailSeq, "a message of these seven days is known");
      const { events, messages } = await stage.stored();
      ok(events <= EVENTS, `${events} events are stored`);
      ok(messages <= MESSAGES, `${messages} messages are stored`);
    },
  },
};
