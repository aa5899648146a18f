import { deepEqual, equal } from "node:assert/strict";
import type { World } from "@perdure/core/world";
import {
  claimOne,
  createOne,
  deliverOne,
  endMailOf,
  holderOf,
  journalOf,
  leasedRun,
  leaseIn,
  mailOf,
  only,
  rowOf,
  write,
} from "../acts.ts";
import type { Law } from "../law.ts";
import {
  bytesOf,
  claiming,
  eventOf,
  finishing,
  firstClaim,
  firstMail,
  holding,
  leaseOf,
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

const FIVE_MEGABYTES = 5 * 1024 * 1024;

/** Strings that a careless store folds, cuts or refuses; pairwise different. */
export const STRINGS: readonly string[] = [
  "a\u0000b",
  "a\u0000c",
  "\u0000",
  "",
  " ",
  "a",
  "A",
  "a ",
  "é",
  "e\u0301",
  "🔑",
  "🔑".repeat(127),
  "x".repeat(255),
  `${"x".repeat(254)}y`,
  "%_\\'\"`;--$1?",
  "{a}:b",
  "line\r\nbreak\u2028",
  // Halves of surrogate pairs, which UTF-8 has no form for, and the character that they are often replaced with.
  "\ud83d",
  "\udd11",
  "key \ud83d",
  "key \udd11",
  "\ufffd",
  "__proto__",
  "10",
  "1e1",
];

/** Values come back as they went in: large, empty, and with every byte and character. */
export const values: Law = {
  name: "values",
  cases: {
    "five megabytes in every place that takes bytes": async (stage) => {
      const world = await stage.open();
      const [input, step, mail, output] = [1, 2, 3, 4].map(large) as [
        Uint8Array,
        Uint8Array,
        Uint8Array,
        Uint8Array,
      ];
      const run = await leasedRun(world, { events: [eventOf("run_created", { data: input })] });
      const held = await write(
        world,
        holding(run, [{ ...stepCreated("step-1"), data: step }, taking("hook-1", "token-1", { data: step })]),
      );
      await deliverOne(world, toName("token-1", "m1", { data: mail }));
      const other = await stage.open();
      same((await mailOf(other, run.runId))[0]?.data, mail);
      same((await holderOf(other, "token-1"))?.data, step);
      await write(world, parking(held, START));
      const claimed = await claimOne(other);
      deepEqual(
        claimed?.events.map(({ data }) => data?.length),
        [FIVE_MEGABYTES, FIVE_MEGABYTES, FIVE_MEGABYTES],
      );
      same(claimed?.events[0]?.data, input);
      same(claimed?.mail[0]?.data, mail);
      const ends = finishing({ ...held, ...claimed?.run }, START, [], {
        run: { status: "completed", completedAt: START, output },
      });
      same((await write(world, ends)).output, output);
      same((await rowOf(other, run.runId)).output, output);
    },

    "all bytes, no bytes and no value are three things": async (stage) => {
      const world = await stage.open();
      const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      for (const data of [all, new Uint8Array(0), null]) {
        const first = firstClaim(`first ${data?.length}`, { data });
        const mail = [firstMail(`first ${data?.length}`, first.id, { data })];
        const events = [eventOf("run_created", { data }), eventOf("step_created", { data })];
        const run = await leasedRun(world, { events, names: [first], mail });
        await deliverOne(world, toRun(run.runId, `end of ${run.runId}`, { data, atEnd: true }));
        same((await holderOf(world, first.name))?.data, data);
        same(only(await endMailOf(world, run.runId)).data, data);
        const token = `token of ${run.runId}`;
        const held = await write(
          world,
          holding(run, [{ ...stepCreated("step-1"), data }, taking("hook-1", token, { data })], {
            run: { status: "diverged", error: data },
          }),
        );
        await deliverOne(world, toRun(run.runId, `mail of ${run.runId}`, { data }));
        for (const event of await journalOf(world, run.runId)) same(event.data, data);
        for (const message of await mailOf(world, run.runId)) same(message.data, data);
        same((await holderOf(world, token))?.data, data);
        same(held.error, data);
        const completed = { status: "completed", completedAt: START, output: data } as const;
        const ended = await write(world, finishing(held, START, [], { run: completed }));
        same([ended.output, ended.error], [data, data]);
      }
    },

    "the caller may use its bytes again": async (stage) => {
      const world = await stage.open();
      const data = bytesOf("before");
      const run = await leasedRun(world, {
        events: [eventOf("run_created", { data })],
        names: [firstClaim("a", { data })],
        mail: [firstMail("m0", "a", { data })],
      });
      await deliverOne(world, toRun(run.runId, "m1", { data }));
      await deliverOne(world, toRun(run.runId, "e1", { data, atEnd: true }));
      await write(world, holding(run, [{ ...stepCreated("step-1"), data }]));
      data.fill(0);
      for (const event of await journalOf(world, run.runId)) same(event.data, bytesOf("before"));
      const mail = [...(await mailOf(world, run.runId)), ...(await endMailOf(world, run.runId))];
      for (const message of mail) same(message.data, bytesOf("before"));
      same((await holderOf(world, "a"))?.data, bytesOf("before"));
    },

    "names, and ids of names, are kept apart exactly": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      const asked = holding(
        run,
        STRINGS.map((text) => taking(text, text)),
      );
      const held = await write(world, asked);
      for (const [index, text] of STRINGS.entries()) {
        const held = await holderOf(world, text);
        same([held?.name, held?.id], [text, text]);
        const answer = await deliverOne(world, toName(text, `m${index}`));
        same(answer, { outcome: "delivered", runId: run.runId, id: text });
      }
      const pages: string[] = [];
      let cursor: string | null | undefined;
      while (cursor !== null) {
        const page = await world.listNames({
          limit: 3,
          now: START,
          ...(cursor !== undefined && { cursor }),
        });
        pages.push(...page.names.map(({ name }) => name));
        cursor = page.cursor;
      }
      deepEqual(pages.sort(), STRINGS.toSorted(), "paging passes over none");
      const free = STRINGS.filter((_, index) => index % 2);
      await write(world, holding(held, free.map(releasing), { mailDone: STRINGS.length }));
      for (const [index, text] of STRINGS.entries()) {
        equal((await holderOf(world, text)) === null, index % 2 === 1, JSON.stringify(text));
      }
    },

    "names of starts, workflows, queues and attributes are kept apart exactly": async (stage) => {
      const world = await stage.open();
      const starts = STRINGS.flatMap((text) => [
        newRun({
          idempotencyKey: text,
          names: [firstClaim(text, { fingerprint: text, keepFor: null })],
        }),
        newRun({ workflow: text, attributes: { [text]: text, customer: text } }),
      ]);
      for (const run of starts) equal((await createOne(world, run)).outcome, "created");
      for (const run of starts) {
        for (const { name } of run.names) {
          const again = await createOne(world, { ...run, runId: `${run.runId} again` });
          equal(again.outcome, "held", JSON.stringify(name));
          const { runId, fingerprint } = (await holderOf(world, name)) ?? {};
          same([runId, fingerprint], [run.runId, name]);
        }
        const row = await rowOf(world, run.runId);
        same([row.workflow, row.idempotencyKey], [run.workflow, run.idempotencyKey]);
      }
      for (const workflow of STRINGS) {
        for (const filter of [
          { workflow },
          { queue: workflow },
          { attributes: { [workflow]: workflow } },
          { attributes: { customer: workflow } },
        ]) {
          const page = await world.listRuns({ ...filter, limit: 10 });
          deepEqual(
            page.runs.map((run) => [run.workflow, run.queue]),
            [[workflow, workflow]],
            JSON.stringify(filter),
          );
          same(page.runs[0]?.attributes, { [workflow]: workflow, customer: workflow });
        }
        const { runs } = await world.claim({ ...claimOf(workflow), limit: 10 });
        deepEqual(
          runs.map(({ run }) => run.workflow),
          [workflow],
        );
      }
    },

    "run ids, owners and message ids are kept apart exactly": async (stage) => {
      const world = await stage.open();
      for (const text of STRINGS) await leasedRun(world, { runId: text, lease: leaseOf(text) });
      for (const text of STRINGS) {
        const row = await rowOf(world, text);
        same([row.runId, row.owner], [text, text]);
        await write(world, holding(row, [{ ...stepCreated(text), name: text }]));
        equal((await deliverOne(world, toRun(text, text))).outcome, "delivered");
      }
      for (const text of STRINGS) {
        equal((await journalOf(world, text))[1]?.id, text);
        equal(only(await mailOf(world, text)).messageId, text);
        const leases = [leaseIn(await rowOf(world, text))];
        same(await world.renew({ leases, ttl: TTL, now: START + 1 }), [{ outcome: "renewed", mailSeq: 1 }]);
      }
      const seen = await allRunIds(world);
      deepEqual(seen.sort(), STRINGS.toSorted());
    },

    "a conflict names a run with an unusual id": async (stage) => {
      const world = await stage.open();
      const runId = `🔑\u0000${"é".repeat(200)}`;
      const owner = await leasedRun(world, { runId });
      await write(world, holding(owner, [taking("hook-1", "token-1")]));
      const run = await leasedRun(world);
      const conflicts = [{ id: "hook-2", runId }];
      const commit = holding(run, [taking("hook-2", "token-1")]);
      same(await world.commit([commit], START), [{ outcome: "committed", mailSeq: 0, endSeq: 0, conflicts }]);
      same((await journalOf(world, run.runId))[1]?.data, bytesOf(runId));
    },

    "an id may be missing or empty": async (stage) => {
      const world = await stage.open();
      const run = await leasedRun(world);
      await write(
        world,
        holding(run, [eventOf("step_completed", { id: "", name: "" }), eventOf("step_failed")]),
      );
      const journal = await journalOf(world, run.runId);
      deepEqual(
        journal.slice(1).map(({ id, name }) => [id, name]),
        [
          ["", ""],
          [null, null],
        ],
      );
      equal((await rowOf(world, run.runId)).idempotencyKey, null);
    },
  },
};

function claimOf(workflow: string) {
  return claiming({ queues: [workflow], owner: "", eventLimit: 10 });
}

async function allRunIds(world: World): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null | undefined;
  while (cursor !== null) {
    const page = await world.listRuns({ limit: 3, ...(cursor !== undefined && { cursor }) });
    ids.push(...page.runs.map(({ runId }) => runId));
    cursor = page.cursor;
  }
  return ids;
}

/** Bytes without a short period. */
function large(seed: number): Uint8Array {
  const bytes = new Uint8Array(FIVE_MEGABYTES);
  for (let index = 0; index < bytes.length; index++) bytes[index] = index * 31 + (index >> 8) * 7 + seed;
  return bytes;
}
