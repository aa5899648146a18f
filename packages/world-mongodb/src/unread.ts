/**
 * Reading mailboxes: the messages of a run that are not consumed, and its end mail. The newest are listed in the run document by their ids,
 * older ones say their number themselves; see `mailbox.ts`.
 */
import type { Mail } from "@perdure/core/world";
import { boxOf } from "./boxes.ts";
import type { Connection } from "./connection.ts";
import { type Damage, lostPart } from "./errors.ts";
import type { Runs } from "./runs.ts";
import { type Collections, inOrder, LARGE, type MailDocument, type RunDocument } from "./schema.ts";
import { fromStored, fromStoredOrNull, toStored } from "./text.ts";
import { bytesOf } from "./values.ts";

/** A run whose mail is wanted, as it was read. */
export interface Wanted {
  readonly run: Omit<RunDocument, "tail" | "names" | "endMail">;
  readonly after: number;
}

/**
 * For each run, the messages after `after` that are not consumed, in order; none of a run that is deleted meanwhile, and
 * what is wrong with one whose mailbox has lost a message.
 */
export type Unread = (wanted: readonly Wanted[]) => Promise<(Mail[] | Damage)[]>;

/** As `World.listEndMail`. */
export type EndMail = (runId: string, after: number, limit: number) => Promise<Mail[]>;

/** The parts of the store that reading mail works with. */
export interface UnreadStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly runs: Runs;
}

export function unread({ connection, collections, runs }: UnreadStore): Unread {
  /** Messages that have left the list of their run. */
  async function older({ run }: Wanted, from: number): Promise<MailDocument[]> {
    if (from + 1 >= run.mailFrom) return [];
    return connection.find<MailDocument>(
      "find mail",
      collections.mail,
      { run: run._id, mailSeq: { $gt: from, $lt: run.mailFrom } },
      { sort: { run: 1, mailSeq: 1 } },
    );
  }

  /** Why messages of a run are missing: it is deleted, they are consumed by now, or they are lost. */
  async function missing({ run }: Wanted, found: Mail[], wanted: number): Promise<Mail[] | Damage> {
    const now = (await runs.get([run._id], LARGE)).get(run._id);
    if (now?.incarnation !== run.incarnation) return [];
    const left = found.filter(({ mailSeq }) => mailSeq > now.mailDone);
    const complete = left.length === Math.min(wanted, run.mailSeq - now.mailDone);
    return complete ? left : lostPart(fromStored(run._id), "mailbox");
  }

  return async (wanted) => {
    const lists = await Promise.all(
      wanted.map(async (each) => {
        const from = Math.max(each.after, each.run.mailDone);
        const listed = inOrder(each.run.mail).filter(([mailSeq]) => mailSeq > from);
        return { each, from, listed, older: await older(each, from) };
      }),
    );
    const ids = lists.flatMap(({ listed }) => listed.map(([, id]) => id));
    const documents = new Map(
      ids.length === 0
        ? []
        : (await connection.find<MailDocument>("find messages", collections.mail, { _id: { $in: ids } })).map(
            (document) => [document._id, document],
          ),
    );
    return Promise.all(
      lists.map(({ each, from, listed, older: before }) => {
        const found = [
          ...before.map((document) => [document.mailSeq ?? 0, document] as const),
          ...listed.map(([mailSeq, id]) => [mailSeq, documents.get(id)] as const),
        ].flatMap(([mailSeq, document]) =>
          document?.data === undefined || document.incarnation !== each.run.incarnation
            ? []
            : [toMail(document, document.data, mailSeq)],
        );
        const count = Math.max(0, each.run.mailSeq - from);
        return found.length === count ? found : missing(each, found, count);
      }),
    );
  };
}

export function endMail({ connection, collections, runs }: UnreadStore): EndMail {
  return async (runId, after, limit) => {
    const id = toStored(runId);
    const run = (await runs.get([id], ["tail", "names"])).get(id);
    if (run === undefined) return [];
    const { last, listed, from } = boxOf(run, true);
    const until = Math.min(last, after + limit);
    const ids = new Map(inOrder(listed).map(([number, id]) => [id, number]));
    const newest = [...ids].filter(([, number]) => number > after && number <= until).map(([id]) => id);
    const [older, newer] = await Promise.all([
      after + 1 >= from || until <= after
        ? []
        : connection.find<MailDocument>(
            "find end mail",
            collections.mail,
            { run: id, mailSeq: { $lt: -after, $gte: -Math.min(until, from - 1) } },
            { sort: { run: -1, mailSeq: -1 } },
          ),
      newest.length === 0
        ? []
        : connection.find<MailDocument>("find messages", collections.mail, { _id: { $in: newest } }),
    ]);
    const found = [...older, ...newer]
      .filter(({ incarnation }) => incarnation === run.incarnation)
      .map((document) =>
        toMail(document, document.data ?? null, ids.get(document._id) ?? -(document.mailSeq ?? 0)),
      )
      .sort((a, b) => a.mailSeq - b.mailSeq);
    if (found.length === Math.max(0, until - after)) return found;
    if (!(await runs.isThere(run))) return [];
    throw lostPart(runId, "end mail");
  };
}

function toMail(
  { _id, type, id, at }: MailDocument,
  data: NonNullable<MailDocument["data"]> | null,
  mailSeq: number,
): Mail {
  return {
    mailSeq,
    messageId: fromStored(_id),
    type: fromStored(type),
    id: fromStoredOrNull(id),
    at,
    data: data === null ? null : bytesOf(data),
  };
}
