/**
 * The mailbox: what others leave for a run.
 *
 * A message enters in two writes. First its document is inserted in `mail`, under its id, addressed to the run (and hook)
 * that it is for at this moment: the unique id decides between two senders. Then the run document takes the id under the
 * next `mailSeq` and becomes due, in one update on the `rev` that was read: that is the delivery, and it meets a parking
 * commit on the same document. The run document keeps the newest ids; older ones leave it once their documents
 * have their `mailSeq`. So a message is delivered if its run lists it or its document has a `mailSeq`, and not before.
 *
 * - *Crash between the two writes*: the document is there and says where to. Whoever sends the message again makes the
 *   second write. Where that is impossible for good (run ended or gone, hook disposed of) it deletes the document
 *   and begins anew; no update on an older `rev` can still deliver it.
 * - *Crash after the second, or a lost answer*: the message sent again is found delivered.
 * - *Two at once*: both may try the second write, on one `rev`. One fails and looks again.
 * - *An id leaves the run document between two looks*: it had its `mailSeq` before that. So who finds a message not
 *   listed looks at its document again after the run, and only then goes on.
 */
import { type DeliverResult, type Delivery, isTerminal, type Mail, type Message } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { tooLarge } from "./errors.ts";
import { type Hooks, hookWith } from "./hooks.ts";
import type { Runs } from "./runs.ts";
import { type Collections, inOrder, type MailDocument, type RunDocument } from "./schema.ts";
import { fromStored, fromStoredOrNull, toStored } from "./text.ts";
import { bytesOf } from "./values.ts";

/** A run document with so many message ids lets them go with the next delivery. */
const FULL_LIST = 64;

export interface Mailbox {
  deliver(batch: readonly Message[], now: number): Promise<Delivery>;
  /** For each run, the messages after `after` that are not consumed, in order. */
  unread(wanted: readonly { readonly run: RunDocument; readonly after: number }[]): Promise<Mail[][]>;
}

/** The parts of the store that a delivery works with. */
export interface MailStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly runs: Runs;
  readonly hooks: Hooks;
}

/** A message whose document is there, with the run that it is for. */
interface Addressed {
  readonly id: string;
  readonly document: MailDocument;
  readonly run: RunDocument;
}

