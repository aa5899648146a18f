import type { RunCommit } from "@perdure/core/world";
import { CLAIM_ID, event, firstClaim, hold, NOW, newRun } from "@perdure/testbed/requests";
import { expect, test } from "vitest";
import { openWorld, serverUrl, temporarySchema } from "./store.ts";

const output = new TextEncoder().encode('"output"');
const begin = [event("run_started"), event("step_created", "s", "step")];

/** What follows a start, commit by commit, each with its length of the journal before. */
const LIVES: Readonly<Record<string, readonly Partial<RunCommit>[]>> = {
  completes: [
    { seq: 1, events: begin, run: { status: "running", startedAt: NOW + 1 } },
    { seq: 3, events: [event("step_completed", "s"), event("step_created", "t", "step")] },
    {
      seq: 5,
      events: [event("step_completed", "t"), event("run_completed")],
      run: { status: "completed", output, completedAt: NOW + 2 },
      lease: { type: "park", dueAt: null },
    },
  ],
  "parks until its time": [
    {
      seq: 1,
      events: begin,
      run: { status: "running", startedAt: NOW },
      lease: { type: "park", dueAt: NOW + 5_000 },
    },
  ],
  "parks for good": [{ seq: 1, events: [event("run_started")], lease: { type: "park", dueAt: null } }],
  "parks diverged": [
    {
      seq: 1,
      events: [],
      run: { status: "diverged", error: output, lostClaims: 3 },
      lease: { type: "park", dueAt: NOW + 9 },
    },
  ],
  "is without its error again": [
    { seq: 1, events: [], run: { status: "diverged", error: output } },
    { seq: 1, events: begin, run: { status: "running", error: null, lostClaims: 0 } },
  ],
  "is fenced after its end": [
    {
      seq: 1,
      events: [event("run_failed")],
      run: { status: "failed", error: output },
      lease: { type: "park", dueAt: null },
    },
    {
      seq: 1,
      events: [event("run_failed")],
      run: { status: "failed", error: output },
      lease: { type: "park", dueAt: null },
    },
    { seq: 2, events: begin },
  ],
  "is out of step": [{ seq: 4, events: begin }],
  "is another's": [{ seq: 1, events: begin, claimId: "claim-2" }],
  "has mail to consume": [{ seq: 1, events: begin, mailDone: 1 }],
  "parks with unread mail": [{ seq: 1, events: begin, lease: { type: "park", dueAt: null } }],
  "ends with end mail, and reads it while it holds its lease": [
    { seq: 1, events: [event("run_completed")], run: { status: "completed", completedAt: NOW, output } },
    { seq: 2, events: [], run: { error: output } },
    { seq: 2, events: [event("step_created", "late")] },
    { seq: 2, events: [], lease: { type: "park", dueAt: NOW + 7_000 } },
    { seq: 2, events: [], lease: { type: "park", dueAt: null } },
  ],
  "ends with end mail and parks": [
    {
      seq: 1,
      events: [event("run_completed")],
      run: { status: "completed", completedAt: NOW },
      lease: { type: "park", dueAt: null },
    },
  ],
  "parks over its end mail": [{ seq: 1, events: begin, lease: { type: "park", dueAt: NOW + 5_000 } }],
  "ends with names": [
    {
      seq: 1,
      events: [event("run_completed")],
      run: { status: "completed", completedAt: NOW + 9 },
      lease: { type: "park", dueAt: null },
    },
  ],
  "ends with names after its lease was held for the work after it": [
    { seq: 1, events: begin },
    { seq: 3, events: [event("run_failed")], run: { status: "failed", completedAt: NOW + 9 } },
    { seq: 4, events: [], lease: { type: "park", dueAt: null } },
  ],
  "begins anew": [
    { seq: 1, events: begin },
    { seq: 3, events: begin, restart: true },
    { seq: 5, events: [event("step_completed", "s")] },
    { seq: 3, events: begin, restart: true },
  ],
};

test.for(Object.keys(LIVES))(
  "a run that %s: a commit of one run writes and answers as one of many",
  async (name) => {
    const world = await openWorld({ url: await serverUrl(), schema: temporarySchema() });
    const lease = { owner: "w", claimId: CLAIM_ID, ttl: 30_000 };
    const ids = ["wrun_1", "wrun_2", "wrun_3"];
    await world.createRuns(
      ids.map((id) =>
        newRun(id, {
          lease,
          ...(name.includes("names") && {
            names: [
              firstClaim(`ends ${id}`),
              firstClaim(`kept ${id}`, { keepFor: 150 }),
              firstClaim(`stays ${id}`, { keepFor: null }),
              firstClaim(`late ${id}`, { freeAt: NOW + 170 }),
            ],
          }),
        }),
      ),
      NOW,
    );
    if (name.includes("mail")) {
      const messages = ids.map(
        (runId) =>
          ({
            ...{ messageId: runId, to: { runId }, type: "wake", at: NOW, data: output },
            atEnd: name.includes("end mail"),
          }) as const,
      );
      await world.deliver(messages, NOW);
    }
    for (const change of LIVES[name] ?? []) {
      const [one, ...many] = ids.map((id) => ({ ...hold(id, 1, []), ...change }));
      const [answer] = await world.commit([one as RunCommit], NOW + 100);
      expect(await world.commit(many, NOW + 100)).toEqual([answer, answer]);
    }
    const [row, ...rows] = await world.getRuns(ids);
    for (const other of rows) expect({ ...other, runId: "" }).toEqual({ ...row, runId: "" });
    const [journal, ...journals] = await Promise.all(ids.map((id) => world.listEvents(id, 0, 100)));
    for (const other of journals) expect(other).toEqual(journal);
    const unread = await world.listMail(ids.map((runId) => ({ runId, after: 0 })));
    expect(unread.map((mail) => mail.length)).toEqual(ids.map(() => unread[0]?.length));
    for (const now of [NOW + 100, NOW + 158, NOW + 159, NOW + 170]) {
      const [held, ...others] = await Promise.all(
        ids.map(async (id) => {
          const found = await world.getNames(
            ["ends", "kept", "stays", "late"].map((each) => `${each} ${id}`),
            now,
          );
          return found.map((each) => each !== null);
        }),
      );
      expect(others).toEqual([held, held]);
      if (name.includes("names")) expect(held).toEqual([false, now < NOW + 159, true, now < NOW + 170]);
    }
  },
);
