import { CONTRACT_VERSION, type OperationProbe, type World } from "../world/index.ts";
import { checkBatch, commitRun } from "./memory-commit.ts";
import { deliverMessage } from "./memory-mailbox.ts";
import { deleteRuns, listEvents, listHooks, listMail, listRuns } from "./memory-read.ts";
import { claim, renew } from "./memory-schedule.ts";
import { createRun } from "./memory-start.ts";
import { MemoryState } from "./memory-state.ts";

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
  const { name = "memory", state = new MemoryState(), beforeOperation } = options;

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
      commitsInFlight: 4,
      leaseKeeper: null,
    },
    describe: () => ({ store: "memory", durability: "nothing" }),
    open: () => verb("open", () => {}),
    close: async () => {},
    createRuns: (batch, now) => verb("createRuns", () => batch.map((run) => createRun(state, run, now))),
    claim: (request) => verb("claim", () => claim(state, request)),
    renew: (request) => verb("renew", () => renew(state, request)),
    commit: (batch, now) =>
      verb("commit", () => {
        checkBatch(batch);
        return batch.map((commit) => commitRun(state, commit, now));
      }),
    deliver: (batch, now) =>
      verb("deliver", () => batch.map((message) => deliverMessage(state, message, now))),
    getRuns: (runIds) => verb("getRuns", () => runIds.map((runId) => state.runs.get(runId)?.row ?? null)),
    listRuns: (query) => verb("listRuns", () => listRuns(state, query)),
    listEvents: (runId, after, limit) => verb("listEvents", () => listEvents(state, runId, after, limit)),
    listMail: (runs) => verb("listMail", () => runs.map(({ runId, after }) => listMail(state, runId, after))),
    getHookByToken: (token) => verb("getHookByToken", () => state.hooks.get(token) ?? null),
    listHooks: (query) => verb("listHooks", () => listHooks(state, query)),
    deleteRuns: (request) => verb("deleteRuns", () => deleteRuns(state, request)),
    subscribe: (listener) => state.subscribe(listener),
  };
}
