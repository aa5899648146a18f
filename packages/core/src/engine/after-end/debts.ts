import { derivedMessageId } from "../../ids.ts";
import { ON_PARENT_END } from "../../interpreter/kinds/attributes.ts";
import { owedBy } from "../../interpreter/kinds/index.ts";
import type { Owed, Past } from "../../interpreter/kinds/kind.ts";
import type { Message, RunRecord } from "../../world/index.ts";
import { systemStepOf } from "../system-steps/index.ts";

/** What a run that has ended owes, as its journal and its mailbox tell. */
export function debtsOf(past: Past): Required<Owed> {
  const owed = owedBy(past);
  return { ...owed, steps: owed.steps.filter(({ name }) => systemStepOf(name).owed) };
}

/** The cancel of a child, unless it is left alone. */
export function cancelOfChild(parent: RunRecord, child: RunRecord, now: number): Message[] {
  const { [ON_PARENT_END]: onParentEnd } = child.attributes;
  const tied = onParentEnd === "cancel" || (onParentEnd === undefined && parent.status === "cancelled");
  if (!tied) return [];
  const messageId = derivedMessageId("cancel", parent.runId, child.runId);
  return [{ messageId, to: { runId: child.runId }, type: "cancel_requested", at: now, data: null }];
}
