import { childRunId, derivedMessageId } from "../../ids.ts";
import { hookName } from "../../names.ts";
import { decode } from "../../serialization/index.ts";
import type { FirstMail, JournalEvent, Message, NewEvent } from "../../world/index.ts";
import type { Offer, Owed, OwedStep, Past } from "./kind.ts";
import { HOOK_RECEIVED_OR_START, OR_START, type OrStart } from "./or-start.ts";

/** Payloads that nobody read: messages to whoever has the tokens, and starts where the sender asked for them. */
export function unreadPayloads({ run: { runId }, journal, mail }: Past): Owed {
  const tokens = new Map<string, string>();
  for (const { type, id, name } of journal) {
    if (id !== null && name !== null && HAVING.has(type)) tokens.set(id, name);
  }
  const steps: OwedStep[] = [];
  const messages: Message[] = [];
  const owe = ({ messageId, type, id, at, data }: FirstMail): void => {
    const token = tokens.get(id);
    if (token === undefined) return;
    if (type === HOOK_RECEIVED_OR_START) {
      const start = { ...((decode(data) as OrStart).start as object), runId: childRunId(messageId, at) };
      steps.push({ id: messageId, name: "resume_or_start", input: { messageId, token, data, start } });
    } else {
      messages.push({ messageId, to: { name: hookName(token) }, type, at, data });
    }
  };
  for (const { mail: offered } of offeredPayloads(runId, journal, Number.POSITIVE_INFINITY)) owe(offered);
  for (const { messageId, type, id, at, data } of mail) {
    if (id === null || (type !== "hook_received" && type !== HOOK_RECEIVED_OR_START)) continue;
    owe({ messageId: derivedMessageId("payload", runId, "mail", messageId), type, id, at, data });
  }
  return { steps, messages };
}

/** Those of them that the journal has, by the message as which each is sent on; and all that came from the seq `since` on. */
export function offeredPayloads(
  runId: string,
  journal: readonly JournalEvent[],
  since: number,
): readonly Offer[] {
  const came = new Map<string, JournalEvent[]>();
  let left: Readonly<Record<string, number>> = {};
  for (const event of journal) {
    const { type, id, data } = event;
    if (type === "payloads_left") left = decode(data) as Record<string, number>;
    if (id === null || !PAYLOADS.has(type)) continue;
    const events = came.get(id);
    if (events === undefined) came.set(id, [event]);
    else events.push(event);
  }
  return [...came].flatMap(([id, events]) => {
    const read = events.length - (left[id] ?? 0);
    const offered = events.filter((event, index) => index >= read || event.seq >= since);
    return offered.map((event) => {
      const { seq, name, at, data } = event;
      const messageId = derivedMessageId("payload", runId, "journal", `${seq}`);
      const type = name === OR_START ? HOOK_RECEIVED_OR_START : "hook_received";
      return { event, mail: { messageId, id, type, at, data } };
    });
  });
}

/** The hooks that a run had before, by these events: what comes for them is for the next ones with their tokens. */
export function leftIn(events: readonly NewEvent[]): readonly (string | null)[] {
  return events.filter(({ type }) => type === "hook_left" || type === "hook_again").map(({ id }) => id);
}

/** How many of these events are payloads of each hook, by hook id; `null` if none is. */
export function payloadsIn(events: readonly JournalEvent[]): Readonly<Record<string, number>> | null {
  const counts: Record<string, number> = {};
  for (const { type, id } of events) {
    if (id !== null && PAYLOADS.has(type)) counts[id] = (counts[id] ?? 0) + 1;
  }
  return Object.keys(counts).length === 0 ? null : counts;
}

/** The events that bring payloads. */
const PAYLOADS: ReadonlySet<string> = new Set(["hook_received", "payload_kept"]);

/** The events of hooks that have, or had, the token that is their `name`. */
const HAVING: ReadonlySet<string> = new Set(["hook_created", "hook_held", "hook_left", "hook_again"]);
