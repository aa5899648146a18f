import { batcher } from "../../batcher.ts";
import type { Clock } from "../../clock.ts";
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
  readonly getRun: (runId: string) => Promise<RunRecord | null>;
  readonly now: () => number;
}

export function storeCalls(world: World, clock: Clock): StoreCalls {
  const largest = (): number => largestBatch(world);
  const unanswered = (): string => "It is done again.";
  return {
    createRun: batcher({
      clock,
      send: (batch: readonly CreateRun[]) => world.createRuns(batch, clock.now()),
      size: ({ events, mail }) => [...events, ...mail].reduce((sum, { data }) => sum + sizeInBatch(data), 0),
      largest,
      unanswered,
    }),
    deliver: batcher({
      clock,
      send: (batch: readonly Message[]) => world.deliver(batch, clock.now()),
      size: ({ data }) => sizeInBatch(data),
      largest,
      unanswered,
    }),
    getRun: async (runId) => (await world.getRuns([runId]))[0] ?? null,
    now: () => clock.now(),
  };
}
