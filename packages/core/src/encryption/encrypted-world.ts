import { processWide } from "../process-wide.ts";
import type { Hint, WorldCapabilities } from "../world/capabilities.ts";
import type {
  AppendChunks,
  AppendResult,
  ClaimRequest,
  ClaimResult,
  CommitResult,
  CreateRun,
  CreateRunResult,
  DeliverResult,
  HeldName,
  Joined,
  JournalEvent,
  ListNamesQuery,
  ListRecordsQuery,
  ListRunsQuery,
  ListStreamsQuery,
  Mail,
  MakeStart,
  Message,
  NamePage,
  ReadChunks,
  RecordPage,
  RecordWrite,
  RecordWriteResult,
  RenewRequest,
  RenewResult,
  RunCommit,
  RunFilter,
  RunPage,
  RunRecord,
  StoredRecord,
  StreamAddress,
  StreamPage,
  StreamPart,
} from "../world/index.ts";
import { CONTRACT_VERSION, type World } from "../world/world.ts";
import { Cipher } from "./cipher.ts";
import { areSame, type EncryptionTerms } from "./options.ts";
import {
  chunkValues,
  claimedValues,
  commitValues,
  eventValues,
  heldValues,
  messageValues,
  partValues,
  recordResultValues,
  recordValues,
  rowValues,
  startResultValues,
  startValues,
} from "./places.ts";
import { isSealed, SEAL_OVERHEAD, sealedOfText, textOfSealed } from "./sealed-bytes.ts";

/** What batches hold at most of what the World says: the values in them grow when they are encrypted. */
const BATCH_SHARE = 0.7;
const DEFAULT_LARGEST_BATCH = 16 * 1024 * 1024;

/** Those of this process, of every copy of this package. */
const worlds: WeakSet<World> = processWide("encrypted-worlds", () => new WeakSet());

/** The World, if it encrypts what it is given, else `null`. */
export function asEncrypted(world: World): EncryptedWorld | null {
  return worlds.has(world) ? (world as EncryptedWorld) : null;
}

/**
 * A World whose store never sees a value: each is encrypted on its way in and decrypted on its way out. So whatever the core compares,
 * copies or hands on, it does so with values as they are, and no store learns anything of encryption.
 */
export class EncryptedWorld implements World {
  readonly name: string;
  readonly contractVersion: typeof CONTRACT_VERSION = CONTRACT_VERSION;
  /** The World with the store. */
  readonly plain: World;
  /** Not to be seen where the World is printed. */
  readonly #terms: EncryptionTerms;
  readonly #cipher: Cipher;
  #capabilities: { readonly of: WorldCapabilities; readonly here: WorldCapabilities } | undefined;

  constructor(plain: World, terms: EncryptionTerms) {
    worlds.add(this);
    this.name = plain.name;
    this.plain = plain;
    this.#terms = terms;
    this.#cipher = new Cipher(terms);
  }

