import { MemoryState, memoryWorld } from "@perdure/core/testing";
import { describe, expect, it } from "vitest";
import { leasedRun, write } from "../src/acts.ts";
import {
  checkInvariants,
  type RunSnapshot,
  readStore,
  type StoreSnapshot,
  snapshotOfState,
  violationsOf,
} from "../src/index.ts";
import {
  eventOf,
  finishing,
  firstClaim,
  holding,
  parking,
  releasing,
  START,
  taking,
  toRun,
} from "../src/requests.ts";

/** Three runs: one that waits for a hook, one that has mail, one that has ended. */
async function goodStore(): Promise<MemoryState> {
  const state = new MemoryState();
  const world = memoryWorld({ state });
  const waiting = await leasedRun(world, { names: [firstClaim("order-1")] });
  const events = [taking("hook-1", "token-1"), taking("hook-2", "token-2"), releasing("hook-2")];
  await write(world, parking(waiting, null, events));
  const started = holding(await leasedRun(world), [eventOf("run_started")], {
    run: { status: "running", startedAt: START },
  });
  const running = await write(world, started);
  await world.deliver([toRun(running.runId, "m1"), toRun(running.runId, "m2")], START);
  await write(world, parking(running, null, [], { mailDone: 1 }), START);
  await write(world, finishing(await leasedRun(world, { names: [firstClaim("order-2")] })));
  return state;
}

type Change = (runs: readonly [RunSnapshot, RunSnapshot, RunSnapshot], store: StoreSnapshot) => StoreSnapshot;

/** The store with one run changed. */
function run(index: 0 | 1 | 2, change: (run: RunSnapshot) => Partial<RunSnapshot>): Change {
  return (runs, store) => ({
    ...store,
    runs: runs.map((run, at) => (at === index ? { ...run, ...change(run) } : run)),
  });
}

function row(index: 0 | 1 | 2, change: Partial<RunSnapshot["row"]>): Change {
  return run(index, (run) => ({ row: { ...run.row, ...change } }));
}

const broken: readonly (readonly [what: string, Change, found: RegExp])[] = [
  [
    "a gap in the journal",
    run(0, ({ journal }) => ({ journal: journal.filter(({ seq }) => seq !== 2) })),
    /has 3/,
  ],
  ["a wrong seq", run(0, ({ journal }) => ({ journal: journal.toReversed() })), /has seq 4/],
  ["a row ahead of the journal", row(1, { seq: 3 }), /tells 3 events/],
  [
    "a second end",
    run(2, ({ row, journal }) => ({
      row: { ...row, seq: 3 },
      journal: [...journal, { ...eventOf("run_failed"), seq: 3 }],
    })),
    /run_completed at seq 2 is not the last/,
  ],
  [
    "a journal without its beginning",
    run(1, ({ journal }) => ({ journal: journal.slice(1) })),
    /begins with/,
  ],
  [
    "another status than the journal's end",
    row(2, { status: "failed" }),
    /status failed after run_completed/,
  ],
  ["an end without its event", row(1, { status: "cancelled" }), /without an event that ends/],
  ["pending though started", row(1, { status: "pending" }), /pending after run_started/],
  ["running though not started", row(0, { status: "running" }), /running without run_started/],
  ["another createdAt", row(0, { createdAt: 1 }), /createdAt 1/],
  ["another startedAt", row(1, { startedAt: null }), /startedAt null/],
  ["another completedAt", row(2, { completedAt: null }), /completedAt null/],
  ["a lease without end", row(0, { owner: "worker" }), /leased to worker/],
  ["mail read that never came", row(1, { mailDone: 9 }), /beyond mailSeq/],
  ["mail that is missing", run(1, () => ({ mail: [] })), /0 messages for mailSeq 2/],
  [
    "a gap in the mail",
    run(1, ({ mail }) => ({ mail: mail.map((m) => ({ ...m, mailSeq: 9 })) })),
    /mailSeq 9/,
  ],
  [
    "a message that is there twice",
    run(1, ({ row, mail }) => ({ row: { ...row, mailDone: 0 }, mail: [...mail, ...mail] })),
    /in the mailbox twice/,
  ],
  ["end mail read that never came", row(0, { endDone: 1 }), /beyond endSeq/],
  ["end mail that is missing", row(0, { endSeq: 1 }), /0 messages for endSeq 1/],
  ["end mail that an ended run does not read", row(2, { endSeq: 1 }), /unread mail, but due at null/],
  ["a generation that begins nowhere", row(0, { generation: 1 }), /generation 1 from seq 1/],
  ["a lost wake-up", row(1, { dueAt: null }), /unread mail/],
  ["a wake-up put off", row(1, { dueAt: START + 1 }), /unread mail, but due at/],
  [
    "a run that nothing wakes",
    run(0, ({ row, journal }) => ({
      row: { ...row, seq: 5 },
      journal: [...journal, { ...releasing("hook-1"), seq: 5 }],
    })),
    /neither diverged nor with something that mail can end/,
  ],
  ["a hook that lost its name", (_, store) => ({ ...store, names: [] }), /hook-1 of run .* lost its name/],
  [
    "a name of nobody",
    (_, store) => ({ ...store, names: store.names.map((name) => ({ ...name, runId: "wrun_unknown" })) }),
    /"token-1" is of run wrun_unknown, which is not stored/,
  ],
  [
    "a name that is listed twice",
    (_, store) => ({ ...store, names: [...store.names, ...store.names] }),
    /"token-1" is listed twice/,
  ],
  [
    "two names under one id",
    (_, store) => ({ ...store, names: store.names.flatMap((held) => [held, { ...held, name: "other" }]) }),
    /has name "other", and another one/,
  ],
  [
    "a name that was freed",
    (_, store) => ({ ...store, names: store.names.map((held) => ({ ...held, id: "hook-2" })) }),
    /hook-2 of run .* has a name, though/,
  ],
];

describe("invariants", () => {
  it("a store that is right has no violations", async () => {
    const state = await goodStore();
    expect(violationsOf(snapshotOfState(state), { now: START })).toEqual([]);
    await checkInvariants(memoryWorld({ state }), { now: START });
  });

  it("both ways of reading a memory store give the same", async () => {
    const state = await goodStore();
    expect(snapshotOfState(state)).toEqual(await readStore(memoryWorld({ state })));
  });

  it("a broken store is refused, with what is broken", async () => {
    const state = await goodStore();
    const [first] = [...state.runs.values()];
    if (first) state.setRow(first, { seq: 99 });
    await expect(checkInvariants(memoryWorld({ state }))).rejects.toThrow(/tells 99 events/);
  });

  for (const [what, change, found] of broken) {
    it(`finds ${what}`, async () => {
      const store = snapshotOfState(await goodStore());
      const runs = store.runs as unknown as [RunSnapshot, RunSnapshot, RunSnapshot];
      expect(violationsOf(change(runs, store), { now: START }).join("\n")).toMatch(found);
    });
  }
});
