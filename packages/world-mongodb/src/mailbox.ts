/**
 * The mailbox: what others leave for a run.
 *
 * A message enters in two writes. First its document is inserted in `mail`, under its id, addressed to the run (and name)
 * that it is for at this moment: the unique id decides between two senders. Then the run document takes the id under the
 * next `mailSeq` and becomes due, in one update: that is the delivery, and it meets a parking commit on the same document.
 * The update names what the delivery depends on (the last message, whether the run has an owner and has not ended, the
 * name) and not the `rev`, so that the commits of a busy run do not keep its mail away. The run document keeps the newest
 * ids; older ones leave it once their documents have their `mailSeq`. So a message is delivered if its run lists it or its
 * document has a `mailSeq`, and not before. End mail enters in the same way, under numbers and in a list of its own.
 *
 * First mail is in the list of the draft of its run (`start.ts`): what makes the draft a run delivers it.
 *
 * - *Crash between the two writes*: the document is there and says where to. Whoever sends the message again makes the
 *   second write. Where that is impossible for good (run ended or gone, name released, a draft that was given up) it deletes
 *   the document and begins anew; no update that names a run that has not ended, and the name, can still deliver it. A draft
 *   is waited for a little and then given up, as in `names.ts`.
 * - *Crash after the second, or a lost answer*: the message sent again is found delivered.
 * - *Two at once*: both may try the second write, after one last message. One fails and looks again.
 * - *An id leaves the run document between two looks*: it had its `mailSeq` before that. So who finds a message not
 *   listed looks at its document again after the run, and only then goes on.
 *
 * That there is no such run or name is told, and a message's document deleted, only after a write that found nothing: see
 * `Connection.catchUp`.
 */
import { type DeliverResult, type Delivery, isTerminal, type Message } from "@perdure/core/world";
import { type Addressed, boxOf, isLive, putIn } from "./boxes.ts";
import type { Connection } from "./connection.ts";
import { tooLarge } from "./errors.ts";
import type { NameOwner, Names } from "./names.ts";
import { isOpenDraft, type Runs } from "./runs.ts";
import { type Collections, type MailDocument, nameId } from "./schema.ts";
import { fromStored, fromStoredOrNull, toStored, toStoredKey } from "./text.ts";

export interface Mailbox {
  /** As `World.deliver`. */
  deliver(batch: readonly Message[], now: number): Promise<Delivery>;
  /**
   * Inserts the documents of first mail.
   *
   * @returns one that has been delivered to another run; `null` where all of them are in place
   */
  insertFirst(letters: readonly MailDocument[], now: number): Promise<MailDocument | null>;
}

/** The parts of the store that a delivery works with. */
export interface MailStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly runs: Runs;
  readonly names: Names;
}

/** A run to which a message would go, and what in it that is for. */
type Destination = { readonly run: NameOwner } & Pick<MailDocument, "id" | "name">;