export function mailbox({ connection, collections, runs, hooks }: MailStore): Mailbox {
  const limit = connection.facts.largestValue;

  async function findMail(ids: readonly string[]): Promise<Map<string, MailDocument>> {
    if (ids.length === 0) return new Map();
    const found = await connection.find<MailDocument>("find messages", collections.mail, {
      _id: { $in: ids },
    });
    return new Map(found.map((document) => [document._id, document]));
  }

  /** Where messages without a document would go now. */
  async function addresses(
    messages: readonly Message[],
  ): Promise<(message: Message) => RunDocument | undefined> {
    const tokens = messages.flatMap(({ to }) => ("token" in to ? [toStored(to.token)] : []));
    const ids = messages.flatMap(({ to }) => ("runId" in to ? [toStored(to.runId)] : []));
    const [owners, found] = await Promise.all([hooks.owners(tokens), runs.get(ids)]);
    return ({ to }) => ("token" in to ? owners.get(toStored(to.token)) : found.get(toStored(to.runId)));
  }

  /**
   * Makes the first write for messages without a document, or settles those that need none.
   *
   * @returns the messages whose documents are new and this sender's; none where somebody sends one of them too
   */
  async function address(
    messages: readonly Message[],
    settled: Map<string, DeliverResult>,
  ): Promise<Addressed[]> {
    if (messages.length === 0) return [];
    const addressOf = await addresses(messages);
    const addressed: Addressed[] = [];
    for (const message of messages) {
      const { messageId, to, type, at, data } = message;
      const run = addressOf(message);
      const hook = run !== undefined && "token" in to ? hookWith(run, toStored(to.token)) : undefined;
      if (run === undefined || ("token" in to && hook === undefined)) {
        settled.set(messageId, { outcome: "token" in to ? "no_such_hook" : "no_such_run" });
      } else if (isTerminal(run.status)) {
        settled.set(messageId, { outcome: "finished", runId: fromStored(run._id) });
      } else {
        const id = toStored(messageId);
        const document = { _id: id, run: run._id, hookId: hook?.id ?? null, type, at, data };
        addressed.push({ id, document, run });
      }
    }
    const documents = addressed.map(({ document }) => document);
    if (documents.length === 0) return [];
    if (await connection.insert("insert messages", collections.mail, documents)) return addressed;
    // Where one that was there kept the others out too, each goes in by itself.
    for (const document of documents.length > 1 ? documents : []) {
      await connection.insert("insert message", collections.mail, [document]);
    }
    return [];
  }

  /** Makes the second write for messages to one run. Gives those that are delivered; the others are looked at again. */
  async function list(run: RunDocument, messages: readonly Addressed[], now: number): Promise<boolean> {
    const entries = inOrder(run.mail);
    const full = entries.length >= FULL_LIST;
    if (full) {
      await connection.bulkUpdate(
        "number messages",
        collections.mail,
        entries.map(([mailSeq, _id]) => ({
          filter: { _id, run: run._id },
          // The payload of a consumed message is in the journal; what stays is its id, for messages sent twice.
          update: { $set: { mailSeq }, ...(mailSeq <= run.mailDone && { $unset: { data: "" } }) },
        })),
      );
    }
    const added = messages.map(({ id }, index) => [run.mailSeq + 1 + index, id] as const);
    return runs.update("deliver", run, {
      set: {
        mailSeq: run.mailSeq + added.length,
        ...(full
          ? { mail: Object.fromEntries(added), mailFrom: run.mailSeq + 1 }
          : Object.fromEntries(added.map(([mailSeq, id]) => [`mail.${mailSeq}`, id]))),
        // A run that was due already keeps its place in the queue; an expired lease makes its run due anyway.
        ...(run.owner === undefined && { dueAt: Math.min(run.dueAt ?? now, now) }),
      },
    });
  }

  /** The messages with a document that can be delivered where it says; settles those that are. */
  async function resume(
    documents: ReadonlyMap<string, MailDocument>,
    settled: Map<string, DeliverResult>,
  ): Promise<Addressed[]> {
    if (documents.size === 0) return [];
    const found = await runs.get([...documents.values()].map(({ run }) => run));
    const listed = ({ _id, run }: MailDocument) => Object.values(found.get(run)?.mail ?? {}).includes(_id);
    // After the run, so that a message which is not listed any more shows its number.
    const again = await findMail(
      [...documents.values()]
        .filter((document) => document.mailSeq === undefined && !listed(document))
        .map(({ _id }) => _id),
    );
    const addressed: Addressed[] = [];
    for (const [id, first] of documents) {
      const document = again.get(id) ?? first;
      if (document.mailSeq !== undefined || listed(document)) {
        settled.set(fromStored(id), deliveredTo(document));
        continue;
      }
      const { run: to, hookId } = document;
      const run = found.get(to);
      if (run !== undefined && !isTerminal(run.status) && isLive(run, hookId)) {
        addressed.push({ id, document, run });
        continue;
      }
      // It can never be delivered there; the next round asks where it would go now.
      const filter = { _id: id, run: to, hookId, mailSeq: { $exists: false } };
      await connection.delete("delete message", collections.mail, filter);
    }
    return addressed;
  }

  /** One look at all messages that have no answer yet, and what can be done for them; gives the runs that have mail. */
  async function round(
    messages: readonly Message[],
    settled: Map<string, DeliverResult>,
    now: number,
  ): Promise<readonly RunDocument[]> {
    const known = await findMail(messages.map(({ messageId }) => toStored(messageId)));
    const unknown = messages.filter(({ messageId }) => !known.has(toStored(messageId)));
    const addressed = [...(await address(unknown, settled)), ...(await resume(known, settled))];
    const byRun = new Map<string, Addressed[]>();
    for (const message of addressed) {
      const others = byRun.get(message.run._id) ?? [];
      // Two looks at one run: what the older one was good for, the next round looks at again.
      if (others.some(({ run }) => run.rev !== message.run.rev)) continue;
      byRun.set(message.run._id, [...others, message]);
    }
    const reached = await Promise.all(
      [...byRun.values()].map(async (forRun) => {
        const [first] = forRun;
        if (first === undefined || !(await list(first.run, forRun, now))) return [];
        for (const { id, document } of forRun) settled.set(fromStored(id), deliveredTo(document));
        return [first.run];
      }),
    );
    return reached.flat();
  }

  return {
    async deliver(batch, now) {
      const messages = new Map<string, Message>();
      for (const message of batch) {
        const bytes = message.data?.byteLength ?? 0;
        if (bytes > limit) throw tooLarge(`The payload of message ${message.messageId}`, bytes, limit);
        if (!messages.has(message.messageId)) messages.set(message.messageId, message);
      }
      const settled = new Map<string, DeliverResult>();
      const reached = new Map<string, RunDocument>();
      for (let attempt = 0; settled.size < messages.size; attempt++) {
        await connection.backOff(attempt);
        const open = [...messages.values()].filter(({ messageId }) => !settled.has(messageId));
        for (const run of await round(open, settled, now)) reached.set(run._id, run);
      }
      return {
        results: batch.map(({ messageId }) => settled.get(messageId) as DeliverResult),
        runIds: [...reached.keys()].map(fromStored),
        due: [...reached.values()].some(({ owner }) => owner === undefined),
      };
    },

    async unread(wanted) {
      const lists = await Promise.all(
        wanted.map(async ({ run, after }) => {
          const from = Math.max(after, run.mailDone);
          const listed = inOrder(run.mail).filter(([mailSeq]) => mailSeq > from);
          const older =
            from + 1 < run.mailFrom
              ? await connection.find<MailDocument>(
                  "find mail",
                  collections.mail,
                  { run: run._id, mailSeq: { $gt: from, $lt: run.mailFrom } },
                  { sort: { mailSeq: 1 } },
                )
              : [];
          return { listed, older };
        }),
      );
      const documents = await findMail(lists.flatMap(({ listed }) => listed.map(([, id]) => id)));
      return lists.map(({ listed, older }) => [
        ...older.map((document) => toMail(document, document.mailSeq ?? 0)),
        ...listed.flatMap(([mailSeq, id]) => {
          const document = documents.get(id);
          return document === undefined ? [] : [toMail(document, mailSeq)];
        }),
      ]);
    },
  };
}

/** Whether a message to this hook can still be delivered; one to the run itself always can. */
function isLive(run: RunDocument, hookId: string | null): boolean {
  return hookId === null || Object.values(run.hooks ?? {}).some(({ id }) => id === hookId);
}

function deliveredTo({ run, hookId }: MailDocument): DeliverResult {
  return { outcome: "delivered", runId: fromStored(run), hookId: fromStoredOrNull(hookId) };
}

function toMail({ _id, type, hookId, at, data }: MailDocument, mailSeq: number): Mail {
  return {
    mailSeq,
    messageId: fromStored(_id),
    type,
    hookId: fromStoredOrNull(hookId),
    at,
    data: data === null || data === undefined ? null : bytesOf(data),
  };
}
