import { type DeliverResult, isTerminal, type Mail, type Message } from "../world/index.ts";
import { keepBytes, type MemoryState } from "./memory-state.ts";

/** `World.deliver` for one message of the batch, in memory. */
export function deliverMessage(state: MemoryState, message: Message, now: number): DeliverResult {
  const earlier = state.messages.get(message.messageId);
  if (earlier !== undefined) return { outcome: "delivered", ...earlier };

  const { to, messageId, type, at } = message;
  const hook = "token" in to ? state.hooks.get(to.token) : undefined;
  if ("token" in to && hook === undefined) return { outcome: "no_such_hook" };
  const runId = "token" in to ? (hook?.runId ?? "") : to.runId;
  const run = state.runs.get(runId);
  if (run === undefined) return { outcome: "no_such_run" };
  if (isTerminal(run.row.status)) return { outcome: "finished", runId };

  const hookId = hook?.hookId ?? null;
  const mail: Mail = {
    mailSeq: run.row.mailSeq + 1,
    messageId,
    type,
    hookId,
    at,
    data: keepBytes(message.data),
  };
  run.mailbox.push(mail);
  state.messages.set(messageId, { runId, hookId });
  const { owner, dueAt } = run.row;
  // A run that has been due for longer keeps its place in the queue.
  const wakes = owner === null && (dueAt === null || dueAt > now);
  state.setRow(run, { mailSeq: mail.mailSeq, dueAt: wakes ? now : dueAt });
  state.hint({ type: "mail", runId });
  if (wakes) state.hint({ type: "due" });
  return { outcome: "delivered", runId, hookId };
}
