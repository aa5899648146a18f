import { WorldError } from "../errors/index.ts";
import { outside } from "../outside.ts";
import type { Hint, WorldCapabilities } from "./capabilities.ts";
import type { CommitResult, RunCommit } from "./commit.ts";
import type { JournalEvent } from "./event.ts";
import type { Joined, JoinedRequest } from "./joining.ts";
import type { DeliverResult, Mail, Message } from "./mailbox.ts";
import { Mover } from "./mover.ts";
import type { HeldName, ListNamesQuery, NamePage } from "./name.ts";
import type { ListRunsQuery, RunFilter, RunPage } from "./read.ts";
import type { ListRecordsQuery, RecordPage, RecordWrite, RecordWriteResult, StoredRecord } from "./record.ts";
import { packRequest } from "./request-bytes.ts";
import type { RunRecord } from "./run.ts";
import type { ClaimRequest, ClaimResult, RenewRequest, RenewResult } from "./schedule.ts";
import type { CreateRun, CreateRunResult } from "./start.ts";
import type {
  AppendChunks,
  AppendResult,
  ListStreamsQuery,
  ReadChunks,
  StreamAddress,
  StreamPage,
  StreamPart,
  Streams,
} from "./stream.ts";
import { CONTRACT_VERSION, type World } from "./world.ts";
import { commitHints, deliveryHints, type NewMail } from "./write-hints.ts";

/**
 * What every adapter would write alike: opening once, closing once, refusing calls in between, and telling subscribers what
 * a write did. The store is called outside of the caller's async context, which a connection that it makes would keep. An
 * adapter that gives its verbs as an {@link OpenStore} needs nothing else.
 */

/** A batch of starts. */
export interface StartOutcome {
  readonly results: readonly CreateRunResult[];
  /** It made a run that waits for a worker. */
  readonly due: boolean;
}

/** A batch of messages. */
export interface Delivery extends NewMail {
  readonly results: readonly DeliverResult[];
}

/** The verbs of a store that is open. Each has the laws of the {@link World} method of its name. */
export interface OpenStore {
  /** What `describe()` shows. */
  readonly settings: Readonly<Record<string, string | number>>;
  readonly hints: {
    /** Tells subscribers, here and where it can elsewhere. Never waits, never throws. */
    emit(hints: () => Iterable<Hint>): void;
    subscribe(listener: (hint: Hint) => void): () => void;
  };
  /** As `World.createRuns`; it also says whether a worker must be woken. */
  readonly createRuns: (batch: readonly CreateRun[], now: number) => Promise<StartOutcome>;
  readonly claim: World["claim"];
  readonly renew: World["renew"];
  readonly commit: World["commit"];
  /** As `World.deliver`; it also says whose mail is new. */
  readonly deliver: (batch: readonly Message[], now: number) => Promise<Delivery>;
  /** The queries of the World. */
  readonly reads: Pick<
    World,
    | "getRuns"
    | "listRuns"
    | "countRuns"
    | "listEvents"
    | "listMail"
    | "listEndMail"
    | "getNames"
    | "listNames"
  >;
  readonly deleteRuns: World["deleteRuns"];
  readonly records: Pick<World, "readRecords" | "writeRecords" | "listRecords">;
  /** Missing where the World does not declare `capabilities.streams`. */
  readonly streams?: Streams;
  /** Why this store cannot join transactions and what to do, where others of its World's can. */
  readonly cannotJoin?: string;
  /** Missing where the World does not declare `capabilities.joining`. */
  readonly outbox?: {
    /** Writes a row into the user's transaction. */
    put(transaction: unknown, request: Uint8Array): Promise<void>;
    /** Carries out all rows that wait, and emits the hints of what it did. Where nothing waits it costs as little as can be. */
    move(): Promise<void>;
  };
  /** Ends subscriptions and connections. */
  close(): Promise<void>;
}