  /** Whether it encrypts in the same way. */
  isOf(terms: EncryptionTerms): boolean {
    return areSame(this.#terms, terms);
  }

  get capabilities(): WorldCapabilities {
    const of = this.plain.capabilities;
    if (this.#capabilities?.of !== of) {
      const { largestValue, largestBatch = DEFAULT_LARGEST_BATCH } = of;
      const here: WorldCapabilities = {
        ...of,
        largestBatch: Math.floor(largestBatch * BATCH_SHARE),
        ...(largestValue !== undefined && { largestValue: largestValue - SEAL_OVERHEAD }),
      };
      this.#capabilities = { of, here };
    }
    return this.#capabilities.here;
  }

  describe(): Readonly<Record<string, string | number>> {
    return { ...this.plain.describe(), encryptionKey: this.#cipher.current };
  }

  open(): Promise<void> {
    return this.plain.open();
  }

  close(): Promise<void> {
    return this.plain.close();
  }

  async createRuns(batch: readonly CreateRun[], now: number): Promise<readonly CreateRunResult[]> {
    const sealed = await this.#cipher.seal(batch, (runs, seal) => runs.map((run) => startValues(run, seal)));
    const results = await this.plain.createRuns(sealed, now);
    return await this.#cipher.open(results, (all, open) => all.map((one) => startResultValues(one, open)));
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const result = await this.plain.claim(request);
    return await this.#cipher.open(result, (all, open) => ({
      ...all,
      runs: all.runs.map((claimed) => claimedValues(claimed, open)),
    }));
  }

  renew(request: RenewRequest): Promise<readonly RenewResult[]> {
    return this.plain.renew(request);
  }

  async commit(batch: readonly RunCommit[], now: number): Promise<readonly CommitResult[]> {
    const sealed = await this.#cipher.seal(batch, (commits, seal) =>
      commits.map((one) => commitValues(one, seal)),
    );
    return await this.plain.commit(sealed, now);
  }

  async deliver(batch: readonly Message[], now: number): Promise<readonly DeliverResult[]> {
    const sealed = await this.#cipher.seal(batch, (all, seal) => all.map((one) => messageValues(one, seal)));
    return await this.plain.deliver(sealed, now);
  }

  joining(transaction: unknown): Joined {
    const joined = this.plain.joining(transaction);
    return {
      createRuns: async (batch, now) => {
        const sealed = await this.#cipher.seal(batch, (runs, seal) =>
          runs.map((run) => startValues(run, seal)),
        );
        await joined.createRuns(sealed, now);
      },
      deliver: async (batch, now) => {
        const sealed = await this.#cipher.seal(batch, (all, seal) =>
          all.map((one) => messageValues(one, seal)),
        );
        await joined.deliver(sealed, now);
      },
    };
  }

  useStarts(make: MakeStart): void {
    this.plain.useStarts?.(
      async (start) => await this.#cipher.seal(await make(start), (run, seal) => startValues(run, seal)),
    );
  }

  /** A text that is kept outside of the World, encrypted; it opens under the same id only. */
  async sealText(text: string, id: string): Promise<string> {
    return await this.#cipher.seal(text, (plain, seal) =>
      textOfSealed(seal(Buffer.from(plain, "utf8"), ["record", id])),
    );
  }

  /** The text that {@link sealText} was given; as it is where it is not encrypted, or cannot be opened. */
  async openText(text: string, id: string): Promise<string> {
    const stored = sealedOfText(text) ?? Buffer.from(text, "utf8");
    const opened = await this.#cipher.open<Uint8Array>(stored, (bytes, open) => open(bytes, ["record", id]));
    return isSealed(opened) ? textOfSealed(opened) : Buffer.from(opened).toString("utf8");
  }

  async getRuns(runIds: readonly string[]): Promise<readonly (RunRecord | null)[]> {
    const runs = await this.plain.getRuns(runIds);
    return await this.#cipher.open(runs, (all, open) => all.map((run) => run && rowValues(run, open)));
  }

  async listRuns(query: ListRunsQuery): Promise<RunPage> {
    const page = await this.plain.listRuns(query);
    if (query.payloads !== true) return page;
    return await this.#cipher.open(page, (all, open) => ({
      ...all,
      runs: all.runs.map((run) => rowValues(run, open)),
    }));
  }

  countRuns(filter: RunFilter): Promise<number> {
    return this.plain.countRuns(filter);
  }

  async listEvents(runId: string, after: number, limit: number): Promise<readonly JournalEvent[]> {
    const events = await this.plain.listEvents(runId, after, limit);
    return await this.#cipher.open(events, (all, open) =>
      all.map((event) => eventValues(event, runId, open)),
    );
  }

  async listMail(
    runs: readonly { readonly runId: string; readonly after: number }[],
  ): Promise<readonly (readonly Mail[])[]> {
    const mail = await this.plain.listMail(runs);
    return await this.#cipher.open(mail, (all, open) =>
      all.map((one) => one.map((each) => messageValues(each, open))),
    );
  }

  async listEndMail(runId: string, after: number, limit: number): Promise<readonly Mail[]> {
    const mail = await this.plain.listEndMail(runId, after, limit);
    return await this.#cipher.open(mail, (all, open) => all.map((each) => messageValues(each, open)));
  }

  async getNames(names: readonly string[], now: number): Promise<readonly (HeldName | null)[]> {
    const held = await this.plain.getNames(names, now);
    return await this.#cipher.open(held, (all, open) => all.map((one) => one && heldValues(one, open)));
  }

  async listNames(query: ListNamesQuery): Promise<NamePage> {
    const page = await this.plain.listNames(query);
    return await this.#cipher.open(page, (all, open) => ({
      ...all,
      names: all.names.map((one) => heldValues(one, open)),
    }));
  }

  deleteRuns(runIds: readonly string[]): Promise<number> {
    return this.plain.deleteRuns(runIds);
  }

  async readRecords(keys: readonly string[], now: number): Promise<readonly (StoredRecord | null)[]> {
    const records = await this.plain.readRecords(keys, now);
    return await this.#cipher.open(records, (all, open) => all.map((one) => one && recordValues(one, open)));
  }

  async writeRecords(batch: readonly RecordWrite[], now: number): Promise<readonly RecordWriteResult[]> {
    const sealed = await this.#cipher.seal(batch, (all, seal) => all.map((one) => recordValues(one, seal)));
    const results = await this.plain.writeRecords(sealed, now);
    return await this.#cipher.open(results, (all, open) => all.map((one) => recordResultValues(one, open)));
  }

  async listRecords(query: ListRecordsQuery): Promise<RecordPage> {
    const page = await this.plain.listRecords(query);
    return await this.#cipher.open(page, (all, open) => ({
      ...all,
      records: all.records.map((one) => recordValues(one, open)),
    }));
  }

  async appendChunks(batch: readonly AppendChunks[]): Promise<readonly AppendResult[]> {
    const sealed = await this.#cipher.seal(batch, (all, seal) => all.map((one) => chunkValues(one, seal)));
    return await this.plain.appendChunks(sealed);
  }

  async readChunks(query: ReadChunks): Promise<StreamPart | null> {
    const part = await this.plain.readChunks(query);
    const { runId, name } = query;
    return await this.#cipher.open(part, (one, open) => one && partValues(one, runId, name, open));
  }

  closeStream(stream: StreamAddress): Promise<boolean> {
    return this.plain.closeStream(stream);
  }

  listStreams(query: ListStreamsQuery): Promise<StreamPage> {
    return this.plain.listStreams(query);
  }

  subscribe(listener: (hint: Hint) => void): () => void {
    return this.plain.subscribe(listener);
  }
}
