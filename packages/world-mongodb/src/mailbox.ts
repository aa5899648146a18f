/**
 * The mailbox: what others leave for a run.
 *
 * A message enters in two writes. First its document is inserted in `mail`, under its id, addressed to the run (and hook)
 * that it is for at this moment: the unique id decides between two senders. Then the run document takes the id under the
 * next `mailSeq` and becomes due, in one update: that is the delivery, and it meets a parking commit on the same document.
 * The update names what the delivery depends on (the last message, whether the run has an owner and has not ended, the
 * hook) and not the `rev`, so that the commits of a busy run do not keep its mail away. The run document keeps the newest ids; older ones leave it once their documents
 * have their `mailSeq`. So a message is delivered if its run lists it or its document has a `mailSeq`, and not before.
 *
 * - *Crash between the two writes*: the document is there and says where to. Whoever sends the message again makes the
 *   second write. Where that is impossible for good (run ended or gone, hook disposed of) it deletes the document
 *   and begins anew; no update that names a run that has not ended, and the hook, can still deliver it.
 * - *Crash after the second, or a lost answer*: the message sent again is found delivered.
 * - *Two at once*: both may try the second write, after one last message. One fails and looks again.
 * - *An id leaves the run document between two looks*: it had its `mailSeq` before that. So who finds a message not
 *   listed looks at its document again after the run, and only then goes on.
 *
 * That there is no such run or hook is told, and a message's document deleted, only after a write that found nothing: see
 * `Connection.catchUp`.
 */
import {
  type DeliverResult,
  type Delivery,
  isTerminal,
  type Message,
  type RunStatus,
} from "@perdure/core/world";
import type { Document } from "mongodb";
import type { Connection } from "./connection.ts";
import { tooLarge } from "./errors.ts";
import { type HookOwner, type Hooks, hookWith } from "./hooks.ts";
import { type Runs, updateOf } from "./runs.ts";
import { type Collections, inOrder, type MailDocument } from "./schema.ts";
import { fromStored, fromStoredOrNull, toStored } from "./text.ts";

/** A run document with so many message ids lets them go with the next delivery. */
const FULL_LIST = 64;

/** The statuses in which a run takes mail. */
const OPEN: readonly RunStatus[] = ["pending", "running", "diverged"];

export type Deliver = (batch: readonly Message[], now: number) => Promise<Delivery>;

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
  readonly run: HookOwner;
}

