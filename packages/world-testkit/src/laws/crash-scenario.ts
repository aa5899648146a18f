import type { World } from "@perdure/core/world";
import {
  ALICE,
  BOB,
  bytesOf,
  claiming,
  eventOf,
  finishing,
  firstClaim,
  firstMail,
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

/** One request of the scenario. */
export interface Act {
  readonly title: string;
  /**
   * `same`: may be sent again, and the answer is the same. `uncounted`: may be sent again, and the answer tells only
   * what was left to do. `none`: no crash in this one.
   */
  readonly crash: "same" | "uncounted" | "none";
  readonly send: (world: World) => Promise<unknown>;
}

/**
 * Every write verb on a few runs that get in each other's way. All ids begin with `prefix`, which has no bearing on
 * their order, so that two scenarios on one store do not meet.
 */
export function scenario(prefix: string): readonly Act[] {
  const id = (name: string) => `${prefix}${name}`;
  const [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map(id) as [string, string, string, string, string];
  const workflow = id("workflow");
  const claimOf = (epoch: number) => id(`claim-${epoch}`);
  const lease = { owner: ALICE, claimId: claimOf(1), ttl: TTL };
  const order = firstClaim(id("order-1"), { id: "start", keepFor: null, fingerprint: "print" });
  const kept = { keepFor: 500_000 };
  const passing = firstClaim(id("token-1"), { id: "hook-e", from: b });
  /** A run under the lease of its claim with this number. */
  const at = (runId: string, claim: number, seq: number, mailDone: number) => ({
    runId,
    epoch: runId === c || runId === d ? claim - 1 : claim,
    claimId: claimOf(claim),
    seq,
    mailDone,
  });
  const ended = START - 1;
  const claim = (epoch: number, now: number) => ({
    crash: "none" as const,
    send: async (world: World) => {
      const request = { queues: [id("queue"), workflow], limit: 9, owner: BOB, claimId: claimOf(epoch), now };
      const { runs } = await world.claim(claiming(request));
      return runs.toSorted((left, right) => (left.run.runId < right.run.runId ? -1 : 1));
    },
  });

  return [
    {
      title: "createRuns, with names, mail and leases",
      crash: "same",
      send: (world) =>
        world.createRuns(
          [
            newRun({
              runId: b,
              workflow,
              lease,
              events: [eventOf("run_created", { data: bytesOf("input of b") })],
            }),
            newRun({ runId: a, workflow, lease, names: [order], idempotencyKey: "order-1" }),
            newRun({ runId: id("twin"), workflow, lease, names: [firstClaim(id("unused")), order] }),
            newRun({ runId: c, workflow, dueAt: START + 9_000 }),
            newRun({
              runId: d,
              workflow,
              dueAt: START + 9_000,
              events: [eventOf("run_created"), eventOf("hook_created", { id: "hook-d" })],
              names: [firstClaim(id("token-d"), { id: "hook-d", data: bytesOf("metadata") })],
              mail: [firstMail(id("m0"), "hook-d", { data: bytesOf("payload") })],
            }),
          ],
          START,
        ),
    },
    {
      title: "commit, holding, with names that are held",
      crash: "same",
      send: (world) =>
        world.commit(
          [
            holding(at(b, 1, 1, 0), [stepCreated(id("step-1")), taking("hook-b", id("token-1"))]),
            holding(
              at(a, 1, 1, 0),
              [
                taking("hook-a1", id("token-1"), { data: bytesOf("metadata") }),
                eventOf("run_started"),
                taking("hook-a2", id("token-2")),
              ],
              { run: { status: "running", startedAt: START } },
            ),
          ],
          START + 1,
        ),
    },
    {
      title: "deliver, to names, to runs, and for their ends",
      crash: "same",
      send: (world) =>
        world.deliver(
          [
            toName(id("token-1"), id("m1"), { data: bytesOf("payload") }),
            toRun(c, id("m2")),
            toRun(a, id("e1"), { atEnd: true, data: bytesOf("at the end") }),
            toName(id("token-2"), id("m3")),
            toName(id("no token"), id("m4")),
            { ...toRun(a, id("m5"), { type: "of its own" }), to: { runId: a, id: "step-1" } },
            toName(id("token-1"), id("m1")),
            toName(id("token-d"), id("m0")),
            toRun(b, id("e2"), { atEnd: true }),
          ],
          START + 2,
        ),
    },
    {
      title: "renew",
      crash: "same",
      send: (world) =>
        world.renew({
          leases: [b, a, c].map((runId) => ({ runId, epoch: 1, claimId: claimOf(1) })),
          ttl: TTL,
          now: START + 3,
        }),
    },
    {
      title: "commit, parking, with mail consumed and mail left",
      crash: "same",
      send: (world) =>
        world.commit(
          [
            parking(
              at(b, 1, 3, 0),
              null,
              [
                eventOf("hook_received", { id: "hook-b" }),
                releasing("hook-b"),
                taking("hook-b2", id("token-1"), kept),
                taking("hook-b3", id("token-b")),
              ],
              { mailDone: 1 },
            ),
            parking(at(a, 1, 4, 0), START + 900, [eventOf("wait_created", { id: "wait-1" })], {
              mailDone: 1,
              run: { queue: id("queue"), attributes: { plan: "a" }, state: bytesOf("waiting") },
            }),
          ],
          START + 4,
        ),
    },
    {
      title: "deliver, to a parked run",
      crash: "same",
      send: (world) => world.deliver([toName(id("token-1"), id("m6")), toRun(a, id("m7"))], START + 5),
    },
    { title: "claim", ...claim(2, START + 6) },
    {
      title: "commit, without events",
      crash: "same",
      send: (world) =>
        world.commit(
          [
            parking(at(c, 2, 1, 0), START + 9_000, [], { mailDone: 1 }),
            holding(at(b, 2, 7, 1), [], {
              mailDone: 2,
              run: { status: "diverged", error: bytesOf("a diff"), attributes: { customer: id("1") } },
            }),
          ],
          START + 7,
        ),
    },
    {
      title: "commit, beginning journals anew",
      crash: "same",
      send: (world) =>
        world.commit(
          [
            holding(
              at(a, 2, 5, 1),
              [
                eventOf("run_created", { data: bytesOf("input of the next") }),
                taking("hook-a3", id("token-3")),
                taking("hook-a4", id("token-1")),
                releasing("hook-a2"),
              ],
              { restart: true, mailDone: 3 },
            ),
            parking(at(d, 2, 2, 0), null, [releasing("hook-d"), taking("hook-d2", id("token-d"))], {
              restart: true,
              mailDone: 1,
            }),
          ],
          START + 8,
        ),
    },
    {
      title: "commit, ending a run whose names another takes, and going on with it",
      crash: "same",
      send: (world) =>
        world.commit(
          [
            finishing(at(b, 2, 7, 2), ended, [stepCreated(id("step-2"))], {
              run: { status: "completed", completedAt: ended, error: null, output: bytesOf("output of b") },
              lease: { type: "hold", ttl: TTL },
            }),
            holding(at(a, 2, 9, 3), [taking("hook-a5", id("token-1")), taking("hook-a6", id("token-b"))]),
            holding({ ...at(c, 2, 1, 1), epoch: 9 }, [stepCreated(id("step-3"))]),
          ],
          START + 9,
        ),
    },
    {
      title: "deliver, to a run that has ended and is held",
      crash: "same",
      send: (world) =>
        world.deliver(
          [
            toRun(b, id("m8")),
            toName(id("token-1"), id("m9")),
            toRun(b, id("e3"), { atEnd: true }),
            toName(id("token-1"), id("m1")),
            toName(id("token-b"), id("m10")),
          ],
          START + 10,
        ),
    },
    {
      title: "createRuns, of runs that do not come to be",
      crash: "same",
      send: (world) =>
        world.createRuns(
          [
            newRun({
              runId: id("e-late"),
              workflow,
              names: [passing],
              mail: [firstMail(id("m1"), "hook-e")],
            }),
            newRun({ runId: id("e-held"), workflow, names: [passing, { ...order, from: a }] }),
          ],
          START + 11,
        ),
    },
    {
      title: "createRuns, with a name that passes from a run that has ended",
      crash: "same",
      send: (world) =>
        world.createRuns(
          [
            newRun({ runId: e, workflow, names: [passing], mail: [firstMail(id("m9"), "hook-e")] }),
            newRun({ runId: id("e-twin"), workflow, names: [passing] }),
          ],
          START + 11,
        ),
    },
    {
      title: "commit, after the end of a run, and over the end mail of another",
      crash: "same",
      send: (world) =>
        world.commit(
          [
            parking(at(b, 2, 9, 2), null, [], { run: { endDone: 1, state: bytesOf("all told") } }),
            finishing(at(a, 2, 11, 3), ended, [], { mailDone: 4 }),
          ],
          START + 12,
        ),
    },
    { title: "claim, of a run that has ended", ...claim(3, START + 13) },
    {
      title: "commit, of what was left to do",
      crash: "same",
      send: (world) =>
        world.commit([parking(at(a, 3, 12, 4), null, [], { run: { endDone: 1 } })], START + 14),
    },
    {
      title: "createRuns, again after all that",
      crash: "same",
      send: (world) =>
        world.createRuns(
          [
            newRun({ runId: a, workflow, lease, names: [order] }),
            newRun({ runId: b, workflow }),
            newRun({ runId: d, workflow, mail: [firstMail(id("m0"), "hook-d")] }),
          ],
          START,
        ),
    },
    {
      title: "deleteRuns",
      crash: "uncounted",
      send: (world) => world.deleteRuns([a, b, c]),
    },
  ];
}
