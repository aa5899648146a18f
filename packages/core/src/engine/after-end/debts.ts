import { childRunId, derivedMessageId } from "../../ids.ts";
import { ON_PARENT_END } from "../../interpreter/kinds/attributes.ts";
import { HOOK_RECEIVED_OR_START, OR_START, type OrStart } from "../../interpreter/kinds/hook.ts";
import type { NewRun } from "../../interpreter/new-run.ts";
import { hookName } from "../../names.ts";
import { decode } from "../../serialization/index.ts";
import type { JournalEvent, Mail, Message, RunRecord } from "../../world/index.ts";
import { systemStepOf } from "../system-steps/index.ts";

/** What a run that has ended owes, as its journal and its mailbox tell. */

export interface Debts {
  /** System steps that were asked for and have no result. */
  readonly steps: readonly Debt[];
  /** Payloads that nobody read, for the hooks that have the tokens now. */
  readonly messages: readonly Message[];
}

/** A system step; its input is decoded. */
export interface Debt {
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
}

export function debtsOf(row: RunRecord, journal: readonly JournalEvent[], mail: readonly Mail[]): Debts {
  const unread = unreadOf(row, journal, mail);
  return { steps: [...stepsOf(journal), ...unread.steps], messages: unread.messages };
}

function stepsOf(journal: readonly JournalEvent[]): readonly Debt[] {
  const open = new Map<string, Debt>();
  for (const { type, id, name, data } of journal) {
    if (id === null) continue;
    if (type === "system_step_created" && name !== null) open.set(id, { id, name, input: decode(data) });
    if (type === "system_step_completed" || type === "system_step_failed") open.delete(id);
  }
  return [...open.values()].filter(({ name }) => systemStepOf(name).owed);
}

/** Whether there may be a child that is cancelled with this run. */
export function mayCancelChildren({ status }: RunRecord, journal: readonly JournalEvent[]): boolean {
  if (status === "cancelled") return true;
  return journal.some(
    ({ type, name }) => type === "children_tied" || (type === "system_step_created" && name === "start_run"),
  );
}

/** The cancel of a child, unless it is left alone. */
export function cancelOfChild(parent: RunRecord, child: RunRecord, now: number): Message[] {
  const { [ON_PARENT_END]: onParentEnd } = child.attributes;
  const tied = onParentEnd === "cancel" || (onParentEnd === undefined && parent.status === "cancelled");
  if (!tied) return [];
  const messageId = derivedMessageId("cancel", parent.runId, child.runId);
  return [{ messageId, to: { runId: child.runId }, type: "cancel_requested", at: now, data: null }];
}

/** Payloads that nobody read: messages to whoever has the tokens, and starts where the sender asked for them. */
function unreadOf({ runId }: RunRecord, journal: readonly JournalEvent[], mail: readonly Mail[]): Debts {
  const tokens = new Map<string, string>();
  const came = new Map<string, JournalEvent[]>();
  let left: Readonly<Record<string, number>> = {};
  for (const event of journal) {
    const { type, id, name, data } = event;
    if (type === "payloads_left") left = decode(data) as Record<string, number>;
    if (id === null) continue;
    if (name !== null && (type === "hook_created" || type === "hook_held" || type === "hook_left"))
      tokens.set(id, name);
    if (type !== "hook_received" && type !== "payload_kept") continue;
    const events = came.get(id);
    if (events === undefined) came.set(id, [event]);
    else events.push(event);
  }
  const debts = { steps: [] as Debt[], messages: [] as Message[] };
  const owe = (unread: Unread, ...origin: string[]): void => {
    const token = tokens.get(unread.id ?? "");
    if (token === undefined) return;
    const messageId = derivedMessageId("payload", runId, ...origin);
    const { at, data, orStart } = unread;
    if (!orStart) {
      debts.messages.push({ messageId, to: { name: hookName(token) }, type: "hook_received", at, data });
      return;
    }
    const run = (decode(data) as OrStart).start as NewRun;
    const start = { ...run, runId: childRunId(messageId, at) };
    debts.steps.push({ id: messageId, name: "resume_or_start", input: { messageId, token, data, start } });
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
  return debts;
}

interface Unread extends Pick<Mail, "id" | "at" | "data"> {
  readonly orStart: boolean;
}
