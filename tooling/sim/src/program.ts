import type { Random } from "./random.ts";

/** Seeded workflow programs, as data: the simulated workflow interprets them. */

/** Which of the simulated steps, with their retry options. */
export type StepKind = "patient" | "default" | "once" | "timed";

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
  /** After the failures: a value, or a `FatalError`. */
  readonly end: "value" | "fatal";
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
  /** Waits for the end of another program's run, which was started before. */
  | { readonly type: "watch"; readonly program: number }
  | { readonly type: "floating"; readonly node: Node }
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
}

const DEPTH = 3;
/** Runs below runs below a program's own. */
const GENERATIONS = 2;
/** The tokens that several programs want. */
export const SHARED: readonly string[] = ["shared0", "shared1"];
/** The runs that several programs want, each under a key. */
const KEYED = 2;

/** @param seeded the stream of a name */
export function newProgram(index: number, random: Random, seeded: (name: string) => Random): Program {
  const keyed = Array.from({ length: KEYED }, (_, n): Node => {
    const generator = new Generator(`k${n}`, seeded(`keyed ${n}`), { index: 0, generations: 0, keyed: [] });
    return generator.sequence(DEPTH - 1);
  });
  const generator = new Generator(`p${index}`, random, { index, generations: GENERATIONS, keyed });
  return {
    index,
    root: generator.sequence(0),
    startsAt: random.int(0, 3000),
    starters: random.pick([1, 1, 2, 4]),
    cancelsAt: random.chance(0.2) ? random.int(0, 6000) : null,
  };
}

interface Surroundings {
  /** Programs before this one may be watched. */
  readonly index: number;
  /** How many generations of children there may be. */
  readonly generations: number;
  readonly keyed: readonly Node[];
}

class Generator {
  readonly #name: string;
  readonly #random: Random;
  readonly #around: Surroundings;
  #generations: number;
  #count = 0;

  constructor(name: string, random: Random, around: Surroundings) {
    this.#name = name;
    this.#random = random;
    this.#around = around;
    this.#generations = around.generations;
  }