/** How a {@link StoredWorld} is made. */
export interface StoredWorldOptions<Store extends OpenStore> {
  /** Short name for logs, such as `sqlite`. */
  readonly name: string;
  /** As a person writes it, such as `SQLite`; for messages. */
  readonly title: string;
  /** Connects and migrates; leaves nothing open when it fails. */
  readonly openStore: () => Promise<Store>;
  /** `store` is there while the World is open: what only the server knows has the weaker answer before. */
  readonly capabilities: (store: Store | undefined) => WorldCapabilities;
}

const CANNOT_JOIN =
  "capabilities.joining is not true. Start and send after the commit, or use a World that can";

/** A World over an {@link OpenStore}. */
export class StoredWorld<Store extends OpenStore = OpenStore> implements World {
  readonly name: string;
  readonly contractVersion: typeof CONTRACT_VERSION = CONTRACT_VERSION;
  readonly #options: StoredWorldOptions<Store>;
  #opening: Promise<void> | undefined;
  #opened: Store | undefined;
  #mover: Mover | undefined;
  #capabilities: WorldCapabilities;

  constructor(options: StoredWorldOptions<Store>) {
    this.name = options.name;
    this.#options = options;
    this.#capabilities = options.capabilities(undefined);
  }

  get capabilities(): WorldCapabilities {
    return this.#capabilities;
  }

  describe(): Readonly<Record<string, string | number>> {
    return this.#store.settings;
  }

  open(): Promise<void> {
    this.#opening ??= outside(this.#options.openStore).then(
      (store) => {
        this.#use(store);
        return this.#mover?.look();
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
    const store = this.#opened;
    this.#use(undefined);
    this.#opening = undefined;
    await store?.close();
  }

  #use(store: Store | undefined): void {
    this.#opened = store;
    this.#mover = store?.outbox === undefined ? undefined : new Mover(store.outbox.move);
    this.#capabilities = this.#options.capabilities(store);
  }

  async createRuns(batch: readonly CreateRun[], now: number): Promise<readonly CreateRunResult[]> {
    const { createRuns, hints } = this.#store;
    if (batch.length === 0) return [];
    const { results, due } = await outside(() => createRuns(batch, now));
    if (due) hints.emit(() => [{ type: "due" }]);
    return results;
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const { claim } = this.#store;
    return outside(() => claim(request));
  }

  async renew(request: RenewRequest): Promise<readonly RenewResult[]> {
    const { renew } = this.#store;
    return request.leases.length === 0 ? [] : outside(() => renew(request));
  }

  async commit(batch: readonly RunCommit[], now: number): Promise<readonly CommitResult[]> {
    const { commit, hints } = this.#store;
    if (batch.length === 0) return [];
    const results = await outside(() => commit(batch, now));
    hints.emit(() => commitHints(batch, results, now));
    return results;
  }

  async deliver(batch: readonly Message[], now: number): Promise<readonly DeliverResult[]> {
    const { deliver, hints } = this.#store;
    if (batch.length === 0) return [];
    const { results, runIds, due } = await outside(() => deliver(batch, now));
    hints.emit(() => deliveryHints({ runIds, due }));
    return results;
  }

  joining(transaction: unknown): Joined {
    const { outbox, cannotJoin = CANNOT_JOIN } = this.#store;
    if (outbox === undefined) {
      throw new WorldError(`The ${this.#options.title} World cannot join a transaction: ${cannotJoin}.`, {
        retryable: false,
      });
    }
    // In the caller's async context, by which some libraries know their transaction.
    const put = async (request: JoinedRequest): Promise<void> => {
      if (request.batch.length > 0) await outbox.put(transaction, packRequest(request));
    };
    return {
      createRuns: (batch, now) => put({ type: "createRuns", batch, now }),
      deliver: (batch, now) => put({ type: "deliver", batch, now }),
    };
  }

  async getRuns(runIds: readonly string[]): Promise<readonly (RunRecord | null)[]> {
    const { reads } = this.#store;
    return outside(() => reads.getRuns(runIds));
  }

  async listRuns(query: ListRunsQuery): Promise<RunPage> {
    const { reads } = this.#store;
    return outside(() => reads.listRuns(query));
  }

