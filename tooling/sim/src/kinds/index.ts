import type { MemoryRun } from "@perdure/core/testing";
import type { JournalEvent, Mail, RunRecord, StoredRecord } from "@perdure/core/world";
import type { RunFold } from "../fold.ts";
import type { Node } from "../program.ts";
import { anewKind, anewNodes } from "./anew.ts";
import { attributesKind, attributesNodes } from "./attributes.ts";
import { cancelKind, cancelNodes } from "./cancel.ts";
import { childKind, childNodes } from "./child.ts";
import { clockKind, clockNodes } from "./clock.ts";
import { finallyNodes } from "./finally.ts";
import { flowNodes } from "./flow.ts";
import { hookKind, hookNodes } from "./hook.ts";
import type {
  Ended,
  EventKind,
  Kind,
  Laws,
  NodeKind,
  NodeKinds,
  RunMessage,
  StoreView,
  SystemCall,
  Write,
} from "./kind.ts";
import { lockKind, lockNodes } from "./lock.ts";
import { messageKind } from "./message.ts";
import { onceKind, onceNodes } from "./once.ts";
import { runKind } from "./run.ts";
import { sharedNodes } from "./shared.ts";
import { signalKind } from "./signal.ts";
import { startKeyKind } from "./start-key.ts";
import { stateKind, stateNodes } from "./state.ts";
import { stepKind, stepNodes } from "./step.ts";
import { streamKind, streamNodes } from "./stream.ts";
import { systemStepKind } from "./system-step.ts";
import { waitKind, waitNodes } from "./wait.ts";
import { watchKind, watchNodes } from "./watch.ts";

/** The registry of kinds. A new kind is a file beside these, and a place in these lists. */
const KINDS: readonly Kind[] = [
  runKind,
  cancelKind,
  stepKind,
  waitKind,
  systemStepKind,
  lockKind,
  childKind,
  onceKind,
  messageKind,
  watchKind,
  hookKind,
  stateKind,
  attributesKind,
  signalKind,
  startKeyKind,
  streamKind,
  clockKind,
  anewKind,
];

const NODES: NodeKinds<Node["type"]> = {
  ...flowNodes,
  ...finallyNodes,
  ...stepNodes,
  ...waitNodes,
  ...hookNodes,
  ...sharedNodes,
  ...childNodes,
  ...watchNodes,
  ...onceNodes,
  ...lockNodes,
  ...stateNodes,
  ...attributesNodes,
  ...cancelNodes,
  ...streamNodes,
  ...clockNodes,
  ...anewNodes,
};

/** What a node does and may give. */
export function nodeKindOf(node: Node): NodeKind<Node> {
  return NODES[node.type] as unknown as NodeKind<Node>;
}

const readers = new Map<string, EventKind[]>();
for (const { events = {} } of KINDS) {
  for (const [type, event] of Object.entries(events))
    readers.set(type, [...(readers.get(type) ?? []), event]);
}

/** Whether something holds of events of this type. */
export function eventHas(type: string, what: Exclude<keyof EventKind, "read">): boolean {
  return readers.get(type)?.some((event) => event[what] === true) === true;
}

/** Reads the next event of a journal. */
export function readEvent(fold: RunFold, event: JournalEvent): void {
  fold.follow(event);
  const known = readers.get(event.type);
  if (known === undefined) fold.refuse(event, "there is no such event");
  if (eventHas(event.type, "givesId")) fold.give(event);
  for (const { read } of known) read?.(fold, event);
}

/** The run continues as new, with a journal from `firstSeq` on. */
export function beginAnew(fold: RunFold, firstSeq: number): void {
  for (const { anew } of KINDS) anew?.(fold);
  fold.beginAnew(firstSeq);
}

/** What comes from now on is the run's own. */
export function inheritedAll(fold: RunFold): void {
  if (!fold.inheriting) return;
  fold.inheritedAll();
  for (const { inherited } of KINDS) inherited?.(fold);
}

/** A run has these messages, before its next events are read. */
export function readMailbox(fold: RunFold, mailbox: readonly Mail[]): void {
  for (const { got } of KINDS) got?.(fold, mailbox);
}

/** The earliest time at which the run has something to do by itself; `null` when it waits for messages only. */
export function wakeAt(fold: RunFold): number | null {
  const times = KINDS.flatMap((kind) => kind.wakeAt?.(fold) ?? []);
  return times.length === 0 ? null : Math.min(...times);
}

const waiting = new Map(KINDS.flatMap((kind) => Object.entries(kind.waiting ?? {})));

/** Somebody will tell the run the result of the system step, or has. */
export function isWaiting(view: StoreView, runId: string, call: SystemCall): boolean {
  return waiting.get(call.name)?.(view, runId, call) === true;
}

const asking = new Map(KINDS.flatMap((kind) => Object.entries(kind.asking ?? {})));

/** When the store was last asked for what the system step needs. */
export function lastAsked(view: StoreView, call: SystemCall): number {
  return asking.get(call.name)?.(view, call) ?? 0;
}

const LAWS: readonly Laws[] = KINDS.flatMap(({ laws = [] }) => laws);

/** The laws of all kinds. */
export const laws = {
  event(view: StoreView, fold: RunFold, event: JournalEvent): void {
    for (const law of LAWS) law.event?.(view, fold, event);
  },
  written(view: StoreView, write: Write): void {
    for (const law of LAWS) law.written?.(view, write);
  },
  row(row: RunRecord, fold: RunFold): string | null {
    return first((law) => law.row?.(row, fold));
  },
  stored(view: StoreView, run: MemoryRun, fold: RunFold, now: number): void {
    for (const law of LAWS) law.stored?.(view, run, fold, now);
  },
  started(view: StoreView, row: RunRecord): void {
    for (const law of LAWS) law.started?.(view, row);
  },
  message(view: StoreView, message: RunMessage): void {
    for (const { messages = {} } of LAWS) messages[message.type]?.(view, message);
  },
  recordAsked(view: StoreView, key: string, now: number): void {
    for (const law of LAWS) law.recordAsked?.(view, key, now);
  },
  record(view: StoreView, key: string, before: StoredRecord | null, after: StoredRecord | null): void {
    for (const law of LAWS) law.record?.(view, key, before, after);
  },
  owes(run: MemoryRun, fold: RunFold): string | null {
    return first((law) => law.owes?.(run, fold));
  },
  done(view: StoreView, fold: RunFold): void {
    for (const law of LAWS) law.done?.(view, fold);
  },
  over(view: StoreView, run: MemoryRun, fold: RunFold, now: number): void {
    for (const law of LAWS) law.over?.(view, run, fold, now);
  },
  ended(ended: Ended): void {
    for (const law of LAWS) law.ended?.(ended);
  },
} as const;

function first(what: (law: Laws) => string | null | undefined): string | null {
  for (const law of LAWS) {
    const said = what(law) ?? null;
    if (said !== null) return said;
  }
  return null;
}