export function mailbox({ connection, collections, runs, names }: MailStore): Mailbox {
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
    now: number,
    surely: boolean,
  ): Promise<(message: Message) => Destination | undefined> {
    const wanted = messages.flatMap(({ to }) => ("name" in to ? [nameOf(to.name)] : []));
    const ids = messages.flatMap(({ to }) => ("runId" in to ? [toStored(to.runId)] : []));
    if (surely) await runs.catchUp(ids);
    const [owners, found] = await Promise.all([names.owners(wanted, now, surely), runs.get(ids, ["tail"])]);
    return ({ to }) => {
      if ("name" in to) {
        const name = nameOf(to.name);
        const owner = owners.get(name);
        return owner && { run: owner.run, id: owner.claim.id, name };
      }
      const run = found.get(toStored(to.runId));
      return run && { run, id: to.id === undefined ? null : toStored(to.id) };
    };
  }

  /**
   * Makes the first write for messages without a document, or settles those that need none.
   *
   * @returns the messages whose documents are new and this sender's; none where somebody sends one of them too
   */
  async function address(
    messages: readonly Message[],
    settled: Map<string, DeliverResult>,
    now: number,
  ): Promise<Addressed[]> {
    if (messages.length === 0) return [];
    const likely = await addresses(messages, now, false);
    const doubtful = messages.filter((message) => likely(message) === undefined);
    const surely = doubtful.length === 0 ? likely : await addresses(doubtful, now, true);
    const addressed: Addressed[] = [];
    for (const message of messages) {
      const { messageId, to, type, at, data, atEnd = false } = message;
      const destination = likely(message) ?? surely(message);
      if (destination === undefined) {
        settled.set(messageId, { outcome: "name" in to ? "no_such_name" : "no_such_run" });
        continue;
      }
      const { run, ...place } = destination;
      if (isTerminal(run.status)) {
        settled.set(messageId, { outcome: "finished", runId: fromStored(run._id) });
        continue;
      }
      const document: MailDocument = {
        _id: toStored(messageId),
        run: run._id,
        incarnation: run.incarnation,
        ...place,
        type: toStored(type),
        at,
        data,
        ...(atEnd && { end: true }),
      };
      addressed.push({ id: document._id, document, run });
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

  /** What has become of messages with a document, for all that a look tells. */
  async function look(documents: readonly MailDocument[], surely: boolean) {
    const ids = documents.map(({ run }) => run);
    if (surely) await runs.catchUp(ids);
    const found = await runs.getAny(ids, ["tail"]);
    const placeOf = ({ run: id, incarnation, end, _id }: MailDocument) => {
      const there = found.get(id);
      const own = there?.incarnation === incarnation ? there : undefined;
      const run = own?.hidden === undefined ? own : undefined;
      const listed = run !== undefined && Object.values(boxOf(run, end === true).listed).includes(_id);
      return { run, listed, draft: own !== undefined && isOpenDraft(own) ? own : undefined };
    };
    // After the run, so that a message which is not listed any more shows its number.
    const unlisted = documents.filter((document) => !placeOf(document).listed);
    const again = await findMail(unlisted.map(({ _id }) => _id));
    return documents.map((first) => {
      const document = again.get(first._id) ?? first;
      // It was deleted and is for another run now, at which nobody has looked: the next round does.
      const moved = document.incarnation !== first.incarnation;
      if (moved) return { document, run: undefined, draft: undefined, delivered: false, gone: false, moved };
      const { run, listed, draft } = placeOf(document);
      const delivered = run !== undefined && (document.mailSeq !== undefined || listed);
      const open = run !== undefined && !isTerminal(run.status) && isLive(run, document);
      return { document, run: open ? run : undefined, draft, delivered, gone: run === undefined, moved };
    });
  }

  /** The messages with a document that can be delivered where it says; settles those that are. */
  async function resume(
    documents: readonly MailDocument[],
    settled: Map<string, DeliverResult>,
    attempt: number,
  ): Promise<Addressed[]> {
    if (documents.length === 0) return [];
    const addressed: Addressed[] = [];
    const doubtful: MailDocument[] = [];
    for (const { document, run, delivered, moved } of await look(documents, false)) {
      if (moved) continue;
      if (delivered) settled.set(fromStored(document._id), deliveredTo(document));
      else if (run !== undefined) addressed.push({ id: document._id, document, run });
      else doubtful.push(document);
    }
    const surely = doubtful.length === 0 ? [] : await look(doubtful, true);
    for (const { document, run, draft, delivered, gone, moved } of surely) {
      if (moved) continue;
      const { _id, run: to, incarnation, id } = document;
      if (delivered) settled.set(fromStored(_id), deliveredTo(document));
      else if (draft !== undefined) await runs.giveUp(draft, attempt);
      else if (run === undefined) {
        // It can never be delivered there; the next round asks where it would go now.
        const filter = { _id, run: to, incarnation, id, ...(!gone && { mailSeq: { $exists: false } }) };
        await connection.delete("delete message", collections.mail, filter);
      }
    }
    return addressed;
  }

  /** Makes the second write for messages; gives those for which it was made. */
  async function put(addressed: readonly Addressed[], now: number): Promise<readonly Addressed[]> {
    const byBox = new Map<string, Addressed[]>();
    for (const message of addressed) {
      const { run, document } = message;
      const box = `${document.end === true ? "end" : "mail"} ${run._id}`;
      const others = byBox.get(box) ?? [];
      // Two looks at one run: what the older one was good for, the next round looks at again.
      if (others.some((other) => other.run.rev !== run.rev)) continue;
      byBox.set(box, [...others, message]);
    }
    const delivered = await Promise.all(
      [...byBox.values()].map(async (forBox) => {
        const [first] = forBox;
        if (first === undefined) return [];
        return (await putIn({ connection, collections }, first.run, forBox, now)) ? forBox : [];
      }),
    );
    return delivered.flat();
  }

  /** One look at all messages that have no answer yet, and what can be done for them; gives those that it delivered. */
  async function round(
    messages: readonly Message[],
    settled: Map<string, DeliverResult>,
    now: number,
    attempt: number,
  ): Promise<readonly Addressed[]> {
    const known = await findMail(messages.map(({ messageId }) => toStored(messageId)));
    const unknown = messages.filter(({ messageId }) => !known.has(toStored(messageId)));
    const fresh = await address(unknown, settled, now);
    const delivered = await put([...fresh, ...(await resume([...known.values()], settled, attempt))], now);
    for (const { id, document } of delivered) settled.set(fromStored(id), deliveredTo(document));
    return delivered;
  }

  /** Whether a letter is in place; else, once that is known, the document of the message that is another run's. */
  async function insertLetter(letter: MailDocument, now: number): Promise<MailDocument | null> {
    for (let attempt = 0; ; attempt++) {
      await connection.backOff(attempt);
      if (await connection.insert("insert message", collections.mail, [letter])) return null;
      const there = (await findMail([letter._id])).get(letter._id);
      if (there === undefined) continue;
      if (there.incarnation === letter.incarnation) return null;
      const settled = new Map<string, DeliverResult>();
      const delivered = await put(await resume([there], settled, attempt), now);
      if (settled.size > 0 || delivered.length > 0) return there;
    }
  }

  return {
    async deliver(batch, now) {
      const messages = new Map<string, Message>();
      for (const message of batch) {
        const bytes = message.data?.byteLength ?? 0;
        if (bytes > limit) throw tooLarge("The payload of a message", bytes, limit);
        if (!messages.has(message.messageId)) messages.set(message.messageId, message);
      }
      const settled = new Map<string, DeliverResult>();
      const reached = new Map<string, NameOwner>();
      for (let attempt = 0; settled.size < messages.size; attempt++) {
        await connection.backOff(attempt);
        const open = [...messages.values()].filter(({ messageId }) => !settled.has(messageId));
        for (const { run, document } of await round(open, settled, now, attempt)) {
          if (document.end === undefined) reached.set(run._id, run);
        }
      }
      return {
        results: batch.map(({ messageId }) => settled.get(messageId) as DeliverResult),
        runIds: [...reached.keys()].map(fromStored),
        due: [...reached.values()].some(({ owner }) => owner === undefined),
      };
    },

    async insertFirst(letters, now) {
      if (letters.length === 0 || (await connection.insert("insert messages", collections.mail, letters))) {
        return null;
      }
      for (const letter of letters) {
        const other = await insertLetter(letter, now);
        if (other !== null) return other;
      }
      return null;
    },
  };
}

function nameOf(name: string): string {
  return nameId(toStoredKey(name));
}

function deliveredTo({ run, id }: MailDocument): DeliverResult {
  return { outcome: "delivered", runId: fromStored(run), id: fromStoredOrNull(id) };
}
