/**
 * Starting runs: row, first events, names, first mail and first lease in one call, which is one transaction.
 *
 * Level: READ COMMITTED (see `connection.ts`). Two starts with one name meet on the unique key of the names: the second one
 * waits for the first one's transaction and then finds its name. Two sendings of one request meet there, or on the unique
 * index of the run ids, and two sendings of one message on that of the message ids. Names are locked in their order, before
 * runs are made in the order of their ids, and messages in the order of theirs.
 */
import type { CreateRun, CreateRunResult, HeldName, RunRecord, StartOutcome } from "@perdure/core/world";
import { claimColumns } from "./acts.ts";
import { type Change, changesOf } from "./changes.ts";
import type { Connection } from "./connection.ts";
import { CREATE_RUNS, type StartCall } from "./functions/create-runs.ts";
import { Bytes, inCalls, whole } from "./packing.ts";
import { callOf, valuesOf } from "./parameters.ts";
import type { Tables } from "./tables.ts";
import { fromStored, toStored, toStoredOrNull } from "./text.ts";

interface AnswerRow {
  readonly place: number;
  /** `created` and `leased` by an earlier sending, without and with the lease that it asked for. */
  readonly outcome: "new" | "created" | "leased" | "held" | "mailed";
  /** The name, or the message. */
  readonly about: string | null;
  /** The run that has the message. */
  readonly holder: string | null;
}

/** Who holds names, with the rows of the runs. */
export type GetHolders = (
  names: readonly string[],
  now: number,
) => Promise<ReadonlyMap<string, { readonly name: HeldName; readonly run: RunRecord }>>;

export type CreateRuns = (batch: readonly CreateRun[], now: number) => Promise<StartOutcome>;

export function createRuns(
  connection: Connection,
  tables: Tables,
  callersClock: boolean,
  getHolders: GetHolders,
): CreateRuns {
  const text = callOf(tables.functions.createRuns, CREATE_RUNS);

  /** The answers by run id. */
  async function send({ part, values }: SentStarts, now: number): Promise<Map<string, CreateRunResult>> {
    const rows = await connection.call<AnswerRow>("create runs", text, values);
    const names = rows.flatMap(({ outcome, about }) =>
      outcome === "held" && about !== null ? [fromStored(about)] : [],
    );
    const holders = names.length === 0 ? new Map<never, never>() : await getHolders(names, now);
    const answers = new Map<string, CreateRunResult>();
    const again: CreateRun[] = [];
    for (const row of rows) {
      const request = part[row.place - 1];
      if (request === undefined) continue;
      const about = fromStored(row.about ?? "");
      if (row.outcome === "held") {
        const holder = holders.get(about as never) as { name: HeldName; run: RunRecord } | undefined;
        if (holder !== undefined) answers.set(request.runId, { outcome: "held", ...holder });
        // It has become free a moment ago.
        else again.push(request);
      } else if (row.outcome === "mailed") {
        const runId = fromStored(row.holder ?? "");
        answers.set(request.runId, { outcome: "mailed", messageId: about, runId });
      } else {
        answers.set(request.runId, created(request, row.outcome !== "created"));
      }
    }
    for (const call of startCalls(again, now, callersClock)) {
      for (const [runId, answer] of await send(call, now)) answers.set(runId, answer);
    }
    return answers;
  }

  return async (batch, now) => {
    if (batch.length === 0) return { results: [], due: false };
    const answers = new Map<string, CreateRunResult>();
    for (const call of startCalls(batch, now, callersClock)) {
      for (const [runId, answer] of await send(call, now)) answers.set(runId, answer);
    }
    const results = batch.map(({ runId }) => answers.get(runId) as CreateRunResult);
    const due = results.some((result) => result.outcome === "created" && result.lease === null);
    return { results, due };
  };
}

/** Some starts, and the values of the call that makes them. */
interface SentStarts {
  readonly part: readonly CreateRun[];
  readonly values: readonly unknown[];
}

/** The calls that a batch of starts takes. */
export function* startCalls(
  batch: readonly CreateRun[],
  now: number,
  callersClock: boolean,
): Generator<SentStarts> {
  // A run that is in the batch twice is the same request, sent twice.
  const distinct = new Map<string, CreateRun>();
  for (const request of batch) if (!distinct.has(request.runId)) distinct.set(request.runId, request);
  for (const part of inCalls([...distinct.values()], bytesIn)) {
    yield { part, values: valuesOf(CREATE_RUNS, callWith(part, now, callersClock)) };
  }
}

function created({ runId, lease }: CreateRun, isLeased: boolean): CreateRunResult {
  return {
    outcome: "created",
    lease: isLeased && lease !== null ? { runId, epoch: 1, claimId: lease.claimId } : null,
  };
}

function bytesIn({ events, state, names, mail }: CreateRun): (Uint8Array | null)[] {
  return [state, ...[...events, ...names, ...mail].map(({ data }) => data)];
}

function callWith(runs: readonly CreateRun[], now: number, callersClock: boolean): StartCall {
  const bytes = new Bytes();
  const events = runs.flatMap(({ events }, index) =>
    events.map((event, offset) => ({ event, run: index + 1, seq: offset + 1, data: bytes.add(event.data) })),
  );
  const claims = runs.flatMap(({ names }, index) =>
    names.map((claim) => ({
      run: index + 1,
      passes_from: toStoredOrNull(claim.from),
      ...claimColumns(claim, bytes),
    })),
  );
  const mail = runs.flatMap(({ mail }, index) =>
    mail.map(({ messageId, type, id, at, data }, offset) => ({
      ...{ run: index + 1, mail_seq: offset + 1, message_id: toStored(messageId) },
      ...{ type: toStored(type), id: toStored(id), at: whole(at), ...bytes.add(data) },
    })),
  );
  const json = (rows: readonly object[]) =>
    rows.length === 0 ? null : JSON.stringify(rows.map((row, index) => ({ place: index + 1, ...row })));
  return {
    now: callersClock ? whole(now) : null,
    sentAt: whole(now),
    runs,
    events,
    claims: json(claims),
    mail: json(mail),
    changes: changesOf(runs.map(beyondQueue), bytes),
    bytes: bytes.toBuffer(),
  };
}

/** What few starts have. */
function beyondQueue({ attributes, state }: CreateRun): Change {
  return {
    ...(Object.keys(attributes).length > 0 && { attributes }),
    ...(state !== null && { state }),
  };
}