  sequence(depth: number): Node {
    return { type: "sequence", nodes: this.#several(1, depth === 0 ? 6 : 3, depth) };
  }

  #several(low: number, high: number, depth: number): readonly Node[] {
    return Array.from({ length: this.#random.int(low, high) }, () => this.#node(depth + 1));
  }

  #node(depth: number): Node {
    const random = this.#random;
    if (depth >= DEPTH || random.chance(0.45)) return this.#leaf();
    switch (random.int(0, 10)) {
      case 0:
        return this.sequence(depth);
      case 1:
      case 2: {
        const how = random.pick(["all", "allSettled", "race", "any"] as const);
        return { type: "parallel", how, nodes: this.#several(2, 4, depth) };
      }
      case 3:
        return { type: "limit", node: this.#node(depth + 1), ms: this.#random.int(0, 800) };
      case 4:
        return { type: "helper", node: this.#node(depth + 1) };
      case 5:
        return { type: "try", node: this.#node(depth + 1) };
      case 6:
        return {
          type: "finally",
          node: this.#node(depth + 1),
          cleanup: { ...this.#step(), kind: "patient", failures: 0, end: "value" },
          rest: random.pick([0, 0, 3000]),
          key: this.#key(),
        };
      case 7:
        return this.#shared(this.#node(depth + 1));
      case 8:
        return { type: "floating", node: this.#node(depth + 1) };
      case 9:
        return { type: "branch", left: this.#node(depth + 1), right: this.#node(depth + 1) };
      default:
        return { type: "loop", times: random.int(2, 5), node: { type: "step", step: this.#step() } };
    }
  }

  #shared(node: Node): Node {
    const random = this.#random;
    const takes = random.pick([null, 0, 100, 3000]);
    return { type: "shared", token: random.pick(SHARED), node, takes, kept: random.chance(0.5) };
  }

  /** A child: a smaller program, or one of those that others want as well. */
  #child(): Node {
    const random = this.#random;
    const how = random.pick(["await", "await", "await", "cancel", "start", "forget"] as const);
    const onParentEnd = random.pick([null, null, "cancel", "leave"] as const);
    const child = { type: "child", how, onParentEnd, ms: random.pick([0, 10, 300, 2000]) } as const;
    const { keyed } = this.#around;
    const n = random.int(0, keyed.length * 3);
    const wanted = keyed[n];
    if (wanted !== undefined) return { ...child, name: `keyed ${n}`, root: wanted, key: `keyed ${n}` };
    const name = `${this.#name} child ${this.#count++}`;
    this.#generations--;
    const root = this.sequence(DEPTH - 1);
    this.#generations++;
    return { ...child, name, root, key: null };
  }

  #leaf(): Node {
    const random = this.#random;
    const kind = random.next();
    const { index } = this.#around;
    if (this.#generations > 0 && random.chance(0.15)) return this.#child();
    if (index > 0 && random.chance(0.05)) return { type: "watch", program: random.int(0, index - 1) };
    if (random.chance(0.05)) return this.#shared({ type: "step", step: this.#step() });
    if (kind < 0.7) return { type: "step", step: this.#step() };
    if (kind < 0.72) return { type: "clock" };
    if (kind < 0.85 || this.#around.generations === 0)
      return { type: "sleep", ms: random.pick([0, 1, 10, 300, 2000, 15_000]) };
    const takes = random.int(1, 4);
    return {
      type: "hook",
      hook: {
        token: `${this.#name}/hook${this.#count++}`,
        takes,
        sent: takes + random.pick([0, 0, 1]),
        senders: random.int(1, 2),
        how: random.pick(["await", "iterate", "dispose"] as const),
        confirmed: random.chance(0.4) ? this.#step() : null,
      },
    };
  }

  #step(): StepSpec {
    const random = this.#random;
    const kind = random.pick(["patient", "patient", "default", "once", "timed"] as const);
    const failures = kind === "once" ? 0 : random.pick([0, 0, 0, 1, 2, 3]);
    return {
      kind,
      key: this.#key(),
      ms: random.pick([0, 0, 1, 20, 200, 1500]),
      failures,
      how: kind === "timed" ? "hang" : random.pick(["plain", "later"] as const),
      end: random.chance(0.15) ? "fatal" : "value",
    };
  }

  #key(): string {
    return `${this.#name}/${this.#count++}`;
  }
}

/** The nodes right below a node; those of a child's program are not. */
function below(node: Node): readonly Node[] {
  switch (node.type) {
    case "sequence":
    case "parallel":
      return node.nodes;
    case "branch":
      return [node.left, node.right];
    case "step":
    case "clock":
    case "sleep":
    case "hook":
    case "child":
    case "watch":
      return [];
    default:
      return [node.node];
  }
}

/** A node and all that are below it in the same run. */
function nodesOf(node: Node): readonly Node[] {
  return [node, ...below(node).flatMap(nodesOf)];
}

/** All hooks of one run's program that others send to. */
export function hooksOf(root: Node): readonly HookSpec[] {
  return nodesOf(root).flatMap((node) => (node.type === "hook" ? [node.hook] : []));
}

/** The same, with those of the runs that it starts. */
export function allHooksOf(root: Node): readonly HookSpec[] {
  const children = nodesOf(root).flatMap((node) => (node.type === "child" ? allHooksOf(node.root) : []));
  return [...hooksOf(root), ...children];
}

/** The programs whose runs a program waits for, children included. */
export function watchedBy(root: Node): readonly number[] {
  return nodesOf(root).flatMap((node) => {
    if (node.type === "watch") return [node.program];
    return node.type === "child" ? watchedBy(node.root) : [];
  });
}

/** The `finally` blocks that the workflow itself waits for, whatever happens beside them. */
export function awaitedCleanups(node: Node): readonly (Node & { readonly type: "finally" })[] {
  switch (node.type) {
    case "finally":
      return [node, ...awaitedCleanups(node.node)];
    case "sequence":
      return node.nodes.flatMap(awaitedCleanups);
    case "try":
    case "helper":
    case "shared":
      return awaitedCleanups(node.node);
    default:
      return [];
  }
}
