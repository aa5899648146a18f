import type { World } from "@perdure/core/world";
import {
  ALICE,
  BOB,
  bytesOf,
  claiming,
  eventOf,
  finishing,
  firstClaim,
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
 * Every write verb on three runs that get in each other's way. All ids begin with `prefix`, which has no bearing on
 * their order, so that two scenarios on one store do not meet.
 */
export function scenario(prefix: string): readonly Act[] {
  const [a, b, c, twin] = ["a", "b", "c", "twin"].map((name) => `${prefix}${name}`) as [
    string,
    string,
    string,
    string,
  ];
  const id = (name: string) => `${prefix}${name}`;
  const workflow = id("workflow");
  const lease = { owner: ALICE, claimId: id("claim-1"), ttl: TTL };
  const names = [firstClaim(id("order-1"), { keepFor: null })];
  const claimOf = (epoch: number) => id(`claim-${epoch}`);
  const at = (runId: string, epoch: number, seq: number, mailDone: number) => ({
    runId,
    epoch,
    claimId: claimOf(epoch),
    seq,
    mailDone,
  });
  const ended = START - 1;

  return [
    {
      title: "createRuns, with keys and leases",
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
            newRun({ runId: a, workflow, lease, names }),
            newRun({ runId: twin, workflow, lease, names }),
            newRun({ runId: c, workflow, dueAt: START + 9_000 }),
          ],
          START,
        ),
    },
    {
      title: "commit, holding, with hooks that conflict",
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
      title: "deliver, to hooks and runs",
      crash: "same",
      send: (world) =>
        world.deliver(
          [
            toName(id("token-1"), id("m1"), { data: bytesOf("payload") }),
            toRun(c, id("m2")),
            toName(id("token-2"), id("m3")),
            toName(id("no token"), id("m4")),
            toRun(a, id("m5"), { type: "cancel_requested" }),
            toName(id("token-1"), id("m1")),
          ],
          START + 2,
        ),
    },
    {
      title: "renew",
      crash: "same",
      send: (world) =>
        world.renew({
          leases: [
            { runId: b, epoch: 1, claimId: claimOf(1) },
            { runId: a, epoch: 1, claimId: claimOf(1) },
            { runId: c, epoch: 1, claimId: claimOf(1) },
          ],
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
                taking("hook-b2", id("token-1")),
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
    {
      title: "claim",
      crash: "none",
      send: async (world) => {
        const { runs } = await world.claim(
          claiming({
            queues: [id("queue"), workflow],
            limit: 5,
            now: START + 6,
            owner: BOB,
            claimId: claimOf(2),
          }),
        );
        return runs.toSorted((left, right) => (left.run.runId < right.run.runId ? -1 : 1));
      },
    },
    {
      title: "commit, without events",
      crash: "same",
      send: (world) =>
        world.commit(
          [
            parking({ ...at(c, 1, 1, 0), claimId: claimOf(2) }, START + 9_000, [], { mailDone: 1 }),
            holding(at(b, 2, 6, 1), [], {
              mailDone: 2,
              run: { status: "diverged", error: bytesOf("a diff"), attributes: { customer: id("1") } },
            }),
          ],
          START + 7,
        ),
    },
    {
      title: "commit, finishing, with a token that another run takes",
      crash: "same",
      send: (world) =>
        world.commit(
          [
            finishing(at(b, 2, 6, 2), ended, [stepCreated(id("step-2"))], {
              run: { status: "completed", completedAt: ended, error: null, output: bytesOf("output of b") },
            }),
            holding(at(a, 2, 5, 1), [taking("hook-a3", id("token-1"))]),
            holding(at(c, 9, 1, 1), [stepCreated(id("step-3"))]),
          ],
          START + 8,
        ),
    },
    {
      title: "createRuns, again after all that",
      crash: "same",
      send: (world) =>
        world.createRuns(
          [newRun({ runId: a, workflow, lease, names }), newRun({ runId: b, workflow })],
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
