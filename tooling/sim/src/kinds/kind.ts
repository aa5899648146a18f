import type { MemoryRun, MemoryState } from "@perdure/core/testing";
import type { JournalEvent, Mail, Message, RunRecord, StoredRecord } from "@perdure/core/world";
import type { Random } from "@perdure/simulator/cluster";
import { LawBroken } from "../failure.ts";
import type { RunFold } from "../fold.ts";
import type { HookSpec, Node, StepSpec } from "../program.ts";
import type { Alternatives } from "./outcomes.ts";

/**
 * A kind: everything that the simulator has to know of one thing that workflows ask for, in one file. What its nodes of a program do
 * and may give, how the fold reads its events, and its laws. The generator's part of it is a function of its own in the same file.
 */
export interface Kind {
  /** The events that it reads, by type. Several kinds may read one, in the order of the registry. */
  readonly events?: Readonly<Record<string, EventKind>>;
  /** The run continues as new; what its fold keeps of the generation before goes. */
  readonly anew?: (fold: RunFold) => void;
  /** All that the run has of the one for which it goes on was read. */
  readonly inherited?: (fold: RunFold) => void;
  /** A run has these messages, before its next events are read. */
  readonly got?: (fold: RunFold, mailbox: readonly Mail[]) => void;
  /** The times at which the run has something to do by itself. */
  readonly wakeAt?: (fold: RunFold) => readonly number[];
  /** For its system steps, by name: somebody will tell the run the result, or has, although nobody holds it. */
  readonly waiting?: Readonly<Record<string, (view: StoreView, runId: string, call: SystemCall) => boolean>>;
  /** For its system steps, by name: when the store was last asked for what the step needs, in virtual time. */
  readonly asking?: Readonly<Record<string, (view: StoreView, call: SystemCall) => number>>;
  readonly laws?: Laws;
}

/** They throw `LawBroken`. */
export interface Laws {
  /** An event was written that the run does not have from another. */
  readonly event?: (view: StoreView, fold: RunFold, event: JournalEvent) => void;
  /** A journal has grown, or its messages were consumed. */
  readonly written?: (view: StoreView, write: Write) => void;
  /** What its row says otherwise than its journal; `null`: nothing. */
  readonly row?: (row: RunRecord, fold: RunFold) => string | null;
  /** What the store says of the run after any write. */
  readonly stored?: (view: StoreView, run: MemoryRun, fold: RunFold, now: number) => void;
  /** Somebody asked for this run to be created. */
  readonly started?: (view: StoreView, row: RunRecord) => void;
  /** A message of this type is sent. */
  readonly messages?: Readonly<Record<string, (view: StoreView, message: RunMessage) => void>>;
  /** Somebody reads or writes a record. */
  readonly recordAsked?: (view: StoreView, key: string, now: number) => void;
  readonly record?: (
    view: StoreView,
    key: string,
    before: StoredRecord | null,
    after: StoredRecord | null,
  ) => void;
  /** What a run owes that has ended just now; `null`: nothing. */
  readonly owes?: (run: MemoryRun, fold: RunFold) => string | null;
  /** The run's generation, or the run, is over: what it asked for itself is done. */
  readonly done?: (view: StoreView, fold: RunFold) => void;
  /** The run has ended, and nobody looks at it any more. */
  readonly over?: (view: StoreView, run: MemoryRun, fold: RunFold, now: number) => void;
  /** Everything is over. */
  readonly ended?: (ended: Ended) => void;
}

/** How an event is read. */
export interface EventKind {
  readonly read?: (fold: RunFold, event: JournalEvent) => void;
  /** Code is given a new id by it. */
  readonly givesId?: true;
  /** A run that goes on for another may be without it. */
  readonly left?: true;
  /** Of a run that goes on for another: what that one had after the place from which this one goes on. */
  readonly after?: true;
  /** A run that goes on for another may have it where that one has not. */
  readonly own?: true;
}

/** A message to a run. */
export type RunMessage = Message & { readonly to: { readonly runId: string; readonly id?: string } };

/** The store as laws see it. */
export interface StoreView {
  readonly state: MemoryState;
  /** What the journal of a run says, as of the last write. */
  readonly fold: (runId: string) => RunFold | undefined;
}

export interface Write {
  readonly fold: RunFold;
  readonly row: RunRecord;
  readonly fresh: readonly JournalEvent[];
  /** The run begins with these events, which are another's. */
  readonly inherits: boolean;
  /** Messages that were consumed with it. */
  readonly consumed: readonly Mail[];
  /** Whether something of the run was live before, and could get messages. */
  readonly before: ReadonlySet<string>;
}

/** One run when everything is over. */
export interface Ended {
  readonly root: Node;
  readonly row: RunRecord;
  /** Of all its generations. */
  readonly journal: readonly JournalEvent[];
  readonly fold: RunFold;
}

/** A system step as the journal has it. */
export interface SystemCall {
  readonly id: string;
  readonly name: string;
  /** Decoded. */
  readonly input: unknown;
}

export type NodeOf<Type extends Node["type"]> = Node & { readonly type: Type };

/** The nodes of some types: what they do in a workflow, and what they may give. */
export type NodeKinds<Types extends Node["type"]> = {
  readonly [Type in Types]: NodeKind<NodeOf<Type>>;
};

export interface NodeKind<N extends Node> {
  readonly execute: (node: N, scope: Scope) => Promise<Value>;
  readonly gives: (node: N, outcomesOf: (node: Node) => Alternatives) => Alternatives;
}

/** What a program returns, and what its nodes give each other. */
export type Value = string | null | readonly Value[];

/** What a simulated run is started with. */
export type Arguments = [name: string, root: Node, others: Readonly<Record<number, string>>];

/** What every node of a run may need. */
export interface Scope {
  /** The program's name. */
  readonly name: string;
  /** Promises that nobody awaits. */
  readonly floating: Promise<unknown>[];
  /** The runs of other programs, by their index. */
  readonly others: Readonly<Record<number, string>>;
  /** The workflow that interprets programs. */
  readonly workflow: (...args: Arguments) => Promise<Value>;
  /** Executes a node of the same run. */
  readonly execute: (node: Node) => Promise<Value>;
}

/** Makes one program: what its kinds make their nodes with. */
export interface Maker {
  readonly name: string;
  readonly random: Random;
  readonly around: Surroundings;
  /** A key that no other place of the program has. */
  key(): string;
  /** Some number that no other place of the program has. */
  count(): number;
  node(depth: number): Node;
  /** The program of a run that this one starts. */
  child(): Node;
}

export interface Surroundings {
  /** Programs before this one may be watched. */
  readonly index: number;
  /** How many generations of children there may be. */
  readonly generations: number;
  /** Runs that several programs want, each under a key. */
  readonly keyed: readonly Node[];
  /** Steps that several programs want, each executed once. */
  readonly onces: readonly StepSpec[];
}

export type HookNode = Node & { readonly type: "hook"; readonly hook: HookSpec };

/** Nobody asked for a message. */
export function notAsked({ type, to }: RunMessage, what: string): never {
  throw new LawBroken("effects were asked for", `${type} to run ${to.runId}: ${what}`, to.runId);
}
