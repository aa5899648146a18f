/**
 * The two mailboxes of a run, its mail and its end mail, and the update of the run document that puts messages into one of them.
 * See `mailbox.ts`.
 */
import type { Document } from "mongodb";
import type { Connection } from "./connection.ts";
import type { NameOwner } from "./names.ts";
import { updateOf } from "./runs.ts";
import {
  type Collections,
  inOrder,
  type MailDocument,
  type Numbered,
  OPEN,
  type RunDocument,
} from "./schema.ts";

/** A run document with so many message ids in a list lets them go with the next delivery. */
const FULL_LIST = 64;

/** One mailbox, as its run document has it. */
export interface Box {
  readonly end: boolean;
  /** Number of the last message. */
  readonly last: number;
  /** The ids of the messages from `from` on. */
  readonly listed: Numbered<string>;
  readonly from: number;
}

/** A message whose document is there, with the run that it is for. */
export interface Addressed {
  readonly id: string;
  readonly document: MailDocument;
  readonly run: NameOwner;
}

/** Where a run keeps its mail, or its end mail. */
export function boxOf(
  run: Pick<RunDocument, "mail" | "mailFrom" | "mailSeq" | "endMail" | "endFrom" | "endSeq">,
  end: boolean,
): Box {
  if (end) return { end, last: run.endSeq ?? 0, listed: run.endMail ?? {}, from: run.endFrom ?? 1 };
  return { end, last: run.mailSeq, listed: run.mail, from: run.mailFrom };
}

/** Whether a message can still be delivered where its document says: one to a name only while the run has that. */
export function isLive({ names = [] }: Pick<RunDocument, "names">, { name, id }: MailDocument): boolean {
  return name === undefined || names.some((each) => each.name === name && each.id === id);
}

/** Puts messages into one mailbox of a run, in one update; false where what they depend on has changed. */
export async function putIn(
  store: { readonly connection: Connection; readonly collections: Collections },
  run: NameOwner,
  messages: readonly Addressed[],
  now: number,
): Promise<boolean> {
  const { connection, collections } = store;
  const { end, last, listed } = boxOf(
    run,
    messages.some(({ document }) => document.end === true),
  );
  const entries = inOrder(listed);
  const full = entries.length >= FULL_LIST;
  if (full) {
    await connection.bulkUpdate(
      "number messages",
      collections.mail,
      entries.map(([number, _id]) => ({
        filter: { _id, run: run._id },
        update: {
          $set: { mailSeq: end ? -number : number, numberedAt: now },
          // The payload of a consumed message is in the journal; what stays is its id, for messages sent twice.
          ...(!end && number <= run.mailDone && { $unset: { data: "" } }),
        },
      })),
    );
  }
  const [field, from, count] = end ? ["endMail", "endFrom", "endSeq"] : ["mail", "mailFrom", "mailSeq"];
  const added = messages.map(({ id }, index) => [last + 1 + index, id] as const);
  const { _id, incarnation, owner, dueAt } = run;
  const conditions = messages.flatMap(({ document: { name, id } }) =>
    name === undefined ? [] : [{ names: { $elemMatch: { name, id } } }],
  );
  const filter: Document = {
    _id,
    incarnation,
    [count]: end && last === 0 ? { $exists: false } : last,
    ...(!end && { owner: { $exists: owner !== undefined } }),
    status: { $in: OPEN },
    ...(conditions.length > 0 && { $and: conditions }),
  };
  const set = {
    [count]: last + added.length,
    ...(full
      ? { [field]: Object.fromEntries(added), [from]: last + 1 }
      : Object.fromEntries(added.map(([number, id]) => [`${field}.${number}`, id]))),
    // A run that was due already keeps its place in the queue; an expired lease makes its run due anyway. End mail wakes nobody.
    ...(!end && owner === undefined && { dueAt: Math.min(dueAt ?? now, now) }),
  };
  return connection.update("deliver", collections.runs, filter, updateOf({ set }));
}
