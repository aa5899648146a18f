import type { Random } from "@perdure/simulator/cluster";
import type { Node, Program, StepSpec } from "./program.ts";

/** Makes seeded programs. */

const DEPTH = 3;
/** Runs below runs below a program's own. */
const GENERATIONS = 2;
/** The tokens that several programs want. */
export const SHARED: readonly string[] = ["shared0", "shared1"];
/** The locks that they want, each with its limit. */
const LOCKS: readonly (readonly [key: string, limit: number])[] = [
  ["lock0", 1],
  ["lock1", 1],
  ["lock2", 2],
];
/** The runs that several programs want, each under a key. */
const KEYED = 2;
/** The steps that several programs want, each executed once. */
const ONCE = 2;
/** In so many clusters all programs begin with one lock, so that there is a line before it. */
const CROWDED = 0.15;

/** @param seeded the stream of a name */
export function newProgram(index: number, random: Random, seeded: (name: string) => Random): Program {
  const keyed = Array.from({ length: KEYED }, (_, n): Node => {
    const generator = new Generator(`k${n}`, seeded(`keyed ${n}`), {
      index: 0,
      generations: 0,
      keyed: [],
      onces: [],
    });
    return generator.sequence(DEPTH - 1);
  });
  const onces = Array.from({ length: ONCE }, (_, n): StepSpec => {
    const nothing = { index: 0, generations: 0, keyed: [], onces: [] };
    return new Generator(`o${n}`, seeded(`once ${n}`), nothing).onceStep();
  });
  const generator = new Generator(`p${index}`, random, { index, generations: GENERATIONS, keyed, onces });
  const { root, hook } = generator.root();
  return {
    index,
    root: seeded("line").chance(CROWDED) ? afterTheCrowd(root) : root,
    hook,
    startsAt: random.int(0, 3000),
    starters: random.pick([1, 1, 2, 4]),
    cancelsAt: random.chance(0.2) ? random.int(0, 6000) : null,
    cancelMode: random.chance(0.3) ? "terminate" : "graceful",
    wokenAt: random.chance(0.2) ? random.int(0, 6000) : null,
    after: random.pick(["retry", "retry", "fork", null] as const),
  };
}

function afterTheCrowd(root: Node): Node {
  // What continues as new is a program's root.
  if (root.type === "anew") return root;
  const one: Node = {
    type: "locked",
    key: "crowd",
    limit: 1,
    timeout: null,
    releases: true,
    node: { type: "sleep", ms: 1_000 },
  };
  return { type: "sequence", nodes: [one, root] };
}

interface Surroundings {
  /** Programs before this one may be watched. */
  readonly index: number;
  /** How many generations of children there may be. */
  readonly generations: number;
  readonly keyed: readonly Node[];
  readonly onces: readonly StepSpec[];
}

type HookNode = Node & { readonly type: "hook" };

class Generator {
  readonly #name: string;
  readonly #random: Random;
  readonly #around: Surroundings;
  #generations: number;
  #count = 0;
  /** The program may have a lock by now. */
  #locks = false;

  constructor(name: string, random: Random, around: Surroundings) {
    this.#name = name;
    this.#random = random;
    this.#around = around;
    this.#generations = around.generations;
  }

  /** A program's root, and the token of the hook that its run is started with. */
  root(): { readonly root: Node; readonly hook: string | null } {
    const random = this.#random;
    const hook = random.chance(0.15) ? this.#hook() : null;
    const first = this.sequence(0);
    const node: Node = hook === null ? first : { type: "sequence", nodes: [hook, first] };
    const token = hook?.hook.token ?? null;
    if (!random.chance(0.2)) return { root: node, hook: token };
    return {
      root: { type: "anew", node, next: this.#next(hook?.hook.how === "dispose" ? null : hook) },
      hook: token,
    };
  }

  /** The next generation of a run, which may have a hook from the one before. */
  #next(hook: HookNode | null): Node {
    const again: Node[] =
      hook === null || this.#random.chance(0.3)
        ? []
        : [{ type: "hook", hook: { ...hook.hook, how: "await", takes: hook.hook.sent - hook.hook.takes } }];
    return { type: "sequence", nodes: [...again, ...this.#several(1, 3, 0)] };
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
    switch (random.int(0, 11)) {
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
          cleanup: this.#shieldedStep(),
          rest: random.pick([0, 0, 3000]),
          key: this.#key(),
        };
      case 7:
        return this.#shared(this.#node(depth + 1));
      case 8:
        return { type: "floating", node: this.#node(depth + 1) };
      case 9:
        return { type: "branch", left: this.#node(depth + 1), right: this.#node(depth + 1) };
      case 10:
        return this.#locked(depth);
      default:
        return { type: "loop", times: random.int(2, 5), node: { type: "step", step: this.#step() } };
    }
  }

  #locked(depth: number): Node {
    const random = this.#random;
    const [key, limit] = random.pick(LOCKS);
    this.#locks = true;
    return {
      type: "locked",
      key,
      limit,
      timeout: random.pick([null, null, null, 0, 100, 3000]),
      releases: random.chance(0.8),
      node: this.#node(depth + 1),
    };
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
    const { index, onces } = this.#around;
    if (onces.length > 0 && random.chance(0.08)) return { type: "once", step: random.pick(onces) };
    if (this.#generations > 0 && random.chance(0.15)) return this.#child();
    if (index > 0 && random.chance(0.05)) {
      const program = random.int(0, index - 1);
      // Who has a lock does not wait for one who may want it: nobody but its author can end such a circle.
      return this.#locks ? { type: "sleep", ms: 10 } : { type: "watch", program };
    }
    if (random.chance(0.05)) return this.#shared({ type: "step", step: this.#step() });
    if (kind < 0.6) return { type: "step", step: this.#step() };
    if (kind < 0.64) return { type: "state", value: this.#key() };
    if (kind < 0.68) return this.#attribute();
    if (kind < 0.7) return { type: "shielded", step: this.#shieldedStep(), rest: random.pick([0, 0, 3000]) };
    if (kind < 0.72) return { type: "clock" };
    if (kind < 0.85 || this.#around.generations === 0)
      return { type: "sleep", ms: random.pick([0, 1, 10, 300, 2000, 15_000]) };
    return this.#hook();
  }

  #attribute(): Node {
    const random = this.#random;
    const by = random.chance(0.5)
      ? "workflow"
      : { ...this.#step(), kind: "patient" as const, how: "plain" as const };
    return { type: "attribute", by, value: random.chance(0.8) ? this.#key() : null };
  }

  /** A step for all. */
  onceStep(): StepSpec {
    return { ...this.#step(), kind: "shared", how: "plain" };
  }

  #shieldedStep(): StepSpec {
    return { ...this.#step(), kind: "patient", failures: 0, end: "value", shielded: true };
  }

  #hook(): HookNode {
    const random = this.#random;
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
    const kind = random.pick([
      "patient",
      "patient",
      "patient",
      "default",
      "once",
      "timed",
      "asked",
      "blind",
    ] as const);
    const atMostOnce = kind === "asked" || kind === "blind";
    const failures = kind === "once" || atMostOnce ? 0 : random.pick([0, 0, 0, 1, 2, 3]);
    return {
      kind,
      key: this.#key(),
      ms: random.pick([0, 0, 1, 20, 200, 1500]),
      failures,
      how: kind === "timed" ? "hang" : random.pick(["plain", "later"] as const),
      end: !atMostOnce && random.chance(0.15) ? random.pick(["fatal", "mended"] as const) : "value",
      shielded: false,
    };
  }

  #key(): string {
    return `${this.#name}/${this.#count++}`;
  }
}
