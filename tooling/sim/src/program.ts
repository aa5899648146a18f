/** Seeded workflow programs, as data: the simulated workflow interprets them. */

/** Which of the simulated steps, with their retry options. */
export type StepKind = "patient" | "default" | "once" | "timed" | "shared" | AtMostOnceKind;

/** Those that are called at most once: `asked` has a `reconcile`, `blind` has none. */
export type AtMostOnceKind = "asked" | "blind";

export interface StepSpec {
  readonly kind: StepKind;
  /** Unique in its program; what the step returns. */
  readonly key: string;
  /** How long an attempt takes, in ms. */
  readonly ms: number;
  /** How many attempts do not succeed. */
  readonly failures: number;
  /** How those fail: an error, a `RetryableError`, or by not ending at all (of a step with a timeout). */
  readonly how: "plain" | "later" | "hang";
  /** After the failures: a value, or a `FatalError`; of one that is mended later, first the one and then the other. */
  readonly end: "value" | "fatal" | "mended";
  /** No cancel interrupts it. */
  readonly shielded: boolean;
}

export interface HookSpec {
  readonly token: string;
  /** How many payloads the workflow takes. */
  readonly takes: number;
  /** How many are sent. */
  readonly sent: number;
  readonly senders: number;
  readonly how: "await" | "iterate" | "dispose";
  /** What the workflow does first, once it knows that the token is its own; `null`: it does not ask. */
  readonly confirmed: StepSpec | null;
}

/** A run that the workflow starts. */
export interface ChildNode {
  readonly type: "child";
  readonly name: string;
  readonly root: Node;
  /**
   * What the workflow does with it: awaits its end; cancels it after a while and awaits its end; goes on when it is started; goes
   * on at once.
   */
  readonly how: "await" | "cancel" | "start" | "forget";
  /** When it is cancelled, in ms after its start. */
  readonly ms: number;
  readonly onParentEnd: "cancel" | "leave" | null;
  /** Under this key, with others that want the same run. */
  readonly key: string | null;
}

/** Takes payloads that start its run if nobody has the token. Only a root is one. */
export interface CollectNode {
  readonly type: "collect";
  readonly token: string;
  /** It continues as new when it has taken so many. */
  readonly takes: number;
  /** It ends when no payload has come for so long, in ms. */
  readonly quiet: number;
  /** What the generations before have taken. */
  readonly heard: readonly string[];
}

/** Does something while it has a lock that others want too. */
export interface LockedNode {
  readonly type: "locked";
  readonly key: string;
  /** The same for all who want it. */
  readonly limit: number;
  /** How long, in ms, it waits for the lock; `null`: as long as it takes. */
  readonly timeout: number | null;
  /** Gives it back itself, or leaves that to the end of the run. */
  readonly releases: boolean;
  readonly node: Node;
}

export type Node =
  | { readonly type: "step"; readonly step: StepSpec }
  | { readonly type: "sequence"; readonly nodes: readonly Node[] }
  | {
      readonly type: "parallel";
      readonly how: "all" | "allSettled" | "race" | "any";
      readonly nodes: readonly Node[];
    }
  | { readonly type: "sleep"; readonly ms: number }
  | { readonly type: "clock" }
  /** Sets the run's state, or one of its attributes, itself or by a step. */
  | { readonly type: "state"; readonly value: string }
  | { readonly type: "attribute"; readonly by: "workflow" | StepSpec; readonly value: string | null }
  /** A step and a sleep that no cancel interrupts. */
  | { readonly type: "shielded"; readonly step: StepSpec; readonly rest: number }
  /** Continues as new when the first node has ended. Only a root is one. */
  | { readonly type: "anew"; readonly node: Node; readonly next: Node }
  | CollectNode
  | { readonly type: "branch"; readonly left: Node; readonly right: Node }
  | { readonly type: "limit"; readonly node: Node; readonly ms: number }
  | { readonly type: "helper"; readonly node: Node }
  | { readonly type: "try"; readonly node: Node }
  | {
      readonly type: "finally";
      readonly node: Node;
      readonly cleanup: StepSpec;
      readonly rest: number;
      readonly key: string;
    }
  | { readonly type: "hook"; readonly hook: HookSpec }
  | {
      readonly type: "shared";
      readonly token: string;
      readonly node: Node;
      /** How long, in ms, it waits for a payload when the node has ended; `null`: it takes none. */
      readonly takes: number | null;
      /** The token is kept until the run ends. */
      readonly kept: boolean;
    }
  | ChildNode
  /** A step that several programs want, executed once for a key of the step's. */
  | { readonly type: "once"; readonly step: StepSpec }
  /** Waits for the end of another program's run, which was started before. */
  | { readonly type: "watch"; readonly program: number }
  /** A step that writes to the run's stream. */
  | { readonly type: "write"; readonly step: StepSpec; readonly chunks: number }
  | { readonly type: "floating"; readonly node: Node }
  | LockedNode
  | { readonly type: "loop"; readonly times: number; readonly node: Node };

export interface Program {
  readonly index: number;
  readonly root: Node;
  /** When its first start comes, in ms after the beginning. */
  readonly startsAt: number;
  /** How many clients start it at once, all with one key. */
  readonly starters: number;
  /** When it is cancelled, in ms after its start, or `null`. */
  readonly cancelsAt: number | null;
  readonly cancelMode: "graceful" | "terminate";
  /** When its sleeps are ended, in ms after its start, or `null`. */
  readonly wokenAt: number | null;
  /** The token of a hook that it is started with, which its first node may be. */
  readonly hook: string | null;
  /** What somebody makes of its run when it has ended: a retry if it has failed, or a fork. */
  readonly after: "retry" | "fork" | null;
}

/** The nodes right below a node; those of a child's program are not. */
export function below(node: Node): readonly Node[] {
  return [
    ...("nodes" in node ? node.nodes : []),
    ...("node" in node ? [node.node] : []),
    ...("left" in node ? [node.left, node.right] : []),
    ...("next" in node ? [node.next] : []),
  ];
}

/** A node and all that are below it in the same run. */
function nodesOf(node: Node): readonly Node[] {
  return [node, ...below(node).flatMap(nodesOf)];
}

/** All hooks of one run's program that others send to; one that the next generation of the run takes over is there twice. */
export function hooksOf(root: Node): readonly HookSpec[] {
  return nodesOf(root).flatMap((node) => (node.type === "hook" ? [node.hook] : []));
}

/** Whether a run that it starts, or one that this starts, has a hook. */
export function hasHooksBelow(root: Node): boolean {
  return nodesOf(root).some((node) => node.type === "child" && allHooksOf(node.root).length > 0);
}

/** The same, with those of the runs that it starts. */
export function allHooksOf(root: Node): readonly HookSpec[] {
  const children = nodesOf(root).flatMap((node) => (node.type === "child" ? allHooksOf(node.root) : []));
  return [...new Map([...hooksOf(root), ...children].map((hook) => [hook.token, hook])).values()];
}

/** The programs whose runs a program waits for, children included. */
export function watchedBy(root: Node): readonly number[] {
  return nodesOf(root).flatMap((node) => {
    if (node.type === "watch") return [node.program];
    return node.type === "child" ? watchedBy(node.root) : [];
  });
}
