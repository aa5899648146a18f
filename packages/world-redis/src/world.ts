/**
 * The Redis World: puts the verbs together on one client, and tells subscribers what they wrote.
 */
import { WorldError } from "@perdure/core/errors";
import {
  type ClaimRequest,
  type ClaimResult,
  CONTRACT_VERSION,
  type CommitResult,
  type CreateRun,
  type CreateRunResult,
  type DeleteRunsRequest,
  type DeliverResult,
  type Hint,
  type HookPage,
  type HookRecord,
  type JournalEvent,
  type ListHooksQuery,
  type ListRunsQuery,
  type Mail,
  type Message,
  type RenewRequest,
  type RenewResult,
  type RunCommit,
  type RunPage,
  type RunRecord,
  type World,
  type WorldCapabilities,
} from "@perdure/core/world";
import type { Config } from "./config.ts";
import { closeStore, type Opened, openStore } from "./store.ts";

// With more batches under way each is smaller, and the server does one after the other anyway.
const COMMITS_IN_FLIGHT = 2;

export class RedisWorld implements World {
  readonly name = "redis";
  readonly contractVersion: typeof CONTRACT_VERSION = CONTRACT_VERSION;
  readonly #config: Config;
  #opening: Promise<void> | undefined;
  #opened: Opened | undefined;

  constructor(config: Config) {
    this.#config = config;
  }

  /** `durability` is known once the server was asked: `nothing` until `open()`. */
  get capabilities(): WorldCapabilities {
    return {
      durability: this.#opened?.durability ?? "nothing",
      notifications: true,
      commitsInFlight: COMMITS_IN_FLIGHT,
      leaseKeeper: this.#config.leaseKeeper,
    };
  }

  describe(): Readonly<Record<string, string | number>> {
    return this.#open.settings;
  }

  open(): Promise<void> {
    this.#opening ??= openStore(this.#config).then(
      (opened) => {
        this.#opened = opened;
      },
      (error: unknown) => {
        this.#opening = undefined;
        throw error;
      },
    );
    return this.#opening;
  }

  async close(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    const opened = this.#opened;
    this.#opened = undefined;
    this.#opening = undefined;
    if (opened !== undefined) await closeStore(opened);
  }

  async createRuns(batch: readonly CreateRun[], now: number): Promise<readonly CreateRunResult[]> {
    const { createRuns, hints } = this.#open;
    const { results, due } = await createRuns(batch, now);
    if (due) hints.emit([{ type: "due" }]);
    return results;
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    return this.#open.claim(request);
  }

  async renew(request: RenewRequest): Promise<readonly RenewResult[]> {
    return this.#open.renew(request);
  }

  async commit(batch: readonly RunCommit[], now: number): Promise<readonly CommitResult[]> {
    const { commit, hints } = this.#open;
    const results = await commit(batch, now);
    hints.emit(hintsOf(batch, results, now));
    return results;
  }

  async deliver(batch: readonly Message[], now: number): Promise<readonly DeliverResult[]> {
    const { deliver, hints } = this.#open;
    const { results, runIds, due } = await deliver(batch, now);
    hints.emit([
      ...runIds.map((runId): Hint => ({ type: "mail", runId })),
      ...(due ? [{ type: "due" } as const] : []),
    ]);
    return results;
  }

  async getRuns(runIds: readonly string[]): Promise<readonly (RunRecord | null)[]> {
    return this.#open.reads.getRuns(runIds);
  }

  async listRuns(query: ListRunsQuery): Promise<RunPage> {
    return this.#open.reads.listRuns(query);
  }

  async listEvents(runId: string, after: number, limit: number): Promise<readonly JournalEvent[]> {
    return this.#open.reads.listEvents(runId, after, limit);
  }

  async listMail(
    runs: readonly { readonly runId: string; readonly after: number }[],
  ): Promise<readonly (readonly Mail[])[]> {
    return this.#open.reads.listMail(runs);
  }

  async getHookByToken(token: string): Promise<HookRecord | null> {
    return this.#open.reads.getHookByToken(token);
  }

  async listHooks(query: ListHooksQuery): Promise<HookPage> {
    return this.#open.reads.listHooks(query);
  }

  async deleteRuns(request: DeleteRunsRequest): Promise<number> {
    return this.#open.deleteRuns(request);
  }

  subscribe(listener: (hint: Hint) => void): () => void {
    return this.#open.hints.subscribe(listener);
  }

  get #open(): Opened {
    if (this.#opened === undefined) {
      throw new WorldError(
        "The Redis World is not open. Call open() first; after close() it may be opened again.",
        { retryable: false },
      );
    }
    return this.#opened;
  }
}

function* hintsOf(
  batch: readonly RunCommit[],
  results: readonly CommitResult[],
  now: number,
): Generator<Hint> {
  let due = false;
  for (const [index, { runId, lease, mailDone }] of batch.entries()) {
    const result = results[index];
    if (result?.outcome !== "committed") continue;
    if (lease.type === "finish") yield { type: "finished", runId };
    if (lease.type === "park") {
      due ||= result.mailSeq > mailDone || (lease.dueAt !== null && lease.dueAt <= now);
    }
  }
  if (due) yield { type: "due" };
}
