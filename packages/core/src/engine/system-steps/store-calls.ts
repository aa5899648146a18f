import { batcher } from "../../batcher.ts";
import type { Clock } from "../../clock.ts";
import type { IdSource } from "../../ids.ts";
import { largestBatch, sizeInBatch } from "../../serialization/index.ts";
import type {
  CreateRun,
  CreateRunResult,
  DeliverResult,
  Message,
  RunRecord,
  World,
} from "../../world/index.ts";

/**
 * What system steps and the work after a run's end do to the store. The calls of one turn go together; a call whose answer is
 * lost is repeated some times, and rejects then with an error that may be retried.
 */
export interface StoreCalls {
  readonly createRun: (request: CreateRun) => Promise<CreateRunResult>;
  readonly deliver: (message: Message) => Promise<DeliverResult>;
  /** A message of its own to a run, such as a step sends. */
  readonly send: (runId: string, type: string, data: Uint8Array | null) => Promise<void>;
  readonly getRun: (runId: string) => Promise<RunRecord | null>;
  readonly getNames: World["getNames"];
  readonly listEvents: World["listEvents"];
  readonly listEndMail: World["listEndMail"];
  readonly appendChunks: World["appendChunks"];
  readonly now: () => number;
}

export function storeCalls(world: World, clock: Clock, ids: IdSource): StoreCalls {
  const largest = (): number => largestBatch(world);
  const unanswered = (): string => "It is done again.";
  const deliver = batcher({
    clock,
    send: (batch: readonly Message[]) => world.deliver(batch, clock.now()),
    size: ({ data }) => sizeInBatch(data),
    largest,
    unanswered,
  });
  return {
    deliver,
    async send(runId, type, data) {
      const messageId = `msg_${ids.token()}`;
      await deliver({ messageId, to: { runId }, type, at: clock.now(), data });
    },
    createRun: batcher({
      clock,
      send: (batch: readonly CreateRun[]) => world.createRuns(batch, clock.now()),
      size: ({ events, mail }) => [...events, ...mail].reduce((sum, { data }) => sum + sizeInBatch(data), 0),
      largest,
      unanswered,
    }),
    getRun: async (runId) => (await world.getRuns([runId]))[0] ?? null,
    getNames: (names, now) => world.getNames(names, now),
    listEvents: (runId, after, limit) => world.listEvents(runId, after, limit),
    listEndMail: (runId, after, limit) => world.listEndMail(runId, after, limit),
    appendChunks: (batch) => world.appendChunks(batch),
    now: () => clock.now(),
  };
}
