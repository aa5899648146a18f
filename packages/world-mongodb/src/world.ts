/**
 * The MongoDB World: puts the verbs together on one connection, and tells subscribers what they wrote.
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
import { callersClock, type StoreClock, serversClock } from "./clock.ts";
import { type Commit, commit } from "./commit.ts";
import { type Config, leaseKeeperOf } from "./config.ts";
import { Connection, type ServerFacts } from "./connection.ts";
import { Hints } from "./hints.ts";
import { hooks as hookDirectory } from "./hooks.ts";
import { journal as journalOf } from "./journal.ts";
import { type Mailbox, mailbox as mailboxOf } from "./mailbox.ts";
import { migrate } from "./migrations.ts";
import { type Reads, reads } from "./reads.ts";
import { type DeleteRuns, deleteRuns, remove } from "./retention.ts";
import { runs as runsOf } from "./runs.ts";
import { collectionsOf } from "./schema.ts";
import { type CreateRuns, createRuns } from "./start.ts";
import { values as valuesOf } from "./values.ts";
import { watchForChanges } from "./watch.ts";

/** What exists while the World is open. */
interface Opened {
  readonly connection: Connection;
  readonly clock: StoreClock;
  readonly hints: Hints;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly createRuns: CreateRuns;
  readonly claim: Claim;
  readonly renew: Renew;
  readonly commit: Commit;
  readonly mailbox: Mailbox;
  readonly reads: Reads;
  readonly deleteRuns: DeleteRuns;
}

export class MongodbWorld implements World {
  readonly name = "mongodb";
  readonly contractVersion: typeof CONTRACT_VERSION = CONTRACT_VERSION;
  readonly #config: Config;
  #opening: Promise<void> | undefined;
  #opened: Opened | undefined;

  constructor(config: Config) {
    this.#config = config;
  }

  /** Durability and notifications are what `open()` found the server to be; before that, the weaker answer. */
  get capabilities(): WorldCapabilities {
    const facts = this.#opened?.connection.facts;
    return {
      durability: facts !== undefined && outlivesTheServer(facts) ? "machine" : "process",
      notifications: facts !== undefined && facts.topology !== "standalone",
      commitsInFlight: 4,
      leaseKeeper: leaseKeeperOf(this.#config),
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
    opened?.hints.close();
    await opened?.connection.close();
  }

  async createRuns(batch: readonly CreateRun[], callersNow: number): Promise<readonly CreateRunResult[]> {
    if (batch.length === 0) return [];
    const { createRuns, clock, hints } = this.#open;
    const { results, due } = await createRuns(batch, await clock(callersNow));
    if (due) hints.emit(() => [{ type: "due" }]);
    return results;
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const { claim, clock } = this.#open;
    return claim(request, await clock(request.now));
  }

  async renew(request: RenewRequest): Promise<readonly RenewResult[]> {
    const { renew, clock } = this.#open;
    return renew(request, await clock(request.now));
  }

  async commit(batch: readonly RunCommit[], callersNow: number): Promise<readonly CommitResult[]> {
    if (batch.length === 0) return [];
    const { commit, clock, hints } = this.#open;
    const now = await clock(callersNow);
    const results = await commit(batch, now);
    hints.emit(() => hintsOf(batch, results, now));
    return results;
  }

  async deliver(batch: readonly Message[], callersNow: number): Promise<readonly DeliverResult[]> {
    if (batch.length === 0) return [];
    const { mailbox, clock, hints } = this.#open;
    const { results, runIds, due } = await mailbox.deliver(batch, await clock(callersNow));
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
        "The MongoDB World is not open. Call open() first; after close() it may be opened again.",
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
  const collections = collectionsOf(config.namespace);
  const { facts } = connection;
  try {
    const schemaVersion = await migrate(connection, collections);
    const byServer = config.clock === "store" && facts.tellsTime;
    const values = valuesOf(connection, collections);
    const journal = journalOf(connection, collections, values);
    const runs = runsOf(connection, collections, values);
    const hooks = hookDirectory(connection, collections, runs);
    const mailbox = mailboxOf({ connection, collections, runs, hooks });
    const store = { connection, collections, values, journal, runs, hooks, mailbox };
    return {
      connection,
      clock: byServer ? serversClock(() => connection.hello()) : callersClock,
      settings: {
        location: connection.location,
        namespace: config.namespace,
        schemaVersion,
        serverVersion: facts.version,
        topology: facts.topology,
        durability: durabilityOf(facts),
        clock: byServer ? "the server's" : "the caller's",
      },
      hints: new Hints({
        store: `${connection.location}\0${config.namespace}`,
        watch:
          facts.topology === "standalone"
            ? null
            : (onChange) => watchForChanges(connection.collection(collections.runs), onChange),
      }),
      createRuns: createRuns({ ...store, remove: remove(store) }),
      claim: claim(store),
      renew: renew(store),
      commit: commit(store),
      mailbox,
      reads: reads(store),
      deleteRuns: deleteRuns(store),
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Every write waits for the majority and its journal; a server that keeps nothing on a disk has none. */
function outlivesTheServer({ topology, persistent }: ServerFacts): boolean {
  return persistent === true || (persistent === "unknown" && topology !== "standalone");
}

function durabilityOf(facts: ServerFacts): string {
  if (facts.persistent === false) return "in memory: lost with the server";
  if (facts.topology !== "standalone") return "on the disks of a majority before it is acknowledged";
  if (facts.persistent === true) return "on the disk of one server before it is acknowledged";
  return "unknown: the server does not say whether it has a disk";
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
