import { type DeliverResult, isTerminal, type Mail, type Message } from "../world/index.ts";
import { keepBytes } from "./bytes.ts";
import type { MemoryRun } from "./memory-run.ts";
import type { MemoryState } from "./memory-state.ts";

/** `World.deliver` for one message of the batch, in memory. */
export function deliverMessage(state: MemoryState, message: Message, now: number): DeliverResult {
  const earlier = state.messages.get(message.messageId);
  if (earlier !== undefined) return { outcome: "delivered", ...earlier };

  const address = addressOf(state, message, now);
  if (address === null) return { outcome: "no_such_name" };
  const { runId, id } = address;
  const run = state.runs.get(runId);
  if (run === undefined) return { outcome: "no_such_run" };
  if (isTerminal(run.row.status)) return { outcome: "finished", runId };

  if (message.atEnd === true) {
    const endSeq = run.row.endSeq + 1;
    put(state, run, run.endMail, { ...message, mailSeq: endSeq, id });
    state.setRow(run, { endSeq });
    return { outcome: "delivered", runId, id };
  }
  const mailSeq = run.row.mailSeq + 1;
  put(state, run, run.mailbox, { ...message, mailSeq, id });
  const { owner, dueAt } = run.row;
  // A run that has been due for longer keeps its place in the queue.
  const wakes = owner === null && (dueAt === null || dueAt > now);
  state.setRow(run, { mailSeq, dueAt: wakes ? now : dueAt });
  state.hint({ type: "mail", runId });
  if (wakes) state.hint({ type: "due" });
  return { outcome: "delivered", runId, id };
}

/** Puts a message into one of a run's mailboxes. */
export function put(
  state: MemoryState,
  run: MemoryRun,
  mailbox: Mail[],
  { mailSeq, messageId, type, id, at, data }: Mail,
): void {
  mailbox.push({ mailSeq, messageId, type, id, at, data: keepBytes(data) });
  state.messages.set(messageId, { runId: run.row.runId, id });
}

/** Drops what was consumed and sent before a time, so that a run that restarts for ever does not grow. */
export function dropConsumed(state: MemoryState, { row, mailbox }: MemoryRun, sentBefore: number): void {
  const kept = mailbox.findIndex(({ mailSeq, at }) => mailSeq > row.mailDone || at >= sentBefore);
  const dropped = mailbox.splice(0, kept === -1 ? mailbox.length : kept);
  for (const { messageId } of dropped) state.messages.delete(messageId);
}

function addressOf(
  state: MemoryState,
  { to }: Message,
  now: number,
): { readonly runId: string; readonly id: string | null } | null {
  if ("name" in to) return state.names.get(to.name, now);
  return { runId: to.runId, id: to.id ?? null };
}
