/**
 * Reading mailboxes: the messages of a run that are not consumed. The newest are listed in the run document by their ids,
 * older ones say their number themselves; see `mailbox.ts`.
 */
import type { Mail } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { type Damage, lostPart } from "./errors.ts";
import type { Runs } from "./runs.ts";
import { type Collections, inOrder, type MailDocument, type RunDocument } from "./schema.ts";
import { fromStored, fromStoredOrNull } from "./text.ts";
import { bytesOf } from "./values.ts";

/** A run whose mail is wanted, as it was read. */
export interface Wanted {
  readonly run: Omit<RunDocument, "tail" | "hooks">;
  readonly after: number;
}

/**
 * For each run, the messages after `after` that are not consumed, in order; none of a run that is deleted meanwhile, and
 * what is wrong with one whose mailbox has lost a message.
 */
export type Unread = (wanted: readonly Wanted[]) => Promise<(Mail[] | Damage)[]>;

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
    const now = (await runs.get([run._id], ["tail", "mail", "hooks"])).get(run._id);
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

function toMail(
  { _id, type, hookId, at }: MailDocument,
  data: NonNullable<MailDocument["data"]> | null,
  mailSeq: number,
): Mail {
  return {
    mailSeq,
    messageId: fromStored(_id),
    type,
    hookId: fromStoredOrNull(hookId),
    at,
    data: data === null ? null : bytesOf(data),
  };
}
