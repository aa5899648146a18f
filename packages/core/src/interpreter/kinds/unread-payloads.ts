import { childRunId, derivedMessageId } from "../../ids.ts";
import { hookName } from "../../names.ts";
import { decode } from "../../serialization/index.ts";
import type { JournalEvent, Mail, Message } from "../../world/index.ts";
import type { Owed, OwedStep, Past } from "./kind.ts";
import { HOOK_RECEIVED_OR_START, OR_START, type OrStart } from "./or-start.ts";

/** Payloads that nobody read: messages to whoever has the tokens, and starts where the sender asked for them. */
export function unreadPayloads({ run: { runId }, journal, mail }: Past): Owed {
  const tokens = new Map<string, string>();
  const came = new Map<string, JournalEvent[]>();
  let left: Readonly<Record<string, number>> = {};
  for (const event of journal) {
    const { type, id, name, data } = event;
    if (type === "payloads_left") left = decode(data) as Record<string, number>;
    if (id === null) continue;
    if (name !== null && HAVING.has(type)) tokens.set(id, name);
    if (type !== "hook_received" && type !== "payload_kept") continue;
    const events = came.get(id);
    if (events === undefined) came.set(id, [event]);
    else events.push(event);
  }
  const steps: OwedStep[] = [];
  const messages: Message[] = [];
  const owe = (unread: Unread, ...origin: string[]): void => {
    const token = tokens.get(unread.id ?? "");
    if (token === undefined) return;
    const messageId = derivedMessageId("payload", runId, ...origin);
    const { at, data, orStart } = unread;
    if (!orStart) {
      messages.push({ messageId, to: { name: hookName(token) }, type: "hook_received", at, data });
      return;
    }
    const start = { ...((decode(data) as OrStart).start as object), runId: childRunId(messageId, at) };
    steps.push({ id: messageId, name: "resume_or_start", input: { messageId, token, data, start } });
  };
  for (const [id, count] of Object.entries(left)) {
    for (const event of (came.get(id) ?? []).slice(-count)) {
      owe({ ...event, orStart: event.name === OR_START }, "journal", `${event.seq}`);
    }
  }
  for (const message of mail) {
    const orStart = message.type === HOOK_RECEIVED_OR_START;
    if (orStart || message.type === "hook_received") owe({ ...message, orStart }, "mail", message.messageId);
  }
  return { steps, messages };
}

/** The events of hooks that have, or had, the token that is their `name`. */
const HAVING: ReadonlySet<string> = new Set(["hook_created", "hook_held", "hook_left"]);

interface Unread extends Pick<Mail, "id" | "at" | "data"> {
  readonly orStart: boolean;
}
