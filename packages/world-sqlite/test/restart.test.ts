import { DatabaseSync } from "node:sqlite";
import type { RunCommit } from "@perdure/core/world";
import { CLAIM_ID, event, finish, hold, NOW, newRun, releasing, taking } from "@perdure/testbed/requests";
import { expect, test } from "vitest";
import { openWorld, temporaryFile } from "./store.ts";

const GENERATIONS = 1_000;
const DAY = 24 * 60 * 60 * 1_000;

test("1,000 generations leave no more rows than the last one and the messages of seven days", async () => {
  const path = temporaryFile();
  const world = await openWorld({ path, synchronous: "off" });
  await world.createRuns([newRun("wrun_1", { lease: { owner: "w", claimId: CLAIM_ID, ttl: 1 } })], NOW);
  let seq = 1;
  for (let generation = 1; generation <= GENERATIONS; generation++) {
    const now = NOW + generation * DAY;
    const message = {
      messageId: `m-${generation}`,
      to: { runId: "wrun_1" },
      type: "wake",
      at: 0,
      data: null,
    };
    await world.deliver([message], now);
    const restart: RunCommit = {
      ...hold("wrun_1", seq, [event("run_created"), taking("h", `name-${generation}`)]),
      restart: true,
      mailDone: generation,
    };
    const going: RunCommit = {
      ...hold("wrun_1", seq + 2, [event("step_created", "s"), releasing("h")]),
      mailDone: generation,
    };
    expect(await world.commit([restart], now)).toMatchObject([{ outcome: "committed", conflicts: [] }]);
    expect(await world.commit([going], now)).toMatchObject([{ outcome: "committed" }]);
    seq += 4;
  }
  const [row] = await world.getRuns(["wrun_1"]);
  expect(row).toMatchObject({ generation: GENERATIONS, firstSeq: seq - 3, seq, mailSeq: GENERATIONS });
  expect(row?.bytes).toBe(
    ["run_created", "hook_created", "step_created", "hook_disposed"].join('""').length + 2,
  );
  const journal = await world.listEvents("wrun_1", 0, 10);
  expect(journal.map((event) => event.seq)).toEqual([seq - 3, seq - 2, seq - 1, seq]);
  expect(await world.listEvents("wrun_1", seq - 2, 10)).toHaveLength(2);
  expect(rowsOf(path)).toMatchObject({ runs: 1, events: 4, names: 0, mail: 7 });

  const again = {
    messageId: `m-${GENERATIONS - 6}`,
    to: { runId: "wrun_1" },
    type: "wake",
    at: 0,
    data: null,
  };
  await world.deliver([again], NOW);
  expect(await world.getRuns(["wrun_1"])).toMatchObject([{ mailSeq: GENERATIONS }]);
  await world.commit([{ ...finish("wrun_1", seq, NOW), mailDone: GENERATIONS }], NOW);
  expect(await world.deleteRuns(["wrun_1"])).toBe(1);
  const { schema, clock, ...rows } = rowsOf(path);
  expect(Object.values(rows).every((count) => count === 0)).toBe(true);
});

test("a restart leaves alone what is unread, and end mail", async () => {
  const world = await openWorld({ path: temporaryFile() });
  await world.createRuns([newRun("wrun_1", { lease: { owner: "w", claimId: CLAIM_ID, ttl: 1 } })], NOW);
  const send = (messageId: string, atEnd: boolean) =>
    world.deliver([{ messageId, to: { runId: "wrun_1" }, type: "t", at: 0, data: null, atEnd }], NOW);
  await send("end", true);
  for (const messageId of ["a", "b", "c"]) await send(messageId, false);
  await world.commit([{ ...hold("wrun_1", 1, []), mailDone: 1 }], NOW);
  await world.commit(
    [{ ...hold("wrun_1", 1, [event("run_created")]), restart: true, mailDone: 2 }],
    NOW + 8 * DAY,
  );
  expect(await world.listMail([{ runId: "wrun_1", after: 0 }])).toMatchObject([[{ messageId: "c" }]]);
  expect(await world.listEndMail("wrun_1", 0, 10)).toMatchObject([{ messageId: "end", mailSeq: 1 }]);
  for (const messageId of ["end", "b", "c"]) await send(messageId, messageId === "end");
  expect(await world.getRuns(["wrun_1"])).toMatchObject([{ mailSeq: 3, endSeq: 1 }]);
  await send("a", false);
  expect(await world.getRuns(["wrun_1"])).toMatchObject([{ mailSeq: 4 }]);
});

/** How many rows each table has. */
function rowsOf(path: string): Record<string, number> {
  const database = new DatabaseSync(path);
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  const counts = tables.map(({ name }): [string, number] => {
    const { rows } = { ...database.prepare(`SELECT count(*) AS rows FROM ${name}`).get() };
    return [String(name).replace("perdure_", ""), Number(rows)];
  });
  database.close();
  return Object.fromEntries(counts);
}
