import type { StepRow, StepRows, StoredResult, TransactionalDatabase } from "../database.ts";

/** What is used of a `MongoClient`. */
interface MongoLike<Session> {
  startSession(): Session;
  db(name?: string): { collection(name: string): unknown };
}

interface Session {
  startTransaction(): void;
  commitTransaction(): Promise<void>;
  abortTransaction(): Promise<void>;
  endSession(): Promise<void>;
}

interface Collection {
  findOneAndUpdate(filter: object, update: object, options: object): Promise<StepDocument | null>;
  findOne(filter: object, options: object): Promise<StepDocument | null>;
  updateOne(filter: object, update: object, options: object): Promise<unknown>;
  deleteMany(filter: object, options: object): Promise<{ readonly deletedCount: number }>;
  aggregate(stages: object[], options: object): { toArray(): Promise<readonly { readonly _id: string }[]> };
  createIndex(keys: object): Promise<unknown>;
}

interface StepDocument {
  readonly _id: string;
  readonly runId: string;
  readonly formerRunIds: readonly string[];
  readonly failedAttempt: number;
  readonly completed: boolean;
  readonly result: string | null;
}

/** Options of {@link fromMongo}. */
export interface MongoOptions {
  /** The database of the collection. Default: that of the client's URL. */
  readonly database?: string;
  /** The collection of this package. Default `"perdure_transactions"`. */
  readonly collection?: string;
}

/** So often a commit is sent whose answer does not come. */
const COMMITS = 5;

/**
 * The driver of MongoDB, on a replica set or a sharded cluster: transactions need one. The transaction is a `ClientSession`, which
 * goes with each operation.
 */
export function fromMongo<S extends Session>(
  client: MongoLike<S>,
  options: MongoOptions = {},
): TransactionalDatabase<S> {
  const table = options.collection ?? "perdure_transactions";
  const collection = client.db(options.database).collection(table) as Collection;
  return {
    name: "MongoDB (fromMongo)",
    table,
    async transaction(work) {
      const session = client.startSession();
      try {
        session.startTransaction();
        try {
          const value = await work(session);
          await commit(session);
          return value;
        } catch (error) {
          await session.abortTransaction().catch(() => {});
          throw error;
        }
      } finally {
        await session.endSession();
      }
    },
    rows: (session) => mongoRows(collection, session),
    // A transaction may make the collection, but not wait for another one that does.
    async createTable() {
      await collection.createIndex({ runId: 1, writtenAt: 1 });
    },
    isPassing: (error) => hasLabel(error, "TransientTransactionError"),
    isMissingTable: () => false,
  };
}

function mongoRows(collection: Collection, session: Session): StepRows {
  return {
    async take(stepId, runId, now) {
      const fresh = {
        ...{ runId, formerRunIds: [], failedAttempt: 0, completed: false, result: null, writtenAt: now },
      };
      // It is written, so of two transactions that take it one is refused.
      const document = await collection.findOneAndUpdate(
        { _id: stepId },
        { $setOnInsert: fresh, $inc: { taken: 1 } },
        { session, upsert: true, returnDocument: "after" },
      );
      return stepRow(document as StepDocument);
    },
    async own(stepId, { runId, formerRunIds, failedAttempt }) {
      await collection.updateOne(
        { _id: stepId },
        { $set: { runId, formerRunIds, failedAttempt } },
        { session },
      );
    },
    async read(id) {
      const document = await collection.findOne({ _id: id }, { session });
      return document === null ? null : stepRow(document).result;
    },
    async complete(id, { text }, runId, now) {
      await collection.updateOne(
        { _id: id },
        {
          $set: { completed: true, result: text, writtenAt: now },
          $setOnInsert: { runId, formerRunIds: [], failedAttempt: 0 },
        },
        { session, upsert: true },
      );
    },
    async runsBefore(time, after, limit) {
      const match = { runId: { $gt: after }, writtenAt: { $lt: time } };
      const found = await collection
        .aggregate(
          [{ $match: match }, { $group: { _id: "$runId" } }, { $sort: { _id: 1 } }, { $limit: limit }],
          { session },
        )
        .toArray();
      return found.map(({ _id }) => _id);
    },
    async remove(runIds, time) {
      const filter = { runId: { $in: [...runIds] }, writtenAt: { $lt: time } };
      return (await collection.deleteMany(filter, { session })).deletedCount;
    },
  };
}

function stepRow({ runId, formerRunIds, failedAttempt, completed, result }: StepDocument): StepRow {
  const stored: StoredResult | null = completed ? { text: result } : null;
  return { runId, formerRunIds, failedAttempt, result: stored };
}

async function commit(session: Session): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await session.commitTransaction();
      return;
    } catch (error) {
      if (tries === COMMITS || !hasLabel(error, "UnknownTransactionCommitResult")) throw error;
    }
  }
}

function hasLabel(error: unknown, label: string): boolean {
  const { hasErrorLabel } = error as { hasErrorLabel?: (label: string) => boolean };
  return typeof hasErrorLabel === "function" && hasErrorLabel.call(error, label);
}
