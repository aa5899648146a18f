import { derivedMessageId } from "../../ids.ts";
import { hookName } from "../../names.ts";
import { decode } from "../../serialization/index.ts";
import type { JournalEvent, Mail, Message, RunRecord } from "../../world/index.ts";
import { systemStepOf } from "../system-steps/index.ts";
import type { StartRunInput } from "../system-steps/start-run.ts";

/** What a run that has ended owes, as its journal and its mailbox tell. */

export interface Debts {
  /** System steps that were asked for and have no result. */
  readonly steps: readonly {
    readonly id: string;
    readonly name: string;
    readonly input: Uint8Array | null;
  }[];
  /** Cancels of its children, and payloads that nobody read, for the hooks that have the tokens now. */
  readonly messages: readonly Message[];
}

export function debtsOf(
  row: RunRecord,
  journal: readonly JournalEvent[],
  mail: readonly Mail[],
  now: number,
): Debts {
  const messages = [...cancelsOf(row, journal, now), ...payloadsOf(row, journal, mail)];
  return { steps: stepsOf(journal), messages };
}

function stepsOf(journal: readonly JournalEvent[]): Debts["steps"] {
  const open = new Map<string, Debts["steps"][number]>();
  for (const { type, id, name, data } of journal) {
    if (id === null) continue;
    if (type === "system_step_created" && name !== null) open.set(id, { id, name, input: data });
    if (type === "system_step_completed" || type === "system_step_failed") open.delete(id);
  }
  return [...open.values()].filter(({ name }) => systemStepOf(name).owed);
}

function cancelsOf({ runId, status }: RunRecord, journal: readonly JournalEvent[], now: number): Message[] {
  const messages: Message[] = [];
  for (const { type, name, data } of journal) {
    if (type !== "system_step_created" || name !== "start_run") continue;
    const { runId: child, onParentEnd } = decode(data) as StartRunInput;
    if (onParentEnd === "leave" || (onParentEnd === null && status !== "cancelled")) continue;
    const messageId = derivedMessageId("cancel", runId, child);
    messages.push({ messageId, to: { runId: child }, type: "cancel_requested", at: now, data: null });
  }
  return messages;
}

function payloadsOf(
  { runId }: RunRecord,
  journal: readonly JournalEvent[],
  mail: readonly Mail[],
): Message[] {
  const tokens = new Map<string, string>();
  const read = new Map<string, JournalEvent[]>();
  let left: Readonly<Record<string, number>> = {};
  for (const event of journal) {
    const { type, id, name, data } = event;
    if (type === "hook_created" && id !== null && name !== null) tokens.set(id, name);
    if (type === "payloads_left") left = decode(data) as Record<string, number>;
    if (type !== "hook_received" || id === null) continue;
    const events = read.get(id);
    if (events === undefined) read.set(id, [event]);
    else events.push(event);
  }
  const messages: Message[] = [];
  const send = (id: string, at: number, data: Uint8Array | null, ...origin: string[]): void => {
    const token = tokens.get(id);
    if (token === undefined) return;
    const messageId = derivedMessageId("payload", runId, ...origin);
    messages.push({ messageId, to: { name: hookName(token) }, type: "hook_received", at, data });
  };
  for (const [id, count] of Object.entries(left)) {
    for (const { seq, at, data } of (read.get(id) ?? []).slice(-count))
      send(id, at, data, "journal", `${seq}`);
  }
  for (const { type, id, at, data, messageId } of mail) {
    if (type === "hook_received" && id !== null) send(id, at, data, "mail", messageId);
  }
  return messages;
}
