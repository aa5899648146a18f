import { batcher } from "../../batcher.ts";
import { type Clock, delay } from "../../clock.ts";
import type { IdSource } from "../../ids.ts";
import type { Logger } from "../../logger.ts";
import { largestBatch, sizeInBatch } from "../../serialization/index.ts";
import type {
  CreateRun,
  CreateRunResult,
  DeliverResult,
  Message,
  RecordPage,
  RecordWrite,
  RecordWriteResult,
  RunRecord,
  StoredRecord,
  World,
} from "../../world/index.ts";
import { createRuns } from "../upkeep/started-runs.ts";

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
  readonly readRecords: (keys: readonly string[]) => Promise<readonly (StoredRecord | null)[]>;
  readonly writeRecord: (write: RecordWrite) => Promise<RecordWriteResult>;
  readonly listRecords: (prefix: string, limit: number) => Promise<RecordPage>;
  readonly appendChunks: World["appendChunks"];
  readonly logger: Logger;
  readonly now: () => number;
  /** A random string that nothing else has. */
  readonly token: () => string;
  /** Before a write is tried again that lost against others, for the `tries`-th time: a random time, longer each time. */
  readonly pause: (tries: number) => Promise<void>;
  /** Does things to one record one after the other, so that this process does not race with itself. */
  readonly inTurn: <T>(key: string, work: () => Promise<T>) => Promise<T>;
}

/** The longest pause, in milliseconds. */
const LONGEST_PAUSE = 100;

/** What a worker does to the store beside its commits. */
export interface StoreCallsOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly logger: Logger;
  readonly random: () => number;
}

export function storeCalls({ world, clock, ids, logger, random }: StoreCallsOptions): StoreCalls {
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
    logger,
    deliver,
    async send(runId, type, data) {
      const messageId = `msg_${ids.token()}`;
      await deliver({ messageId, to: { runId }, type, at: clock.now(), data });
    },
    createRun: batcher({
      clock,
      send: (batch: readonly CreateRun[]) => createRuns(world, batch, clock.now()),
      size: ({ events, mail }) => [...events, ...mail].reduce((sum, { data }) => sum + sizeInBatch(data), 0),
      largest,
      unanswered,
    }),
    getRun: async (runId) => (await world.getRuns([runId]))[0] ?? null,
    getNames: (names, now) => world.getNames(names, now),
    listEvents: (runId, after, limit) => world.listEvents(runId, after, limit),
    listEndMail: (runId, after, limit) => world.listEndMail(runId, after, limit),
    readRecords: (keys) => world.readRecords(keys, clock.now()),
    writeRecord: batcher({
      clock,
      send: (batch: readonly RecordWrite[]) => world.writeRecords(batch, clock.now()),
      size: ({ value }) => sizeInBatch(value),
      largest,
      unanswered,
    }),
    listRecords: (prefix, limit) => world.listRecords({ prefix, limit, now: clock.now() }),
    appendChunks: (batch) => world.appendChunks(batch),
    now: () => clock.now(),
    token: () => ids.token(),
    pause: (tries) => delay(clock, random() * Math.min(2 ** tries, LONGEST_PAUSE)),
    inTurn: turns(),
  };
}

function turns(): StoreCalls["inTurn"] {
  const last = new Map<string, Promise<unknown>>();
  return async (key, work) => {
    const before = last.get(key);
    const mine = before === undefined ? work() : before.then(work, work);
    const over = mine.catch(() => {});
    last.set(key, over);
    try {
      return await mine;
    } finally {
      if (last.get(key) === over) last.delete(key);
    }
  };
}
