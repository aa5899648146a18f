/**
 * The Postgres World: puts the verbs together on its connections, and tells subscribers what they wrote.
 */
import { createHash } from "node:crypto";
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
  type LeaseKeeper,
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
import { type Claim, claim, type Renew, renew } from "./claim.ts";
import { type Commit, commit } from "./commit.ts";
import { type Config, leaseKeeperOf } from "./config.ts";
import { Connection } from "./connection.ts";
import { type HintChannel, Hints } from "./hints.ts";
import { type Deliver, deliver } from "./mailbox.ts";
import { migrate } from "./migrations.ts";
import { type Reads, reads } from "./reads.ts";
import { type DeleteRuns, deleteRuns } from "./retention.ts";
import { tablesOf } from "./schema.ts";
import { readSettings, type Settings } from "./settings.ts";
import { type CreateRuns, createRuns } from "./start.ts";

// While one batch is flushed to the disk, the next ones fill. More than this only makes them smaller.
const COMMITS_IN_FLIGHT = 4;

/** What exists while the World is open. */
interface Opened {
  readonly connection: Connection;
  readonly hints: Hints;
  readonly settings: Settings;
  readonly createRuns: CreateRuns;
  readonly claim: Claim;
  readonly renew: Renew;
  readonly commit: Commit;
  readonly deliver: Deliver;
  readonly reads: Reads;
  readonly deleteRuns: DeleteRuns;
}

export class PostgresWorld implements World {
  readonly name = "postgres";
  readonly contractVersion: typeof CONTRACT_VERSION = CONTRACT_VERSION;
  readonly #config: Config;
  readonly #leaseKeeper: LeaseKeeper | null;
  #opening: Promise<void> | undefined;
  #opened: Opened | undefined;

  constructor(config: Config) {
    this.#config = config;
    this.#leaseKeeper = leaseKeeperOf(config);
  }

  /** Before `open()` has read the server's settings, the weaker answers. */
  get capabilities(): WorldCapabilities {
    return {
      durability: this.#opened?.settings.durability ?? "process",
      notifications: this.#opened?.settings.described.notifications === "on",
      commitsInFlight: COMMITS_IN_FLIGHT,
      leaseKeeper: this.#leaseKeeper,
    };
  }

  describe(): Readonly<Record<string, string | number>> {
    return this.#open.settings.described;
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
    opened?.hints.close();
    await opened?.connection.close();
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
        "The Postgres World is not open. Call open() first; after close() it may be opened again.",
        { retryable: false },
      );
    }
    return this.#opened;
  }
}

async function openStore(config: Config): Promise<Opened> {
  const connection = new Connection(config);
  const tables = tablesOf(config.schema, config.namespace);
  const { callersClock } = config;
  try {
    await connection.ready(config.openTimeout);
    const schemaVersion = await migrate(connection, tables, { check: !config.migrate });
    const settings = await readSettings(connection, config, schemaVersion);
    const { getRuns, ...others } = reads(connection, tables);
    return {
      connection,
      settings,
      hints: new Hints(settings.described.notifications === "on" ? channelOf(connection, config) : null),
      createRuns: createRuns(connection, tables, callersClock, getRuns),
      claim: claim(connection, tables, callersClock),
      renew: renew(connection, tables, callersClock),
      commit: commit(connection, tables, callersClock),
      deliver: deliver(connection, tables, callersClock),
      reads: { getRuns, ...others },
      deleteRuns: deleteRuns(connection, tables),
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

function channelOf(connection: Connection, config: Config): HintChannel | null {
  const { connectAlone } = connection;
  if (connectAlone === undefined) return null;
  const store = createHash("sha1").update(`${config.schema}.${config.namespace}`).digest("hex");
  return {
    channel: `perdure_${store.slice(0, 20)}`,
    connect: connectAlone,
    logger: config.logger,
    // A notification is a transaction of its own. It need not reach the disk.
    notify: async (channel, payload) => {
      const text = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";
      await connection.callAside("notify", text, [channel, payload]);
    },
  };
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