export function deliver({ connection, collections, runs, hooks }: MailStore): Deliver {
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
    surely: boolean,
  ): Promise<(message: Message) => HookOwner | undefined> {
    const tokens = messages.flatMap(({ to }) => ("token" in to ? [toStored(to.token)] : []));
    const ids = messages.flatMap(({ to }) => ("runId" in to ? [toStored(to.runId)] : []));
    if (surely) await runs.catchUp(ids);
    const [owners, found] = await Promise.all([hooks.owners(tokens, surely), runs.get(ids, ["tail"])]);
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
    const likely = await addresses(messages, false);
    const doubtful = messages.filter((message) => likely(message) === undefined);
    const surely = doubtful.length === 0 ? likely : await addresses(doubtful, true);
    const addressed: Addressed[] = [];
    for (const message of messages) {
      const { messageId, to, type, at, data } = message;
      const run = likely(message) ?? surely(message);
      if (run === undefined) {
        settled.set(messageId, { outcome: "token" in to ? "no_such_hook" : "no_such_run" });
        continue;
      }
      const hook = "token" in to ? hookWith(run, toStored(to.token)) : undefined;
      if (isTerminal(run.status)) {
        settled.set(messageId, { outcome: "finished", runId: fromStored(run._id) });
      } else {
        const id = toStored(messageId);
        const { _id, incarnation } = run;
        const document = { _id: id, run: _id, incarnation, hookId: hook?.id ?? null, type, at, data };
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

  /** Makes the second write for messages to one run; false where what they depend on has changed. */
  async function list(run: HookOwner, messages: readonly Addressed[], now: number): Promise<boolean> {
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
    const { _id, incarnation, mailSeq, owner, dueAt } = run;
    const filter: Document = {
      _id,
      incarnation,
      mailSeq,
      owner: { $exists: owner !== undefined },
      status: { $in: OPEN },
      ...Object.assign({}, ...messages.map(({ document }) => hookCondition(run, document.hookId))),
    };
    const set = {
      mailSeq: mailSeq + added.length,
      ...(full
        ? { mail: Object.fromEntries(added), mailFrom: mailSeq + 1 }
        : Object.fromEntries(added.map(([seq, id]) => [`mail.${seq}`, id]))),
      // A run that was due already keeps its place in the queue; an expired lease makes its run due anyway.
      ...(owner === undefined && { dueAt: Math.min(dueAt ?? now, now) }),
    };
    return connection.update("deliver", collections.runs, filter, updateOf({ set }));
  }

  /** What has become of messages with a document, for all that a look tells. */
  async function look(documents: readonly MailDocument[], surely: boolean) {
    const ids = documents.map(({ run }) => run);
    if (surely) await runs.catchUp(ids);
    const found = await runs.get(ids, ["tail"]);
    const runOf = ({ run, incarnation }: MailDocument) => {
      const there = found.get(run);
      return there?.incarnation === incarnation ? there : undefined;
    };
    const listed = (document: MailDocument) =>
      Object.values(runOf(document)?.mail ?? {}).includes(document._id);
    // After the run, so that a message which is not listed any more shows its number.
    const again = await findMail(documents.filter((document) => !listed(document)).map(({ _id }) => _id));
    return documents.map((first) => {
      const document = again.get(first._id) ?? first;
      const run = runOf(document);
      const delivered = run !== undefined && (document.mailSeq !== undefined || listed(document));
      const open = run !== undefined && !isTerminal(run.status) && isLive(run, document.hookId);
      return { document, run: open ? run : undefined, delivered, gone: run === undefined };
    });
  }

  /** The messages with a document that can be delivered where it says; settles those that are. */
  async function resume(
    documents: readonly MailDocument[],
    settled: Map<string, DeliverResult>,
  ): Promise<Addressed[]> {
    if (documents.length === 0) return [];
    const addressed: Addressed[] = [];
    const doubtful: MailDocument[] = [];
    for (const { document, run, delivered } of await look(documents, false)) {
      if (delivered) settled.set(fromStored(document._id), deliveredTo(document));
      else if (run !== undefined) addressed.push({ id: document._id, document, run });
      else doubtful.push(document);
    }
    const surely = doubtful.length === 0 ? [] : await look(doubtful, true);
    for (const { document, run, delivered, gone } of surely) {
      const { _id, run: to, incarnation, hookId } = document;
      if (delivered) settled.set(fromStored(_id), deliveredTo(document));
      else if (run === undefined) {
        // It can never be delivered there; the next round asks where it would go now.
        const filter = { _id, run: to, incarnation, hookId, ...(!gone && { mailSeq: { $exists: false } }) };
        await connection.delete("delete message", collections.mail, filter);
      }
    }
    return addressed;
  }

  /** One look at all messages that have no answer yet, and what can be done for them; gives the runs that have mail. */
  async function round(
    messages: readonly Message[],
    settled: Map<string, DeliverResult>,
    now: number,
  ): Promise<readonly HookOwner[]> {
    const known = await findMail(messages.map(({ messageId }) => toStored(messageId)));
    const unknown = messages.filter(({ messageId }) => !known.has(toStored(messageId)));
    const addressed = [...(await address(unknown, settled)), ...(await resume([...known.values()], settled))];
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

  return async (batch, now) => {
    const messages = new Map<string, Message>();
    for (const message of batch) {
      const bytes = message.data?.byteLength ?? 0;
      if (bytes > limit) throw tooLarge("The payload of a message", bytes, limit);
      if (!messages.has(message.messageId)) messages.set(message.messageId, message);
    }
    const settled = new Map<string, DeliverResult>();
    const reached = new Map<string, HookOwner>();
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
  };
}

/** Whether a message to this hook can still be delivered; one to the run itself always can. */
function isLive(run: HookOwner, hookId: string | null): boolean {
  return hookId === null || Object.values(run.hooks ?? {}).some(({ id }) => id === hookId);
}

/** The same as a condition on the run document. */
function hookCondition(run: HookOwner, hookId: string | null): Document {
  if (hookId === null) return {};
  const [place] = inOrder(run.hooks ?? {}).find(([, { id }]) => id === hookId) ?? [];
  return { [`hooks.${place}.id`]: hookId };
}

function deliveredTo({ run, hookId }: MailDocument): DeliverResult {
  return { outcome: "delivered", runId: fromStored(run), hookId: fromStoredOrNull(hookId) };
}
