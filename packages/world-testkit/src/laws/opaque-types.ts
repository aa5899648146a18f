import { deepEqual, equal } from "node:assert/strict";
import {
  claimOne,
  commitOne,
  conflictsOf,
  endMailOf,
  journalOf,
  leasedRun,
  mailOf,
  rowOf,
  write,
} from "../acts.ts";
import type { Law } from "../law.ts";
import {
  bytesOf,
  eventOf,
  firstClaim,
  firstMail,
  holding,
  parking,
  START,
  taking,
  toName,
  toRun,
} from "../requests.ts";
import { same } from "../same.ts";

/** Types that nobody has ever seen, those of the core among them in the wrong places, and some of 64 characters. */
const TYPES: readonly string[] = [
  "a_type_to_come",
  "",
  " ",
  "a\u0000b",
  "\u0000",
  "🔑",
  "🔑".repeat(32),
  "x".repeat(64),
  `${"x".repeat(63)}y`,
  "X".repeat(64),
  "é",
  "e\u0301",
  "%_\\'\"`;--$1?",
  "line\r\nbreak",
  "__proto__",
  "0",
  "null",
  "step_created",
  "Step_Created",
  "hook_disposed",
  "wake",
  "run_cancel_requested",
];

/** Types of events, messages and refusals are strings that a World stores and never looks at. */
export const opaqueTypes: Law = {
  name: "opaque-types",
  cases: {
    "events of any type come back as they were, and do nothing": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world, {
        events: [eventOf("run_created"), ...TYPES.map((type) => eventOf(type, { id: `first ${type}` }))],
        names: [firstClaim("kept", { id: "hook_disposed" })],
      });
      const events = TYPES.map((type) => eventOf(type, { id: type, name: type, data: bytesOf(type) }));
      const held = await write(world, holding(run, events));
      const { seq, bytes } = held;
      same(held, { ...run, seq, bytes }, "nothing else of the row has changed");
      equal((await world.getNames(["kept"], START))[0]?.runId, run.runId, "and no name");
      const other = await stage.open();
      const journal = await journalOf(other, run.runId);
      deepEqual(
        journal.slice(1).map(({ type }) => type),
        [...TYPES, ...TYPES],
      );
      same(
        journal.slice(1 + TYPES.length),
        events.map((event, index) => ({ ...event, seq: index + 2 + TYPES.length })),
      );
      await write(other, parking(held, START));
      same((await claimOne(other))?.events, journal);
    },

    "messages of any type come back as they were": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world, {
        names: [firstClaim("token-1")],
        mail: TYPES.map((type) => firstMail(`first ${type}`, "token-1", { type })),
      });
      await world.deliver(
        TYPES.flatMap((type) => [
          toRun(run.runId, `run ${type}`, { type }),
          toName("token-1", `name ${type}`, { type }),
          toRun(run.runId, `end ${type}`, { type, atEnd: true }),
        ]),
        START,
      );
      const expected = [...TYPES, ...TYPES.flatMap((type) => [type, type])];
      const mail = await mailOf(await stage.open(), run.runId);
      deepEqual(
        mail.map(({ type }) => type),
        expected,
      );
      deepEqual(
        (await endMailOf(world, run.runId)).map(({ type }) => type),
        TYPES,
      );
      await write(world, parking(run, null));
      same((await claimOne(world))?.mail, mail);
    },

    "a refusal is written under any type, and told again": async (stage) => {
      const world = await stage.open();
      const owner = await leasedRun(world, { names: [firstClaim("taken")] });
      const run = await leasedRun(world);
      const events = TYPES.map((type, index) => ({
        ...taking(`${index}`, "taken", { refusedAs: type }),
        type: `asked ${index}`,
      }));
      const conflicts = TYPES.map((_, index) => ({ id: `${index}`, runId: owner.runId }));
      for (const from of [world, await stage.open()]) {
        same(conflictsOf(await commitOne(from, holding(run, events))), conflicts);
      }
      deepEqual(
        (await journalOf(world, run.runId)).slice(1).map(({ type }) => type),
        TYPES,
      );
      equal((await rowOf(world, run.runId)).seq, 1 + TYPES.length);
    },
  },
};