  async countRuns(filter: RunFilter): Promise<number> {
    const { reads } = this.#store;
    return outside(() => reads.countRuns(filter));
  }

  async listEvents(runId: string, after: number, limit: number): Promise<readonly JournalEvent[]> {
    const { reads } = this.#store;
    return outside(() => reads.listEvents(runId, after, limit));
  }

  async listMail(
    runs: readonly { readonly runId: string; readonly after: number }[],
  ): Promise<readonly (readonly Mail[])[]> {
    const { reads } = this.#store;
    return outside(() => reads.listMail(runs));
  }

  async listEndMail(runId: string, after: number, limit: number): Promise<readonly Mail[]> {
    const { reads } = this.#store;
    return outside(() => reads.listEndMail(runId, after, limit));
  }

  async getNames(names: readonly string[], now: number): Promise<readonly (HeldName | null)[]> {
    const { reads } = this.#store;
    return names.length === 0 ? [] : outside(() => reads.getNames(names, now));
  }

  async listNames(query: ListNamesQuery): Promise<NamePage> {
    const { reads } = this.#store;
    return outside(() => reads.listNames(query));
  }

  async deleteRuns(runIds: readonly string[]): Promise<number> {
    const { deleteRuns } = this.#store;
    return runIds.length === 0 ? 0 : outside(() => deleteRuns(runIds));
  }

  async readRecords(keys: readonly string[], now: number): Promise<readonly (StoredRecord | null)[]> {
    const { records } = this.#store;
    return keys.length === 0 ? [] : outside(() => records.readRecords(keys, now));
  }

  async writeRecords(batch: readonly RecordWrite[], now: number): Promise<readonly RecordWriteResult[]> {
    const { records } = this.#store;
    return batch.length === 0 ? [] : outside(() => records.writeRecords(batch, now));
  }

  async listRecords(query: ListRecordsQuery): Promise<RecordPage> {
    const { records } = this.#store;
    return outside(() => records.listRecords(query));
  }

  async appendChunks(batch: readonly AppendChunks[]): Promise<readonly AppendResult[]> {
    const [streams, { hints }] = [this.#streams, this.#store];
    if (batch.length === 0) return [];
    const results = await outside(() => streams.appendChunks(batch));
    hints.emit(() =>
      batch
        .filter((_, index) => results[index]?.outcome === "appended")
        .map(({ runId, name }): Hint => ({ type: "stream", runId, name })),
    );
    return results;
  }

  async readChunks(query: ReadChunks): Promise<StreamPart | null> {
    const streams = this.#streams;
    return outside(() => streams.readChunks(query));
  }

  async closeStream(stream: StreamAddress): Promise<boolean> {
    const [streams, { hints }] = [this.#streams, this.#store];
    const { runId, name } = stream;
    const stored = await outside(() => streams.closeStream(stream));
    if (stored) hints.emit(() => [{ type: "stream", runId, name }]);
    return stored;
  }

  async listStreams(query: ListStreamsQuery): Promise<StreamPage> {
    const streams = this.#streams;
    return outside(() => streams.listStreams(query));
  }

  subscribe(listener: (hint: Hint) => void): () => void {
    const { hints } = this.#store;
    const listening = (hint: Hint): void => {
      if (hint.type === "outbox" || hint.type === "changed") void this.#mover?.look();
      if (hint.type !== "outbox") listener(hint);
    };
    return outside(() => hints.subscribe(listening));
  }

  get #streams(): Streams {
    const { streams } = this.#store;
    if (streams !== undefined) return streams;
    throw new WorldError(
      `The ${this.#options.title} World has no streams: capabilities.streams is not true. Use a World that has them.`,
      { retryable: false },
    );
  }

  get #store(): Store {
    if (this.#opened === undefined) {
      throw new WorldError(
        `The ${this.#options.title} World is not open. Call open() first; after close() it may be opened again.`,
        { retryable: false },
      );
    }
    return this.#opened;
  }
}
