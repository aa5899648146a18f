/**
 * The SQLite World: puts the verbs together on one connection, and tells subscribers what they wrote.
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
import { type Claim, claim, type Renew, renew } from "./claim.ts";
import { type Commit, commit } from "./commit.ts";
import { type Config, capabilitiesOf } from "./config.ts";
import { Connection } from "./connection.ts";
import { Hints } from "./hints.ts";
import { type Deliver, deliver } from "./mailbox.ts";
import { migrate } from "./migrations.ts";
import { type Reads, reads } from "./reads.ts";
import { type DeleteRuns, deleteRuns } from "./retention.ts";
import { tablesOf } from "./schema.ts";
import { type CreateRuns, createRuns } from "./start.ts";

/** What exists while the World is open. */
interface Opened {
  readonly connection: Connection;
  readonly hints: Hints;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly createRuns: CreateRuns;
  readonly claim: Claim;
  readonly renew: Renew;
  readonly commit: Commit;
  readonly deliver: Deliver;
  readonly reads: Reads;
  readonly deleteRuns: DeleteRuns;
}

export class SqliteWorld implements World {
  readonly name = "sqlite";
  readonly contractVersion: typeof CONTRACT_VERSION = CONTRACT_VERSION;
  readonly capabilities: WorldCapabilities;
  readonly #config: Config;
  #opening: Promise<void> | undefined;
  #opened: Opened | undefined;

  constructor(config: Config) {
    this.#config = config;
    this.capabilities = capabilitiesOf(config);
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
    this.#opened?.hints.close();
    this.#opened?.connection.close();
    this.#opened = undefined;
    this.#opening = undefined;
  }

  async createRuns(batch: readonly CreateRun[], now: number): Promise<readonly CreateRunResult[]> {
    const { createRuns, hints } = this.#open;
    const { results, due } = await createRuns(batch, now);
    if (due) hints.emit(() => [{ type: "due" }]);
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
    hints.emit(() => hintsOf(batch, results, now));
    return results;
  }

  async deliver(batch: readonly Message[], now: number): Promise<readonly DeliverResult[]> {
    const { deliver, hints } = this.#open;
    const { results, runIds, due } = await deliver(batch, now);
    hints.emit(() => [
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
        "The SQLite World is not open. Call open() first; after close() it may be opened again.",
        {
          retryable: false,
        },
      );
    }
    return this.#opened;
  }
}

async function openStore(config: Config): Promise<Opened> {
  const connection = await Connection.open(config);
  const tables = tablesOf(config.namespace);
  try {
    const schemaVersion = await migrate(connection, tables);
    return {
      connection,
      settings: {
        path: connection.location,
        namespace: config.namespace,
        schemaVersion,
        sqliteVersion: connection.sqliteVersion(),
        journalMode: connection.pragma("journal_mode"),
        synchronous: SYNCHRONOUS[Number(connection.pragma("synchronous"))] ?? "extra",
        pageSize: connection.pragma("page_size"),
        walAutocheckpoint: connection.pragma("wal_autocheckpoint"),
        busyTimeout: config.busyTimeout,
      },
      hints: new Hints({
        store: storeOf(config, connection),
        file: config.file,
        readVersion: () => connection.dataVersion(),
      }),
      createRuns: createRuns(connection, tables),
      claim: claim(connection, tables),
      renew: renew(connection, tables),
      commit: commit(connection, tables),
      deliver: deliver(connection, tables),
      reads: reads(connection, tables),
      deleteRuns: deleteRuns(connection, tables),
    };
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** The names of SQLite's numbers. */
const SYNCHRONOUS = ["off", "normal", "full", "extra"] as const;

/** Equal for two instances of this process whose writes concern each other. */
function storeOf(config: Config, connection: Connection): unknown {
  if (config.file !== null) return `${config.file}\0${config.namespace}`;
  return config.database ?? connection;
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
