import { CONTRACT_VERSION, type CreateRun, type OperationProbe, type World } from "../world/index.ts";
import { checkBatch, commitRun } from "./memory-commit.ts";
import { join, move } from "./memory-joining.ts";
import { deliverMessage } from "./memory-mailbox.ts";
import { countRuns, deleteRuns, listEndMail, listEvents, listMail, listRuns } from "./memory-read.ts";
import { listRecords, writeRecord } from "./memory-records.ts";
import { claim, renew } from "./memory-schedule.ts";
import { createRun } from "./memory-start.ts";
import { MemoryState } from "./memory-state.ts";
import { memoryStreams } from "./memory-streams.ts";

/** Options of {@link memoryWorld}. */
export interface MemoryWorldOptions {
  /** Short name for logs. Default `"memory"`. */
  readonly name?: string;
  /** The store. Worlds on one state see each other's writes, as processes on one database do. Default: a new one. */
  readonly state?: MemoryState;
  /**
   * Called before each verb, with its name, and before its answer, with `"<verb> answer"`. A rejection of the first
   * is a process that died before the write, one of the second an answer that was lost.
   */
  readonly beforeOperation?: OperationProbe;
  /** A clock of the store's own, in ms since the epoch, as a database server has one. Default: the callers' `now`. */
  readonly clock?: () => number;
}

/**
 * The reference implementation of the World contract, and the test double for programs that use the engine: nothing
 * survives the process. Every method does its work in one synchronous stretch, which makes it atomic; hints are
 * exact and come in microtasks. Workers of one process may share one.
 *
 * @example
 * const world = memoryWorld();
 * await world.open();
 */
export function memoryWorld(options: MemoryWorldOptions = {}): World {
  const { name = "memory", state = new MemoryState(), beforeOperation, clock } = options;

  /** The time of a request, and what its caller's times lack to be the store's. */
  function time(now: number): { readonly now: number; readonly shift: number } {
    return clock === undefined ? { now, shift: 0 } : { now: clock(), shift: clock() - now };
  }

  /** Carries out what waits in the outbox. */
  function moveAll(): void {
    move(state, (callerNow) => {
      const { now, shift } = time(callerNow);
      return { now, start: (run) => shiftStart(run, shift) };
    });
  }

  async function verb<T>(operation: string, work: () => T): Promise<T> {
    if (beforeOperation === undefined) return work();
    await beforeOperation(operation);
    const answer = work();
    await beforeOperation(`${operation} answer`);
    return answer;
  }

  return {
    name,
    contractVersion: CONTRACT_VERSION,
    capabilities: {
      durability: "nothing",
      notifications: true,
      embedded: true,
      streams: true,
      joining: true,
      ownClock: clock !== undefined,
      commitsInFlight: 4,
      leaseKeeper: null,
    },
    describe: () => ({ store: "memory", durability: "nothing" }),
    open: () => verb("open", moveAll),
    close: async () => {},
    createRuns: (batch, callerNow) =>
      verb("createRuns", () => {
        const { now, shift } = time(callerNow);
        return batch.map((run) => createRun(state, shiftStart(run, shift), now));
      }),
    claim: (request) =>
      verb("claim", () => {
        moveAll();
        return claim(state, { ...request, now: time(request.now).now });
      }),
    renew: (request) => verb("renew", () => renew(state, { ...request, now: time(request.now).now })),
    commit: (batch, callerNow) =>
      verb("commit", () => {
        checkBatch(batch);
        const { now } = time(callerNow);
        return batch.map((commit) => commitRun(state, commit, now));
      }),
    deliver: (batch, now) =>
      verb("deliver", () => batch.map((message) => deliverMessage(state, message, time(now).now))),
    joining: join,
    getRuns: (runIds) => verb("getRuns", () => runIds.map((runId) => state.runs.get(runId)?.row ?? null)),
    listRuns: (query) => verb("listRuns", () => listRuns(state, query)),
    countRuns: (filter) => verb("countRuns", () => countRuns(state, filter)),
    listEvents: (runId, after, limit) => verb("listEvents", () => listEvents(state, runId, after, limit)),
    listMail: (runs) => verb("listMail", () => runs.map(({ runId, after }) => listMail(state, runId, after))),
    listEndMail: (runId, after, limit) => verb("listEndMail", () => listEndMail(state, runId, after, limit)),
    getNames: (names, now) =>
      verb("getNames", () => names.map((name) => state.names.get(name, time(now).now))),
    listNames: (query) => verb("listNames", () => state.names.list({ ...query, now: time(query.now).now })),
    deleteRuns: (runIds) => verb("deleteRuns", () => deleteRuns(state, runIds)),
    readRecords: (keys, now) =>
      verb("readRecords", () => keys.map((key) => state.records.get(key, time(now).now))),
    writeRecords: (batch, now) =>
      verb("writeRecords", () => batch.map((write) => writeRecord(state.records, write, time(now).now))),
    listRecords: (query) => verb("listRecords", () => listRecords(state.records, query, time(query.now).now)),
    ...memoryStreams(state, verb),
    subscribe: (listener) =>
      state.subscribe((hint) => {
        if (hint.type !== "outbox") listener(hint);
        else void verb("move", moveAll).catch(() => undefined);
      }),
  };
}

/** A start is due, and its names free, as long after the request's `now` as it says. */
function shiftStart(run: CreateRun, shift: number): CreateRun {
  if (shift === 0) return run;
  const names = run.names.map((claim) => ({
    ...claim,
    freeAt: claim.freeAt === 0 ? 0 : claim.freeAt + shift,
  }));
  return { ...run, dueAt: run.dueAt + shift, names };
}
